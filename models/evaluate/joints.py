"""How near found joints are to the true ones: PCK and OKS.

PCK@0.2: the share of joints found within 0.2 of the torso's length (Yang and Ramanan, "Articulated
human detection with flexible mixtures of parts", 2013). The torso's length here: from the true left
shoulder to the true right hip in pixels of the picture; where either is not labelled (outside the
picture), from the right shoulder to the left hip; where that cannot be had either, the person is
left out of PCK and counted as such. A joint that is hidden but labelled still measures the torso.
Only visible joints are scored.

OKS: exp(-d^2 / (2 s^2 k^2)), mean over a person's visible joints, with COCO's constants k per
joint (twice the deviation of human labels). COCO's s^2 is the person's area in pixels; without
outlines it is taken as 0.53 of the box's, as is usual for data sets that have boxes only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.observations import Keypoint

Floats = NDArray[np.float64]

NAMES = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder",
    "left elbow", "right elbow", "left wrist", "right wrist", "left hip", "right hip",
    "left knee", "right knee", "left ankle", "right ankle",
)  # fmt: skip
VISIBLE = 2
_DIAGONALS = (
    (Keypoint.LEFT_SHOULDER, Keypoint.RIGHT_HIP),
    (Keypoint.RIGHT_SHOULDER, Keypoint.LEFT_HIP),
)
# COCO keypoint evaluation: deviations of labels, per joint, in units of sqrt(area).
_SIGMAS = np.array(
    [0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062,
     0.107, 0.107, 0.087, 0.087, 0.089, 0.089]
)  # fmt: skip
_AREA = 0.53


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """One person's joints beside the truth.

    Args:
        distances: float64 [17], of visible joints in torso lengths; nan for all others. Infinite
            where nothing was found.
        oks: 0..1; nan where no joint is visible.
        torso: False where the torso's length cannot be had; distances are then all nan.
    """

    distances: Floats
    oks: float
    torso: bool


def compare(found: Floats | None, true: Floats, box: Floats, size: tuple[int, int]) -> Likeness:
    """Compare one person's joints.

    Args:
        found: float64 [17, 3] or more columns, x y fractions; None = the person was not found.
        true: float64 [17, 3], x y fractions and 0 = not labelled, 1 = hidden, 2 = visible.
        box: float64 [4], the true box, fractions.
        size: the picture's width and height, pixels.
    """
    scored = true[:, 2] == VISIBLE
    scale = np.array(size, np.float64)
    if found is None:
        apart = np.full(len(true), np.inf)
    else:
        apart = np.hypot(*((found[:, :2] - true[:, :2]) * scale).T)
        apart[~np.isfinite(apart)] = np.inf
    apart = np.where(scored, apart, np.nan)
    length = torso_length(true, size)
    distances = np.full(len(true), np.nan) if length is None else apart / length
    area = float(np.prod((box[2:] - box[:2]) * scale)) * _AREA
    return Likeness(distances, _oks(apart[scored], _SIGMAS[scored], area), length is not None)


def torso_length(true: Floats, size: tuple[int, int]) -> float | None:
    """Shoulder to opposite hip, pixels; None where neither diagonal is labelled or has a length."""
    for shoulder, hip in _DIAGONALS:
        if true[shoulder, 2] > 0 and true[hip, 2] > 0:
            across = (true[shoulder, :2] - true[hip, :2]) * np.array(size)
            length = float(np.hypot(*across))
            if length > 0:
                return length
    return None


def pck(distances: Floats, within: float) -> float | None:
    """Share of joints within so many torso lengths; nan ones do not count; None = no joint."""
    scored = distances[~np.isnan(distances)]
    return float((scored <= within).mean()) if scored.size else None


def _oks(apart: Floats, sigmas: Floats, area: float) -> float:
    if not apart.size or area <= 0:
        return float("nan")
    return float(np.exp(-(apart**2) / (2 * area * (2 * sigmas) ** 2)).mean())
