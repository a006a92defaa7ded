"""The values of the manifest, frozen."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import Enum

from edge_agent.errors import ModelError

# YOLOX's own evaluation uses 0.65 for non-maximum suppression.
DEFAULT_IOU = 0.65


class Task(Enum):
    """What a model finds."""

    DETECT = "detect"
    POSE = "pose"
    BOTH = "both"
    REACH = "reach"


class Axes(Enum):
    """Order of an input's axes: batch, channels, height, width."""

    NCHW = "NCHW"
    NHWC = "NHWC"


class Dtype(Enum):
    """Number format of an input."""

    FLOAT32 = "float32"
    UINT8 = "uint8"


class Colour(Enum):
    """Order of an input's colour channels."""

    BGR = "BGR"
    RGB = "RGB"


class Decoder(Enum):
    """How a model's output is read."""

    YOLOX = "yolox"
    MOVENET_SINGLE = "movenet-single"
    SHELFLIGHT = "shelflight"
    REACH = "reach"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a model takes.

    Args:
        name: the input's name in the file.
        shape: four sizes in the order of ``axes``; the batch is 1, the channels are 3,
            or 6 for a close look.
        axes: NCHW or NHWC.
        dtype: number format.
        colour: channel order.
        low, high: what pixel values 0 and 255 become.
        pad: pixel value, 0..255, of what lies outside the picture.
    """

    name: str
    shape: tuple[int, int, int, int]
    axes: Axes
    dtype: Dtype
    colour: Colour
    low: float
    high: float
    pad: int

    @property
    def channels(self) -> int:
        """Planes of the picture, and what is drawn beside it."""
        return self.shape[1] if self.axes is Axes.NCHW else self.shape[3]

    @property
    def height(self) -> int:
        """Rows of the picture that the model sees."""
        return self.shape[2] if self.axes is Axes.NCHW else self.shape[1]

    @property
    def width(self) -> int:
        """Columns of the picture that the model sees."""
        return self.shape[3] if self.axes is Axes.NCHW else self.shape[2]


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds of a decoder.

    Args:
        score: people below it are dropped; joints below it are handed on with their score and
            are not to be believed. 0..1.
        iou: overlap above which two boxes are one person, 0..1 (detectors).
    """

    score: float
    iou: float = DEFAULT_IOU


class Supply(Enum):
    """Where a model's file comes from."""

    PULLED = "pulled"
    MADE = "made"
    BUILT_IN = "built in"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model of the manifest.

    Args:
        name: as a site file says it.
        task: what it finds.
        file: its name in the models' folder; the suffix chooses the runtime.
        size: bytes; None for a model that is made here.
        sha256: 64 hexadecimal digits; None for a model that is made here, whose hash is recorded
            beside its file.
        licence: SPDX name.
        origin: who made it.
        url: upstream address; None for what is not pulled.
        input: what it takes.
        decoder: how its output is read.
        limits: the decoder's thresholds.
        made_from: name of the model that this one is made from, here; None for all others.
        recipe: how, a path within the ``models`` package; None where made_from is.
        built_in: its file is committed in the ``models`` package.
        macs: multiply-accumulates of one inference; None where nobody counted.
    """

    name: str
    task: Task
    file: str
    size: int | None
    sha256: str | None
    licence: str
    origin: str
    url: str | None
    input: InputSpec
    decoder: Decoder
    limits: Limits
    made_from: str | None = None
    recipe: str | None = None
    built_in: bool = False
    macs: int | None = None

    @property
    def finds_people(self) -> bool:
        """Whether it may be a site's detector."""
        return self.task in (Task.DETECT, Task.BOTH)

    @property
    def finds_joints(self) -> bool:
        """Whether it gives keypoints."""
        return self.task in (Task.POSE, Task.BOTH)

    @property
    def supply(self) -> Supply:
        """Where the file comes from."""
        if self.built_in:
            return Supply.BUILT_IN
        return Supply.PULLED if self.made_from is None else Supply.MADE


@dataclass(frozen=True, slots=True)
class Manifest:
    """All models, in the order of the file."""

    entries: tuple[ModelEntry, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every model's name."""
        return tuple(entry.name for entry in self.entries)

    @property
    def built_in(self) -> ModelEntry:
        """The model that finds people where a site names none: it ships with the package."""
        for entry in self.entries:
            if entry.supply is Supply.BUILT_IN and entry.task is Task.BOTH:
                return entry
        raise ModelError("no built-in model is in the manifest; name one in models.detector")

    @property
    def built_in_reach(self) -> ModelEntry | None:
        """What looks closely at hands beside it; None = nothing does."""
        for entry in self.entries:
            if entry.supply is Supply.BUILT_IN and entry.task is Task.REACH:
                return entry
        return None

    def get(self, name: str) -> ModelEntry:
        """The entry called name.

        Raises:
            ModelError: there is none; the message has the nearest names, else all.
        """
        for entry in self.entries:
            if entry.name == name:
                return entry
        near = difflib.get_close_matches(name, self.names) or self.names
        raise ModelError(f"no model is called {name!r}; known: {', '.join(near)}")
