"""How a person stands at one moment: joints in the shop, no looks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Joint(IntEnum):
    """Rows of `Stance.joints`. LEFT is the person's own left."""

    PELVIS = 0
    CHEST = 1
    NECK = 2
    HEAD = 3  # the middle of the skull
    LEFT_SHOULDER = 4
    RIGHT_SHOULDER = 5
    LEFT_ELBOW = 6
    RIGHT_ELBOW = 7
    LEFT_WRIST = 8
    RIGHT_WRIST = 9
    LEFT_HAND = 10  # the middle of the palm
    RIGHT_HAND = 11
    LEFT_HIP = 12
    RIGHT_HIP = 13
    LEFT_KNEE = 14
    RIGHT_KNEE = 15
    LEFT_ANKLE = 16
    RIGHT_ANKLE = 17
    LEFT_TOE = 18
    RIGHT_TOE = 19


@dataclass(frozen=True, slots=True, eq=False)
class Stance:
    """One person's joints.

    Args:
        joints: float64 [20, 3], metres in the shop, rows as in `Joint`.
        forward: float64 [3], unit: where the chest faces.
        gaze: float64 [3], unit: where the nose points.
    """

    joints: Floats
    forward: Floats
    gaze: Floats


@dataclass(frozen=True, slots=True)
class Build:
    """A body's proportions, shared by who moves it and who draws it.

    Args:
        height: metres, barefoot, 0.9 (a small child) .. 2.0.
        girth: 0.75 (thin) .. 1.5 (stout); widens trunk and limbs.
        child: head and limbs in a child's proportions.
        female: narrower shoulders, wider hips.
    """

    height: float
    girth: float = 1.0
    child: bool = False
    female: bool = False
