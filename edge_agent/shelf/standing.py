"""How somebody stands to a shelf, in numbers that do not depend on where the camera hangs.

Lengths are in units of the person's own size in the picture; directions are taken along the line
from the person's feet to the shelf's middle, and across it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import Polygon
from edge_agent.observations import Floats, Keypoint

Floats32 = NDArray[np.float32]

# Numbers of an arm, and of the body that it belongs to.
ARM, BODY = 18, 11
# What lies further off says no more.
_MOST = 3.0
# The hand goes on past the wrist by so much of the forearm (Drillis and Contini 1966: hand 0.108,
# forearm 0.146 of the height; its middle is half of that).
HAND = 0.37
_TINY = 1e-4


def standings(
    keypoints: Floats, boxes: Floats, shelf: Polygon, aspect: float
) -> tuple[Floats32, Floats32]:
    """Each person's left and right arm as numbers.

    Args:
        keypoints: float64 [N, 17, 2 or 3], fractions of the frame.
        boxes: float64 [N, 4], fractions.
        shelf: whose plane hands may pass.
        aspect: width / height of the frame.

    Returns:
        Two of float32 [N, 29]: 18 of the arm, 11 of the body.
    """
    scale = np.array([aspect, 1.0])
    joints, edges = keypoints[..., :2] * scale, boxes.reshape(-1, 2, 2) * scale
    outline = (np.array(shelf.points) * scale).astype(np.float32)
    wide, tall = (edges[:, 1] - edges[:, 0]).T
    size = np.maximum(np.maximum(wide, tall), _TINY)
    feet = np.stack([edges[:, :, 0].mean(1), edges[:, 1, 1]], axis=1)
    way = outline.mean(0) - feet
    far = np.linalg.norm(way, axis=1)
    along = way / np.maximum(far, _TINY)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    hips = joints[:, [Keypoint.LEFT_HIP, Keypoint.RIGHT_HIP]].mean(1)
    chest = joints[:, [Keypoint.LEFT_SHOULDER, Keypoint.RIGHT_SHOULDER]].mean(1)

    def within(points: Floats) -> Floats:
        found = [
            cv2.pointPolygonTest(outline, point, measureDist=True) for point in points.tolist()
        ]
        depths: Floats = np.array(found, np.float64) / size
        return depths

    def part(vectors: Floats, way: Floats) -> Floats:
        length: Floats = (vectors * way).sum(1) / size
        return length

    body = [
        within(feet), within(hips), within(chest), far / size, along[:, 0], along[:, 1],
        part(chest - hips, along), part(chest - hips, across), (hips - feet)[:, 1] / size,
        wide / size, tall / size,
    ]  # fmt: skip
    shoulders = joints[:, Keypoint.LEFT_SHOULDER] - joints[:, Keypoint.RIGHT_SHOULDER]
    arms = []
    for side, sign in ((0, 1), (1, -1)):
        shoulder = joints[:, Keypoint.LEFT_SHOULDER + side]
        elbow, wrist = joints[:, Keypoint.LEFT_ELBOW + side], joints[:, Keypoint.LEFT_WRIST + side]
        hand = wrist + HAND * (wrist - elbow)
        upper, fore, out = elbow - shoulder, wrist - elbow, hand - shoulder
        lengths = np.linalg.norm(upper, axis=1) / size, np.linalg.norm(fore, axis=1) / size
        bend = (upper * fore).sum(1) / size**2 / (lengths[0] * lengths[1] + _TINY)
        arm = [
            within(hand), within(wrist), within(elbow), *lengths, bend,
            part(out, along), part(out, across) * sign, out[:, 0] / size * sign, out[:, 1] / size,
            part(upper, along), part(upper, across) * sign, upper[:, 1] / size,
            part(hand - hips, along), part(hand - feet, along), (hand - feet)[:, 1] / size,
            part(shoulders, along) * sign, part(shoulders, across) * sign,
        ]  # fmt: skip
        arms.append(np.stack([*arm, *body], axis=1).clip(-_MOST, _MOST).astype(np.float32))
    return arms[0], arms[1]
