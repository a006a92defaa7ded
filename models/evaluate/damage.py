"""What a poor detector makes of people.

Joints tremble, are lost or change sides; edges of boxes tremble, and boxes are missed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_agent.observations import Detections, Floats, Keypoint

# Joints: standard deviation along each axis as a share of the torso's length (middle of the
# shoulders to middle of the hips), the share that is lost, and of people whose sides are swapped.
JITTER, DROPPED, SWAPPED = 0.05, 0.10, 0.02
# Boxes: standard deviation of each edge as a share of the box's width or height, the share missed.
EDGES, MISSED = 0.03, 0.07
# A torso that is not all in the picture, as a share of the box's height (Drillis and Contini 1966:
# shoulders at 0.818 of the height, hips at 0.530).
_TORSO = 0.29
_SHOULDERS = [Keypoint.LEFT_SHOULDER, Keypoint.RIGHT_SHOULDER]
_HIPS = [Keypoint.LEFT_HIP, Keypoint.RIGHT_HIP]


def worse_joints(seen: Detections, aspect: float, rng: np.random.Generator) -> Detections:
    """The same people with damaged skeletons.

    A joint that is lost has no place either: score, x and y are 0, as of one out of the picture.

    Args:
        seen: with keypoints.
        aspect: width / height of the frame.
        rng: decides.
    """
    assert seen.keypoints is not None, "joints are damaged"
    joints = seen.keypoints.copy()
    known = joints.any(axis=2)
    spread = JITTER * _torsos(joints, seen.boxes, aspect)[:, None, None] / [aspect, 1.0]
    joints[..., :2] += rng.normal(0, 1, joints[..., :2].shape) * spread * known[..., None]
    joints[rng.random(known.shape) < DROPPED] = 0.0
    turned = rng.random(len(joints)) < SWAPPED
    joints[turned] = joints[turned][:, Keypoint.OTHER_SIDE]
    return Detections(seen.t, seen.boxes, seen.scores, joints)


def _torsos(joints: Floats, boxes: Floats, aspect: float) -> Floats:
    """Lengths, frame heights."""
    way = (joints[:, _SHOULDERS, :2].mean(1) - joints[:, _HIPS, :2].mean(1)) * [aspect, 1.0]
    whole = joints[:, list(Keypoint.TRUNK)].any(axis=2).all(axis=1)
    lengths: Floats = np.where(
        whole, np.linalg.norm(way, axis=1), _TORSO * (boxes[:, 3] - boxes[:, 1])
    )
    return lengths


def worse_boxes(boxes: Floats, rng: np.random.Generator) -> tuple[Floats, NDArray[np.bool_]]:
    """Boxes with trembling edges, and which of them are found at all.

    Args:
        boxes: float64 [N, 4], x0 y0 x1 y1, fractions.
        rng: decides.

    Returns:
        float64 [N, 4], cut at the frame and never turned inside out, and bool [N].
    """
    size = boxes[:, 2:] - boxes[:, :2]
    off = boxes + rng.normal(0, EDGES, boxes.shape) * np.hstack([size, size])
    low, high = np.minimum(off[:, :2], off[:, 2:]), np.maximum(off[:, :2], off[:, 2:])
    return np.hstack([low, high]).clip(0, 1), rng.random(len(boxes)) >= MISSED
