"""Which point of a shopper is tested against a floor."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.config import Anchor
from edge_agent.geometry import Point
from edge_agent.observations import Floats, Keypoint, Poses, Tracks

# Keypoints below this score are guesses: MoveNet's own examples draw from 0.3 upwards, and its
# model card gives 0.3 as the threshold for a visible point.
MIN_KEYPOINT_SCORE = 0.3


def anchor_point(anchor: Anchor, box: Sequence[float], keypoints: Floats | None) -> Point:
    """The anchor of one person.

    Args:
        anchor: feet, head or torso.
        box: x0 y0 x1 y1, fractions.
        keypoints: float64 [17, 3] or None; only torso asks for them.

    Returns:
        x, y in fractions of the frame.
    """
    x0, y0, x1, y1 = box
    middle = (x0 + x1) / 2
    if anchor is Anchor.FEET:
        return middle, y1
    if anchor is Anchor.HEAD:
        return middle, y0
    if keypoints is not None:
        trunk = keypoints[list(Keypoint.TRUNK)]
        if trunk[:, 2].min() >= MIN_KEYPOINT_SCORE:
            x, y = trunk[:, :2].mean(axis=0).tolist()
            return x, y
    return middle, (y0 + y1) / 2


def keypoints_by_id(tracks: Tracks, poses: Poses | None) -> dict[int, Floats]:
    """Keypoints of each track that has some, from the pose model or the detector."""
    found: dict[int, Floats] = {}
    if tracks.keypoints is not None:
        found.update(zip(tracks.ids.tolist(), tracks.keypoints, strict=True))
    if poses is not None:
        found.update(zip(poses.ids.tolist(), poses.keypoints, strict=True))
    return found
