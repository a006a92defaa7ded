"""What is drawn on: colours, depths and whose pixel each one is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOBODY = 0


@dataclass(slots=True, eq=False)
class Canvas:
    """One picture while it is drawn; nearer things replace farther ones.

    Args:
        colour: uint8 [height, width, 3], BGR.
        depth: float32 [height, width], metres along the camera's axis.
        owner: uint8 [height, width], 1.. = the person drawn there, 0 = nobody. What a person
            holds or pushes is nobody.
    """

    colour: NDArray[np.uint8]
    depth: NDArray[np.float32]
    owner: NDArray[np.uint8]
