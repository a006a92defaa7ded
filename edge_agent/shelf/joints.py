"""Joints that are lost for a moment, put where they last were on the body."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge_agent.observations import Floats, Keypoint, Poses, Tracks

# A joint that scores less is lost.
_LOST = 0.2
# It is held where it was for so long: within a second an arm can be anywhere.
_HOLD_S = 0.7


class Joints:
    """Remembers of everybody where each joint was in their box, 0..1 across and down."""

    def __init__(self) -> None:
        self._places: dict[int, Floats] = {}
        self._seen_s: dict[int, NDArray[np.float64]] = {}

    def filled(self, tracks: Tracks, poses: Poses) -> Poses:
        """The poses of one frame without the holes that a moment left in them.

        Args:
            tracks: bodies, of the same frame; who is not among them is forgotten.
            poses: joints of some of them.

        Returns:
            Poses in which a lost joint that was seen of late has its place in the body again, at
            the score that it had then; one of the trunk that was not, its other side's.
        """
        boxes = dict(zip(tracks.ids.tolist(), tracks.boxes, strict=True))
        self._places = {one: self._places[one] for one in self._places if one in boxes}
        self._seen_s = {one: self._seen_s[one] for one in self._seen_s if one in boxes}
        keypoints = poses.keypoints.copy()
        for row, one in enumerate(poses.ids.tolist()):
            if one in boxes:
                self._fill(poses.t, one, boxes[one], keypoints[row])
        return replace(poses, keypoints=keypoints)

    def _fill(self, t: float, identity: int, box: Floats, joints: Floats) -> None:
        """Fill one body's joints, float64 [17, 3], in place."""
        corner, size = box[:2], np.maximum(box[2:] - box[:2], 1e-6)
        seen = joints[:, 2] >= _LOST
        places = self._places.setdefault(identity, np.zeros((17, 3)))
        seen_s = self._seen_s.setdefault(identity, np.full(17, -np.inf))
        held = ~seen & (t - seen_s <= _HOLD_S)
        joints[held, :2] = corner + places[held, :2] * size
        joints[held, 2] = places[held, 2]
        for joint in Keypoint.TRUNK:
            # The trunk's sides are near enough to stand in for one another.
            other = Keypoint.OTHER_SIDE[joint]
            if not (seen[joint] or held[joint]) and (seen[other] or held[other]):
                joints[joint, :2] = joints[other, :2]
        places[seen, :2] = (joints[seen, :2] - corner) / size
        places[seen, 2], seen_s[seen] = joints[seen, 2], t
