"""The built-in model: people and their joints out of one inference.

Its two outputs are described in `models.train.network`: a grid of stride 8 (person, four sides,
rough joints) and a map a joint of stride 4. A person is a peak of the grid's first channel; each
rough joint is moved to the best peak of its map close by.
"""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.detector.boxes import Candidate, placed, suppress
from edge_agent.detector.fitting import fitted_size
from edge_agent.detector.steps import Detector, Run
from edge_agent.errors import ModelError
from edge_agent.manifest import ModelEntry
from edge_agent.observations import Detections, Floats, Frame

_JOINTS = 17
_GRID_STRIDE, _MAP_STRIDE = 8, 4
_CHANNELS = 1 + 4 + 2 * _JOINTS
# Offsets are told in units of this many cells.
_OFFSET_SCALE = 4.0
# Candidates of one frame that are looked at, best first: bounds the time of a crowded frame.
_MOST = 100
# How far from its rough place a joint is looked for: cells of the map, and the standard deviation
# of the trust in that place as a share of the body's height.
_REACH = 6
_TRUST = 0.2
# Below this a peak of the map is noise, and the rough place stands.
_LEAST_PEAK = 0.1
# How far a peak goes, cells: a joint's target has a standard deviation of 1 to 1.5.
_PEAK_REACH = 2
_AROUND = np.stack(
    np.meshgrid(np.arange(-_REACH, _REACH + 1), np.arange(-_REACH, _REACH + 1)), axis=-1
).reshape(-1, 2)
_PEAK = np.ones((3, 3), np.uint8)


class ShelflightDetector(Detector):
    """People with joints, from the built-in model.

    Args:
        entry: the model.
        runtime: runs it, `edge_agent.runtimes.Runtime` or anything called like it.

    Raises:
        ModelError: the model cannot have this input size.
    """

    def __init__(self, entry: ModelEntry, runtime: Run) -> None:
        super().__init__(entry, runtime)
        self._least = _logit(entry.limits.score)
        width, height = entry.input.width, entry.input.height
        if width % 32 or height % 32:
            raise ModelError(
                f"model {entry.name}: the input is {width}x{height}; it must be multiples of 32"
            )
        self._grid = (1, _CHANNELS, height // _GRID_STRIDE, width // _GRID_STRIDE)
        self._maps = (1, _JOINTS, height // _MAP_STRIDE, width // _MAP_STRIDE)

    def decode(self, outputs: list[NDArray[Any]], frame: Frame) -> Detections:
        """The people in the model's output.

        Args:
            outputs: float32 grid [1, 39, H/8, W/8] and maps [1, 17, H/4, W/4], logits.
            frame: the frame that was prepared; only its size and time are read.

        Raises:
            ModelError: the outputs have other shapes.
        """
        shapes = [output.shape for output in outputs]
        if shapes != [self._grid, self._maps]:
            raise ModelError(
                f"model {self._name}: the outputs are {[list(shape) for shape in shapes]}, "
                f"expected {list(self._grid)} and {list(self._maps)}; name another decoder in the "
                "manifest"
            )
        grid = outputs[0][0]
        found = self._candidates(grid)
        kept = suppress([candidate for candidate, _ in found], self._limits.iou)
        cells = dict(found)
        size = fitted_size(frame, self._spec)
        rows, detections = placed(frame, kept, size)
        if not rows:
            return replace(detections, keypoints=np.empty((0, _JOINTS, 3)))
        people = [kept[row] for row in rows]
        keypoints = self._joints(grid, outputs[1][0], people, [cells[one] for one in people])
        keypoints[..., :2] /= size
        return replace(detections, keypoints=keypoints)

    def _candidates(self, grid: NDArray[np.float32]) -> list[tuple[Candidate, tuple[int, int]]]:
        """Peaks as score and corners in pixels of the input, and their cells; best first."""
        persons = grid[0]
        peaks = (persons >= self._least) & (persons >= cv2.dilate(persons, _PEAK))
        lines, columns = peaks.nonzero()
        found = []
        for line, column, sides in zip(
            lines.tolist(), columns.tolist(), grid[:5, lines, columns].T.tolist(), strict=True
        ):
            score, left, top, right, bottom = sides
            x, y = column + 0.5, line + 0.5
            corners = (x - left, y - top, x + right, y + bottom)
            if left + right > 0 and top + bottom > 0:
                x0, y0, x1, y1 = (corner * _GRID_STRIDE for corner in corners)
                found.append(((1 / (1 + exp(-score)), x0, y0, x1, y1), (line, column)))
        found.sort(reverse=True)
        return found[:_MOST]

    def _joints(
        self,
        grid: NDArray[np.float32],
        maps: NDArray[np.float32],
        people: list[Candidate],
        cells: list[tuple[int, int]],
    ) -> Floats:
        """Joints of all people at once: float64 [N, 17, 3], pixels of the input and score."""
        lines, columns = np.array(cells).T
        offsets = grid[5:, lines, columns].T.reshape(-1, _JOINTS, 2) * _OFFSET_SCALE
        middles = np.stack([columns, lines], axis=-1)[:, None] + 0.5
        ratio = _GRID_STRIDE / _MAP_STRIDE
        rough = (middles + offsets) * ratio
        tall = np.array([bottom - top for _, _, top, _, bottom in people]) / _MAP_STRIDE
        places, scores = _snap(maps, rough, _TRUST * tall)
        return np.concatenate([places * _MAP_STRIDE, scores[..., None]], axis=-1)


def _snap(
    maps: NDArray[np.float32], rough: Floats, trust: Floats
) -> tuple[Floats, NDArray[np.float64]]:
    """Move each rough place to the best peak near it.

    Args:
        maps: [17, H, W], logits.
        rough: [N, 17, 2], x y in cells.
        trust: [N], standard deviation of the rough places, cells.

    Returns:
        Places [N, 17, 2] in cells and scores [N, 17], 0..1.
    """
    limits = np.array(maps.shape[:0:-1]) - 1
    cells = np.floor(rough).astype(np.int64)[:, :, None] + _AROUND
    inner = cells.clip(0, limits)
    heights = _sigmoid(maps[np.arange(_JOINTS)[None, :, None], inner[..., 1], inner[..., 0]])
    heights *= (cells == inner).all(axis=-1)
    away = ((cells + 0.5 - rough[:, :, None]) ** 2).sum(axis=-1)
    near = np.exp(-away / (2 * np.maximum(trust, 1.0)[:, None, None] ** 2))
    best = (heights * near).argmax(axis=-1)[..., None]
    score = np.take_along_axis(heights, best, -1)[..., 0].astype(np.float64)
    peak = np.take_along_axis(cells, best[..., None], -2)
    # Between cells: the middle of what the peak weighs. Squares, so that its foot counts little.
    weights = heights**2 * (np.abs(cells - peak) <= _PEAK_REACH).all(axis=-1)
    middle = (weights[..., None] * (cells + 0.5)).sum(axis=-2)
    total = weights.sum(axis=-1)[..., None]
    seen = (score >= _LEAST_PEAK)[..., None]
    return np.where(seen, middle / np.where(seen, total, 1.0), rough), score


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    made: NDArray[np.float32] = 1 / (1 + np.exp(-logits.clip(-30, 30)))
    return made


def _logit(score: float) -> float:
    bounded = min(max(score, 1e-6), 1 - 1e-6)
    return log(bounded / (1 - bounded))
