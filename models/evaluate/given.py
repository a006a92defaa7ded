"""A detector that says what is known to be so: the labels of a clip through the real pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.detector import Run
from edge_agent.observations import Detections, Floats, Frame
from models.evaluate.labels import Labels

# Who shows less of their body is not found.
_LEAST_VISIBLE = 0.25
# How sure of a person and of a joint that is seen the detector is, and of one that is hidden: the
# built-in model guesses those where they are, at 0.3 (people.py).
_SCORE, HIDDEN_SCORE = 0.9, 0.3
_HIDDEN, _SEEN = 1, 2


class Given:
    """In a detector's place: frames are told by their time.

    Args:
        said: for each frame of the clip what is in it.
        fps: of the clip.
    """

    input_size = (1, 1)

    def __init__(self, said: Sequence[Detections], fps: float) -> None:
        self._said, self._fps = said, fps
        # There is nothing to work out.
        self.runtime: Run = lambda tensor: [tensor]

    def prepare(self, frame: Frame) -> NDArray[Any]:
        """Which frame it is."""
        return np.array([round(frame.t * self._fps)])

    def decode(self, outputs: list[NDArray[Any]], frame: Frame) -> Detections:
        """What is in it."""
        said = self._said[int(outputs[0][0])]
        return Detections(frame.t, said.boxes, said.scores, said.keypoints)


def detections_of(labels: Labels, frames: int, hidden: float) -> list[Detections]:
    """What a detector without fault says of each frame: joints that are seen score 0.9.

    Args:
        labels: of a clip.
        frames: how many it has.
        hidden: score of a joint that something hides; 0 = it is not found.
    """
    found = labels.visible > _LEAST_VISIBLE
    said = []
    for frame in range(frames):
        rows = np.flatnonzero((labels.frame == frame) & found)
        joints = labels.keypoints[rows].copy()
        joints[..., 2] = _score(joints[..., 2], hidden)
        scores = np.full(len(rows), _SCORE)
        said.append(Detections(frame / labels.fps, labels.boxes[rows], scores, joints))
    return said


def _score(seen: Floats, hidden: float) -> Floats:
    return np.select([seen == _SEEN, seen == _HIDDEN], [_SCORE, hidden], 0.0)
