"""The models' manifest, read as data: what each model is, what it takes and how it is read.

The file lies in the ``models`` package, which is located but never imported: a unit runs without
the code that fetches, quantizes and trains.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import yaml

from edge_agent.errors import ModelError

# Enough of a hash to tell two files apart by eye.
_SHOWN = 12
# YOLOX's own evaluation uses 0.65 for non-maximum suppression.
_IOU = 0.65
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LINE = re.compile(r"\S.*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.(onnx|tflite)")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_KEYS = {
    *("task", "file", "bytes", "sha256", "licence", "origin", "url"),
    *("input", "decoder", "thresholds"),
}
_INPUT_KEYS = {"name", "shape", "layout", "dtype", "colour", "range", "pad"}

_T = TypeVar("_T")
_E = TypeVar("_E", bound=Enum)


class Task(Enum):
    """What a model finds."""

    DETECT = "detect"
    POSE = "pose"
    BOTH = "both"


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


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a model takes.

    Args:
        name: the input's name in the file.
        shape: four sizes in the order of ``axes``; the batch is 1, the channels are 3.
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
    iou: float = _IOU


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model of the manifest.

    Args:
        name: as a site file says it.
        task: what it finds.
        file: its name in the models' folder; the suffix chooses the runtime.
        size: bytes.
        sha256: 64 hexadecimal digits.
        licence: SPDX name.
        origin: who made it.
        url: upstream address.
        input: what it takes.
        decoder: how its output is read.
        limits: the decoder's thresholds.
    """

    name: str
    task: Task
    file: str
    size: int
    sha256: str
    licence: str
    origin: str
    url: str
    input: InputSpec
    decoder: Decoder
    limits: Limits


@dataclass(frozen=True, slots=True)
class Manifest:
    """All models, in the order of the file."""

    entries: tuple[ModelEntry, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every model's name."""
        return tuple(entry.name for entry in self.entries)

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


def load(path: Path | None = None) -> Manifest:
    """Read the manifest.

    Args:
        path: another file than the one that is installed.

    Raises:
        ModelError: it cannot be read, or every mistake in it with its key and what is allowed.
    """
    source = path or _installed()
    try:
        document = yaml.safe_load(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(f"{source}: the manifest cannot be read: {error}") from error
    mistakes: list[str] = []
    models = _Section("", document, {"models"}, mistakes).mapping("models")
    entries = [_entry(str(name), value, mistakes) for name, value in models.items()]
    if mistakes:
        lines = "\n".join(f"  {line}" for line in mistakes)
        raise ModelError(f"{source}: mistakes in the manifest\n{lines}")
    return Manifest(tuple(entries))


def models_directory() -> Path:
    """Where model files lie: $SHELFLIGHT_MODELS, else a cache folder of the user."""
    named = os.environ.get("SHELFLIGHT_MODELS")
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "shelflight" / "models"


def model_path(entry: ModelEntry, directory: Path | None = None) -> Path:
    """Where the entry's file lies or will lie."""
    return (models_directory() if directory is None else directory) / entry.file


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(entry: ModelEntry, path: Path) -> None:
    """Make sure that the file is the one the manifest names.

    Raises:
        ModelError: it is missing, unreadable or another file; the message says what to do.
    """
    pull = f"run: python -m models pull {entry.name}"
    try:
        found = digest(path)
    except FileNotFoundError:
        raise ModelError(f"model {entry.name} is not at {path}; {pull}") from None
    except OSError as error:
        raise ModelError(f"model {entry.name} at {path} cannot be read: {error}") from error
    if found != entry.sha256:
        raise ModelError(
            f"{path} is not model {entry.name}: its SHA-256 is {found[:_SHOWN]}…, the manifest "
            f"says {entry.sha256[:_SHOWN]}…; delete it, then {pull}"
        )


def _installed() -> Path:
    spec = importlib.util.find_spec("models")
    for folder in (spec and spec.submodule_search_locations) or ():
        if (Path(folder) / "manifest.yaml").is_file():
            return Path(folder) / "manifest.yaml"
    raise ModelError("the models' manifest is not installed: install shelflight again")


def _entry(name: str, value: object, mistakes: list[str]) -> ModelEntry:
    model = _Section(f"models.{name}.", value, _KEYS, mistakes)
    if not _NAME.fullmatch(name):
        mistakes.append(f"models.{name}: a name is lower-case letters, digits, '.', '_' and '-'")
    limits = _Section(
        f"models.{name}.thresholds.", model.mapping("thresholds"), {"score", "iou"}, mistakes
    )
    return ModelEntry(
        name=name,
        task=model.member("task", Task),
        file=model.text("file", _FILE, "a plain file name that ends in .onnx or .tflite"),
        size=model.whole("bytes", 1, 1 << 40),
        sha256=model.text("sha256", _SHA256, "64 lower-case hexadecimal digits"),
        licence=model.text("licence"),
        origin=model.text("origin"),
        url=model.text("url", re.compile(r"https?://\S+"), "an http or https address"),
        input=_input(name, model.mapping("input"), mistakes),
        decoder=model.member("decoder", Decoder),
        limits=Limits(limits.fraction("score"), limits.fraction("iou", default=_IOU)),
    )


def _input(name: str, value: object, mistakes: list[str]) -> InputSpec:
    section = _Section(f"models.{name}.input.", value, _INPUT_KEYS, mistakes)
    axes = section.member("layout", Axes)
    dtype = section.member("dtype", Dtype)
    low, high = section.take("range", _range, (0.0, 255.0), "[low, high] with low < high")
    if dtype is Dtype.UINT8 and (low, high) != (0.0, 255.0):
        mistakes.append(f"models.{name}.input.range: uint8 takes pixels as they are: [0, 255]")
    return InputSpec(
        name=section.text("name"),
        shape=section.take(
            "shape",
            lambda found: _shape(found, axes),
            (1, 3, 1, 1),
            "batch 1, 3 channels, height and width in the order that layout says",
        ),
        axes=axes,
        dtype=dtype,
        colour=section.member("colour", Colour),
        low=low,
        high=high,
        pad=section.whole("pad", 0, 255),
    )


class _Section:
    """One mapping of the file; what is wrong in it is added to ``mistakes``.

    A value with a mistake is replaced by a stand-in: nothing is used once there is a mistake.
    """

    def __init__(self, at: str, value: object, allowed: set[str], mistakes: list[str]) -> None:
        self._at = at
        self._mistakes = mistakes
        self._values: dict[Any, Any] = value if isinstance(value, dict) else {}
        self._is_mapping = isinstance(value, dict)
        if not self._is_mapping:
            mistakes.append(f"{at.rstrip('.') or 'the file'}: must be a mapping of keys to values")
        for key in self._values:
            if key not in allowed:
                near = difflib.get_close_matches(str(key), allowed) or sorted(allowed)
                mistakes.append(f"{at}{key}: unknown key; allowed: {', '.join(near)}")

    def take(self, key: str, read: Callable[[Any], _T], stand_in: _T, allowed: str) -> _T:
        """The value of key as ``read`` makes it; ValueError or TypeError from it is a mistake."""
        if key not in self._values:
            if self._is_mapping:
                self._mistakes.append(f"{self._at}{key}: is missing; needs {allowed}")
            return stand_in
        try:
            return read(self._values[key])
        except (TypeError, ValueError):
            self._mistakes.append(f"{self._at}{key}: {self._values[key]!r}; needs {allowed}")
            return stand_in

    def mapping(self, key: str) -> dict[str, object]:
        return self.take(key, _mapping, {}, "a mapping of keys to values")

    def member(self, key: str, kind: type[_E]) -> _E:
        members = list(kind)
        return self.take(key, kind, members[0], " or ".join(str(one.value) for one in members))

    def text(
        self, key: str, form: re.Pattern[str] = _LINE, allowed: str = "one line of text"
    ) -> str:
        return self.take(key, lambda value: _text(value, form), "", allowed)

    def whole(self, key: str, low: int, high: int) -> int:
        allowed = f"a whole number, {low}..{high}"
        return self.take(key, lambda value: _whole(value, low, high), low, allowed)

    def fraction(self, key: str, default: float | None = None) -> float:
        if default is not None and key not in self._values:
            return default
        return self.take(key, _fraction, 0.0, "a number, 0..1")


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(value)
    return value


def _text(value: object, form: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not form.fullmatch(value):
        raise ValueError(value)
    return value


def _whole(value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(value)
    return value


def _fraction(value: object) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise ValueError(value)
    return number


def _shape(value: object, axes: Axes) -> tuple[int, int, int, int]:
    if not isinstance(value, list) or not all(type(size) is int and size > 0 for size in value):
        raise ValueError(value)
    batch, first, second, third = value
    if batch != 1 or (first if axes is Axes.NCHW else third) != 3:
        raise ValueError(value)
    return batch, first, second, third


def _range(value: object) -> tuple[float, float]:
    if not isinstance(value, list):
        raise ValueError(value)
    low, high = (_number(bound) for bound in value)
    if not low < high:
        raise ValueError(value)
    return low, high


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)
    return float(value)
