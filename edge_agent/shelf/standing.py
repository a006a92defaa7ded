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
    outline = np.array(shelf.points, np.float64) * (aspect, 1.0)
    target, corners = complex(*outline.mean(0)), outline.astype(np.float32)
    # One person after the other, in plain numbers: for the few that there are arrays take longer.
    places = (keypoints[..., 0] * aspect + 1j * keypoints[..., 1]).tolist()
    rows = [
        _standing(joints, box, target, corners, aspect)
        for joints, box in zip(places, boxes.tolist(), strict=True)
    ]
    both = np.array(rows, np.float64).reshape(-1, 2, ARM + BODY).clip(-_MOST, _MOST)
    whole = both.astype(np.float32)
    return whole[:, 0], whole[:, 1]


def _standing(
    joints: list[complex], box: list[float], target: complex, corners: Floats32, aspect: float
) -> list[list[float]]:
    """One person's left and right arm.

    Points are complex numbers, x + iy: what lies along a way is a product's real part.
    """
    x0, y0, x1, y1 = box
    wide, tall = (x1 - x0) * aspect, y1 - y0
    size = max(wide, tall, _TINY)

    def within(point: complex) -> float:
        return cv2.pointPolygonTest(corners, (point.real, point.imag), measureDist=True) / size

    feet = complex((x0 + x1) / 2 * aspect, y1)
    hips = (joints[Keypoint.LEFT_HIP] + joints[Keypoint.RIGHT_HIP]) / 2
    left, right = joints[Keypoint.LEFT_SHOULDER], joints[Keypoint.RIGHT_SHOULDER]
    chest = (left + right) / 2
    far = abs(target - feet)
    back = (target - feet).conjugate() / max(far, _TINY)
    trunk, shoulders = (chest - hips) * back / size, (left - right) * back / size
    body = [
        within(feet), within(hips), within(chest), far / size, back.real, -back.imag,
        trunk.real, trunk.imag, (hips - feet).imag / size, wide / size, tall / size,
    ]  # fmt: skip
    arms = []
    # What lies to the side has the other sign on the right.
    for side, sign in ((0, 1.0), (1, -1.0)):
        shoulder, elbow, wrist = (joints[first + side] for first in _ARM)
        hand = wrist + HAND * (wrist - elbow)
        upper, fore, out = (
            (elbow - shoulder) / size,
            (wrist - elbow) / size,
            (hand - shoulder) / size,
        )
        lengths = abs(upper), abs(fore)
        bend = (upper * fore.conjugate()).real / (lengths[0] * lengths[1] + _TINY)
        reach, lift = out * back, upper * back
        arm = [
            within(hand), within(wrist), within(elbow), *lengths, bend,
            reach.real, reach.imag * sign, out.real * sign, out.imag,
            lift.real, lift.imag * sign, upper.imag,
            ((hand - hips) * back).real / size, ((hand - feet) * back).real / size,
            (hand - feet).imag / size, shoulders.real * sign, shoulders.imag * sign,
        ]  # fmt: skip
        arms.append(arm + body)
    return arms
