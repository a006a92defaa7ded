"""A long, mostly empty clip, cut together from a short recording of single shoppers.

Real people on a real floor, as a unit's camera gives them: I420 at the model's size. Each visit is
one of the recording's, its middle as long as drawn; between them lies the recording's empty place.
Over all of it lie sensor noise, exposure flicker and daylight that comes and goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ClipError
from edge_agent.observations import Frame, Layout

Pixels = NDArray[np.uint8]

# Seconds of the recording before a shopper is on the floor, and after: into view and out of it.
COME_S, GO_S = 2.0, 2.0
# A visit's middle may be cut out between these seconds after entering and before leaving.
_SETTLED_S = 1.8
# Seconds that are left of a visit's middle.
_STAY_S = (0.5, 8.0)
# Standard deviation of the noise, luma levels: a small sensor indoors.
NOISE = 2.5
# Exposure from frame to frame (standard deviation), and daylight (half range, period in seconds).
FLICKER, DAYLIGHT, DAYLIGHT_S = 0.01, 0.2, 600.0
_FIELDS = 16


@dataclass(frozen=True, slots=True)
class Stay:
    """When somebody is on a zone's floor, seconds."""

    zone: str
    enter_s: float
    leave_s: float

    def later(self, seconds: float) -> Stay:
        """The same, so many seconds later."""
        return Stay(self.zone, self.enter_s + seconds, self.leave_s + seconds)


@dataclass(frozen=True, slots=True)
class Cut:
    """The plan of a clip: which picture of the recording each frame shows.

    Args:
        pictures: their numbers.
        stays: the visits, in seconds of the clip.
        busy: share of the frames that show a visit or the way to and from it.
    """

    pictures: list[int]
    stays: list[Stay]
    busy: float


@dataclass(frozen=True, slots=True)
class Recording:
    """A short recording in memory.

    Args:
        pictures: I420, uint8 [height * 3 / 2, width] each.
        fps: frames a second.
        stays: its visits.
    """

    pictures: list[Pixels]
    fps: float
    stays: tuple[Stay, ...]


def load_recording(clip: Path, truth: dict[str, Any], size: tuple[int, int]) -> Recording:
    """Read a recording at the size that a unit's camera would give.

    Args:
        clip: the file.
        truth: the content of its truth.json.
        size: width and height, even.

    Raises:
        ClipError: it cannot be read.
    """
    capture = cv2.VideoCapture(str(clip))
    pictures = []
    while (got := capture.read())[0]:
        small = cv2.resize(got[1], size, interpolation=cv2.INTER_AREA)
        pictures.append(np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2YUV_I420), np.uint8))
    capture.release()
    if not pictures:
        raise ClipError(f"{clip}: no picture can be decoded; name a folder of footage with --data")
    return Recording(pictures, float(truth["fps"]), stays_of(truth))


def stays_of(truth: dict[str, Any]) -> tuple[Stay, ...]:
    """The visits of a truth.json."""
    return tuple(Stay(one["zone"], one["enter_s"], one["leave_s"]) for one in truth["visits"])


def plan(
    recording: Recording, visits: int, busy: float, fps: float, rng: np.random.Generator
) -> Cut:
    """Draw a clip.

    Args:
        recording: what it is cut from; it begins with the empty place.
        visits: how many.
        busy: share of the time in which somebody is in view, 0..1.
        fps: frames a second of the clip; a whole part of the recording's.
        rng: draws which visit, how long, and what lies between.
    """
    step = round(recording.fps / fps)
    empty = list(range(round((recording.stays[0].enter_s - COME_S) * recording.fps)))
    forth_and_back = empty + empty[::-1]
    drawn = [_visit(recording, rng) for _ in range(visits)]
    shown = sum(len(one[0]) for one in drawn) // step
    # Before, between and after the visits, of all lengths.
    shares = rng.uniform(0.5, 1.5, visits + 1)
    idle = (shares / shares.sum() * shown * (1 / busy - 1)).round().astype(int).tolist()

    def pause(frames: int) -> list[int]:
        start = int(rng.integers(len(forth_and_back)))
        ahead = (start + step * i for i in range(frames))
        return [forth_and_back[i % len(forth_and_back)] for i in ahead]

    pictures: list[int] = []
    stays: list[Stay] = []
    for frames, (numbers, stay) in zip(idle[:-1], drawn, strict=True):
        pictures += pause(frames)
        stays.append(stay.later(len(pictures) / fps))
        pictures += numbers[int(rng.integers(step)) :: step]
    pictures += pause(idle[-1])
    return Cut(pictures, stays, shown / len(pictures))


def _visit(recording: Recording, rng: np.random.Generator) -> tuple[list[int], Stay]:
    """The pictures of one visit, and when within them it begins and ends."""
    fps = recording.fps
    true = recording.stays[int(rng.integers(len(recording.stays)))]
    first, last = true.enter_s - COME_S, true.leave_s + GO_S
    stay_s = min(rng.uniform(*_STAY_S), true.leave_s - true.enter_s - 2 * _SETTLED_S)
    until = true.enter_s + _SETTLED_S + stay_s / 2
    again = true.leave_s - _SETTLED_S - stay_s / 2
    came = range(round(first * fps), round(until * fps))
    goes = range(round(again * fps), min(round(last * fps), len(recording.pictures)))
    leave_s = (len(came) + round((true.leave_s - again) * fps)) / fps
    return [*came, *goes], Stay(true.zone, COME_S, leave_s)


class Footage:
    """Plays a plan.

    Args:
        recording: the pictures.
        cut: the plan.
        fps: frames a second.
        rng: draws noise and flicker; the same one gives the same frames.

    Attributes:
        picture: number of the recording's picture in the frame last given.
    """

    def __init__(
        self, recording: Recording, cut: Cut, fps: float, rng: np.random.Generator
    ) -> None:
        self._recording = recording
        self._cut = cut
        self._fps = fps
        self._seed = int(rng.integers(1 << 32))
        self.picture = 0

    def frames(self) -> Iterator[Frame]:
        """All frames, each valid until the next; the same ones at each call."""
        rng = np.random.default_rng(self._seed)
        rows, width = self._recording.pictures[0].shape
        height = rows * 2 // 3
        # More than a frame each, to be laid over it at any offset.
        fields = (rng.standard_normal((_FIELDS, height + 32, width + 32)) * NOISE).round()
        noise = fields.astype(np.int16)
        image = np.empty((rows, width), np.uint8)
        for i, number in enumerate(self._cut.pictures):
            self.picture = number
            t = i / self._fps
            day = 1 - DAYLIGHT + DAYLIGHT * np.sin(2 * np.pi * t / DAYLIGHT_S)
            gain = day * (1 + FLICKER * rng.standard_normal())
            levels = (np.arange(256) * gain).clip(0, 255).round().astype(np.uint8)
            clean = self._recording.pictures[number]
            x, y = rng.integers(32, size=2).tolist()
            grain = noise[int(rng.integers(_FIELDS)), y : y + height, x : x + width]
            lit = cv2.LUT(clean[:height], levels)
            cv2.add(lit, np.ascontiguousarray(grain), dst=image[:height], dtype=cv2.CV_8U)
            image[height:] = clean[height:]
            yield Frame(image, t, width, height, Layout.I420)
