"""Two-bone inverse kinematics: where the elbow or the knee goes."""

from __future__ import annotations

import numpy as np

from models.scene.camera import Floats


def unit(vector: Floats) -> Floats:
    """The vector at length 1; a zero vector stays."""
    length = float(np.sqrt(vector @ vector))
    return vector / length if length > 1e-9 else vector


def two_bones(
    root: Floats, target: Floats, upper: float, lower: float, bend: Floats
) -> tuple[Floats, Floats]:
    """The middle and the end of a chain of two bones.

    Args:
        root: float64 [3], where the upper bone is held.
        target: float64 [3], where the end should be; nearer if the chain is too short.
        upper: metres.
        lower: metres.
        bend: float64 [3], the side to which the middle gives way.

    Returns:
        Middle and end, float64 [3] each. The law of cosines gives the angle at the root.
    """
    way = target - root
    # Never quite straight: a locked limb is seen to snap.
    reach = min(max(float(np.sqrt(way @ way)), abs(upper - lower) + 1e-3), 0.995 * (upper + lower))
    axis = unit(way)
    along = (upper**2 - lower**2 + reach**2) / (2 * reach)
    aside = np.sqrt(max(0.0, upper**2 - along**2))
    side = unit(bend - (bend @ axis) * axis)
    return root + along * axis + aside * side, root + reach * axis
