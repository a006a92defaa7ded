"""Find people in a frame: prepare, run, decode.

The three steps are separate so that a bench can time them; the runtime comes in as a plain
callable.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError
from edge_agent.manifest import Decoder, InputSpec, ModelEntry
from edge_agent.observations import Detections, Frame
from edge_agent.tensor import InputTensor, PictureReader

Run = Callable[[NDArray[Any]], list[NDArray[Any]]]
# Score, left, top, right, bottom; pixels of the model's input.
Candidate = tuple[float, float, float, float, float]

# Columns of a YOLOX row (Megvii-BaseDetection/YOLOX, demo_utils.demo_postprocess): the box, how
# sure it is that there is any object, then the COCO classes, of which person is the first.
_OBJECTNESS, _PERSON = 4, 5
# Grid cells of YOLOX's three output scales, in pixels of the input.
_STRIDES = (8, 16, 32)
# Candidates of one frame that are looked at, best first: bounds the time of a crowded frame.
_MOST = 200
# Of a box's log-size: e^10 cells are wider than any input, and exp never overflows.
_LARGEST = 10.0


class YoloxDetector:
    """YOLOX without its own grid decoding or suppression in the file.

    Args:
        entry: the model.
        runtime: runs it, `edge_agent.runtimes.Runtime` or anything called like it.

    Raises:
        ModelError: YOLOX cannot have this input size.
    """

    def __init__(self, entry: ModelEntry, runtime: Run) -> None:
        self.runtime = runtime
        self._name = entry.name
        self._spec = entry.input
        self._limits = entry.limits
        self._cells = _grid(entry)
        self._reader = PictureReader(entry.input.colour)
        self._tensor = InputTensor(entry.input)
        self._fitted: NDArray[np.uint8] = np.empty((0, 0, 3), np.uint8)

    def __call__(self, frame: Frame) -> Detections:
        """The people in the frame, best first, with scores from the manifest's threshold up."""
        return self.decode(self.runtime(self.prepare(frame)), frame)

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of the model's input, pixels."""
        return self._spec.width, self._spec.height

    def prepare(self, frame: Frame) -> NDArray[Any]:
        """The model's input: the frame fitted into the top left, padding right and below.

        The array is the same one at each call.
        """
        width, height = fitted_size(frame, self._spec)
        if self._fitted.shape[:2] != (height, width):
            self._fitted = np.empty((height, width, 3), np.uint8)
            self._tensor.clear()
        picture, colour = self._reader.read(frame)
        if picture.shape[:2] == (height, width):
            self._tensor.write(picture, colour)
        else:
            cv2.resize(picture, (width, height), dst=self._fitted, interpolation=cv2.INTER_LINEAR)
            self._tensor.write(self._fitted, colour)
        return self._tensor.array

    def decode(self, outputs: list[NDArray[Any]], frame: Frame) -> Detections:
        """The people in the model's output.

        Args:
            outputs: one float32 [1, cells, 5 + classes].
            frame: the frame that was prepared; only its size and time are read.

        Raises:
            ModelError: the output has another shape.
        """
        rows = outputs[0]
        if rows.ndim != 3 or rows.shape[1] != len(self._cells) or rows.shape[2] <= _PERSON:
            raise ModelError(
                f"model {self._name}: the output is {list(rows.shape)}, YOLOX gives "
                f"[1, {len(self._cells)}, 5 + classes]; name another decoder in the manifest"
            )
        # No score is above the objectness: most rows go before anything is computed.
        likely = (rows[0, :, _OBJECTNESS] >= self._limits.score).nonzero()[0]
        heads = rows[0, likely, : _PERSON + 1].tolist()
        found = self._candidates(likely.tolist(), heads)
        kept = suppress(found[:_MOST], self._limits.iou)
        return _detections(frame, kept, fitted_size(frame, self._spec))

    def _candidates(self, likely: list[int], heads: list[list[float]]) -> list[Candidate]:
        """Some output rows as score and corners in pixels of the input, best first."""
        found = []
        for cell, (x, y, log_width, log_height, objectness, person) in zip(
            likely, heads, strict=True
        ):
            score = objectness * person
            if score >= self._limits.score:
                column, line, stride = self._cells[cell]
                x, y = (x + column) * stride, (y + line) * stride
                right = exp(min(log_width, _LARGEST)) * stride / 2
                down = exp(min(log_height, _LARGEST)) * stride / 2
                found.append((score, x - right, y - down, x + right, y + down))
        found.sort(reverse=True)
        return found


def build_detector(entry: ModelEntry, runtime: Run) -> YoloxDetector:
    """The detector for the entry's decoder.

    Raises:
        ModelError: the model is no detector.
    """
    if entry.decoder is not Decoder.YOLOX:
        raise ModelError(
            f"model {entry.name} is no detector (decoder {entry.decoder.value}); "
            "name another in models.detector"
        )
    return YoloxDetector(entry, runtime)


def fitted_size(frame: Frame, spec: InputSpec) -> tuple[int, int]:
    """Width and height of the frame in the model's input, its aspect kept."""
    ratio = min(spec.width / frame.width, spec.height / frame.height)
    return max(1, round(frame.width * ratio)), max(1, round(frame.height * ratio))


def suppress(candidates: list[Candidate], most_overlap: float) -> list[Candidate]:
    """Greedy non-maximum suppression.

    Plain Python on purpose: an aisle gives some ten candidates a frame, and straight after an
    inference, with cold caches, each numpy call costs what five of them cost here (measured).

    Args:
        candidates: best first.
        most_overlap: intersection over union above which the worse of two goes, 0..1.

    Returns:
        Those that stay, best first.
    """
    kept: list[Candidate] = []
    # Intersection over union > most_overlap, without the division.
    share = most_overlap / (1 + most_overlap)
    for one in candidates:
        _, left, top, right, bottom = one
        area = (right - left) * (bottom - top)
        for _, left2, top2, right2, bottom2 in kept:
            width = (right if right < right2 else right2) - (left if left > left2 else left2)
            height = (bottom if bottom < bottom2 else bottom2) - (top if top > top2 else top2)
            both = area + (right2 - left2) * (bottom2 - top2)
            if width > 0 and height > 0 and width * height > share * both:
                break
        else:
            kept.append(one)
    return kept


def _detections(frame: Frame, kept: list[Candidate], size: tuple[int, int]) -> Detections:
    """Boxes as fractions, cut at the frame's border; those that lie in the padding are no one."""
    width, height = size
    boxes, scores = [], []
    for score, left, top, right, bottom in kept:
        x0, x1 = max(0.0, left / width), min(1.0, right / width)
        y0, y1 = max(0.0, top / height), min(1.0, bottom / height)
        if x1 > x0 and y1 > y0:
            boxes.append((x0, y0, x1, y1))
            scores.append(score)
    return Detections(frame.t, np.array(boxes, np.float64).reshape(-1, 4), np.array(scores))


def _grid(entry: ModelEntry) -> list[tuple[int, int, int]]:
    """Column, line and stride of each output row: scale by scale, line by line."""
    height, width = entry.input.height, entry.input.width
    if height % _STRIDES[-1] or width % _STRIDES[-1]:
        raise ModelError(
            f"model {entry.name}: the input is {width}x{height}; YOLOX takes multiples of "
            f"{_STRIDES[-1]}"
        )
    return [
        (column, line, stride)
        for stride in _STRIDES
        for line in range(height // stride)
        for column in range(width // stride)
    ]
