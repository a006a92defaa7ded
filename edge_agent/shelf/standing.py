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
Complexes = NDArray[np.complex128]

# Numbers of an arm, and of the body that it belongs to.
ARM, BODY = 18, 11
# What lies further off says no more.
_MOST = 3.0
# The hand goes on past the wrist by so much of the forearm (Drillis and Contini 1966: hand 0.108,
# forearm 0.146 of the height; its middle is half of that).
HAND = 0.37
_TINY = 1e-4
_ARM = (Keypoint.LEFT_SHOULDER, Keypoint.LEFT_ELBOW, Keypoint.LEFT_WRIST)


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
    # Points as complex numbers, x + iy: what lies along a way is a product's real part.
    joints = keypoints[..., 0] * aspect + 1j * keypoints[..., 1]
    x0, y0, x1, y1 = boxes.T
    wide, tall = (x1 - x0) * aspect, y1 - y0
    size = np.maximum(np.maximum(wide, tall), _TINY)
    outline = np.array(shelf.points, np.float64) * (aspect, 1.0)
    feet = (x0 + x1) / 2 * aspect + 1j * y1
    way = complex(*outline.mean(0)) - feet
    far = np.abs(way)
    back = np.conj(way) / np.maximum(far, _TINY)
    hips = joints[:, [Keypoint.LEFT_HIP, Keypoint.RIGHT_HIP]].mean(1)
    chest = joints[:, [Keypoint.LEFT_SHOULDER, Keypoint.RIGHT_SHOULDER]].mean(1)
    trunk = (chest - hips) * back / size
    corners = outline.astype(np.float32)

    def within(points: Complexes) -> Floats:
        found = [
            cv2.pointPolygonTest(corners, (point.real, point.imag), measureDist=True)
            for point in points.ravel().tolist()
        ]
        depths: Floats = np.array(found, np.float64).reshape(points.shape) / size
        return depths

    body = [
        *within(np.stack([feet, hips, chest])), far / size, back.real, -back.imag,
        trunk.real, trunk.imag, (hips - feet).imag / size, wide / size, tall / size,
    ]  # fmt: skip
    # Left and right in one go, [2, N]: what lies to the side has the other sign on the right.
    sign = np.array([[1.0], [-1.0]])
    shoulder, elbow, wrist = (joints[:, first : first + 2].T for first in _ARM)
    hand = wrist + HAND * (wrist - elbow)
    upper, fore, out = (elbow - shoulder) / size, (wrist - elbow) / size, (hand - shoulder) / size
    lengths = np.abs(upper), np.abs(fore)
    bend = (upper * np.conj(fore)).real / (lengths[0] * lengths[1] + _TINY)
    reach, lift = out * back, upper * back
    shoulders = (shoulder[0] - shoulder[1]) * back / size
    arm = [
        *within(np.stack([hand, wrist, elbow])), *lengths, bend,
        reach.real, reach.imag * sign, out.real * sign, out.imag,
        lift.real, lift.imag * sign, upper.imag,
        ((hand - hips) * back).real / size, ((hand - feet) * back).real / size,
        (hand - feet).imag / size, shoulders.real * sign, shoulders.imag * sign,
    ]  # fmt: skip
    whole = np.stack([*arm, *(np.broadcast_to(one, bend.shape) for one in body)], axis=2)
    left, right = whole.clip(-_MOST, _MOST).astype(np.float32)
    return left, right
