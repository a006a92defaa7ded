"""A detector that says what is known to be so: the labels of a clip through the real pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.observations import Detections, Frame
from models.evaluate.labels import Labels

# Who shows less of their body is not found; how sure of a person and of a joint that is seen the
# detector says it is.
_LEAST_VISIBLE, _SCORE = 0.25, 0.9
_SEEN = 2


class Given:
    """In a detector's place: frames are told by their time.

    Args:
        said: for each frame of the clip what is in it.
        fps: of the clip.
    """

    input_size = (1, 1)

    def __init__(self, said: Sequence[Detections], fps: float) -> None:
        self._said, self._fps = said, fps

    def prepare(self, frame: Frame) -> NDArray[Any]:
        """Which frame it is."""
        return np.array([round(frame.t * self._fps)])

    def runtime(self, tensor: NDArray[Any]) -> list[NDArray[Any]]:
        """There is nothing to work out."""
        return [tensor]

    def decode(self, outputs: list[NDArray[Any]], frame: Frame) -> Detections:
        """What is in it."""
        said = self._said[int(outputs[0][0])]
        return Detections(frame.t, said.boxes, said.scores, said.keypoints)


def detections_of(labels: Labels, frames: int) -> list[Detections]:
    """What a detector without fault says of each frame.

    Joints that are seen score 0.9; hidden ones 0, at their true place, as a good network guesses
    it.

    Args:
        labels: of a clip.
        frames: how many it has.
    """
    found = labels.visible > _LEAST_VISIBLE
    said = []
    for frame in range(frames):
        rows = np.flatnonzero((labels.frame == frame) & found)
        joints = labels.keypoints[rows].copy()
        joints[..., 2] = np.where(joints[..., 2] == _SEEN, _SCORE, 0.0)
        scores = np.full(len(rows), _SCORE)
        said.append(Detections(frame / labels.fps, labels.boxes[rows], scores, joints))
    return said
