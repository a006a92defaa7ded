"""YOLOX: a box, an objectness and class scores in each cell of three grids."""

from __future__ import annotations

from math import exp
from typing import Any

from numpy.typing import NDArray

from edge_agent.detector.boxes import Candidate, placed, suppress
from edge_agent.detector.fitting import fitted_size
from edge_agent.detector.steps import Detector, Run
from edge_agent.errors import ModelError
from edge_agent.manifest import ModelEntry
from edge_agent.observations import Detections, Frame

# Columns of a YOLOX row (Megvii-BaseDetection/YOLOX, demo_utils.demo_postprocess): the box, how
# sure it is that there is any object, then the COCO classes, of which person is the first.
_OBJECTNESS, _PERSON = 4, 5
# Grid cells of YOLOX's three output scales, in pixels of the input.
_STRIDES = (8, 16, 32)
# Candidates of one frame that are looked at, best first: bounds the time of a crowded frame.
_MOST = 200
# Of a box's log-size: e^10 cells are wider than any input, and exp never overflows.
_LARGEST = 10.0


class YoloxDetector(Detector):
    """YOLOX without its own grid decoding or suppression in the file.

    Args:
        entry: the model.
        runtime: runs it, `edge_agent.runtimes.Runtime` or anything called like it.

    Raises:
        ModelError: YOLOX cannot have this input size.
    """

    def __init__(self, entry: ModelEntry, runtime: Run) -> None:
        super().__init__(entry, runtime)
        self._cells = _grid(entry)

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
        return placed(frame, kept, fitted_size(frame, self._spec))[1]

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
