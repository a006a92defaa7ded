"""Ways from a 1080p picture to a model's input, timed in turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.clock import SystemClock
from edge_agent.errors import ClipError
from edge_agent.manifest import Axes, Colour, Dtype, InputSpec
from edge_agent.observations import Frame, Layout
from edge_agent.tensor import InputTensor

Pixels = NDArray[np.uint8]
Way = Callable[[], object]

_FULL = (1920, 1080)
# The built-in model's input, and YOLOX-nano's.
_SMALL, _SQUARE = (448, 256), (416, 416)
_ROUNDS = 60
_PAD = 114


@dataclass(frozen=True, slots=True)
class Preparation:
    """One way.

    Args:
        way: in words.
        us: median microseconds a frame.
        ratio: how many times the usual way for the same input takes.
    """

    way: str
    us: float
    ratio: float


def compare_preparations(data: Path) -> list[Preparation]:
    """Time the usual float letterbox and ours.

    The usual way is YOLOX's own: resize, pad, transpose, float. A camera hands over I420 (the
    usual way then begins with a conversion) or, as for a clip, a decoded BGR picture.

    Args:
        data: folder of test data; the first picture of its footage is prepared.

    Raises:
        ClipError: it cannot be read.
    """
    clip = data / "footage" / "table-visits.mp4"
    capture = cv2.VideoCapture(str(clip))
    shown, picture = capture.read()
    capture.release()
    if not shown:
        raise ClipError(f"{clip}: no picture can be decoded")
    bgr = np.asarray(cv2.resize(picture, _FULL, interpolation=cv2.INTER_CUBIC), np.uint8)
    i420 = _i420(bgr)
    lores = {
        size: _i420(np.asarray(cv2.resize(bgr, _lores(size), interpolation=cv2.INTER_AREA)))
        for size in (_SMALL, _SQUARE)
    }
    ways: dict[str, Way] = {}
    usual: dict[str, str] = {}
    for size, spec in ((_SMALL, _uint8(_SMALL)), (_SQUARE, _float(_SQUARE))):
        base = f"usual: I420 1080p, float32 {size[0]}x{size[1]}"
        kind = f"{spec.dtype.value} {size[0]}x{size[1]}"
        ways |= {
            base: _usual(i420, size, _bgr),
            f"usual: BGR 1080p, float32 {size[0]}x{size[1]}": _usual(bgr, size, _as_it_is),
            f"ours: I420 at the model's size, {kind}": _ours(
                spec, Frame(lores[size], 0.0, *_lores(size), Layout.I420)
            ),
            f"ours: I420 1080p by planes, {kind}": _ours(
                spec, Frame(i420, 0.0, *_FULL, Layout.I420)
            ),
            f"ours: BGR 1080p, {kind}": _ours(spec, Frame(bgr, 0.0, *_FULL)),
        }
        usual |= {way: base for way in ways if way not in usual}
    us = _timed(ways)
    return [Preparation(way, round(us[way], 1), round(us[usual[way]] / us[way], 1)) for way in ways]


def _usual(picture: Pixels, size: tuple[int, int], convert: Callable[[Pixels], Pixels]) -> Way:
    return lambda: _letterbox(convert(picture), size)


def _ours(spec: InputSpec, frame: Frame) -> Way:
    tensor = InputTensor(spec)
    width, height = _lores((spec.width, spec.height))
    return lambda: tensor.fit(frame, width, height)


def _timed(ways: dict[str, Way]) -> dict[str, float]:
    """Median microseconds of each, in turns."""
    now = SystemClock().monotonic
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, way in ways.items():
            way()  # the caches are those of a frame that has just come in
            begun = now()
            way()
            taken[name].append((now() - begun) * 1e6)
    return {name: median(times) for name, times in taken.items()}


def _letterbox(picture: Pixels, size: tuple[int, int]) -> NDArray[np.float32]:
    """As in YOLOX's demo (Megvii-BaseDetection/YOLOX, data_augment.preproc)."""
    padded = np.full((size[1], size[0], 3), _PAD, np.uint8)
    width, height = _lores(size)
    padded[:height, :width] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(padded.transpose(2, 0, 1)[None], dtype=np.float32)


def _lores(size: tuple[int, int]) -> tuple[int, int]:
    """The picture's own size within a model's input: 16:9, even."""
    return size[0], 2 * round(size[0] * 9 / 16 / 2)


def _i420(bgr: NDArray[Any]) -> Pixels:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)


def _bgr(i420: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420), np.uint8)


def _as_it_is(bgr: Pixels) -> Pixels:
    return bgr


def _uint8(size: tuple[int, int]) -> InputSpec:
    shape = (1, size[1], size[0], 3)
    return InputSpec("images", shape, Axes.NHWC, Dtype.UINT8, Colour.RGB, 0.0, 255.0, _PAD)


def _float(size: tuple[int, int]) -> InputSpec:
    shape = (1, 3, size[1], size[0])
    return InputSpec("images", shape, Axes.NCHW, Dtype.FLOAT32, Colour.BGR, 0.0, 255.0, _PAD)
