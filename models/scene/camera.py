"""The camera on its shelf: where a point of the shop lies in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole camera. The shop is in metres: x to the right, y into the depth, z up, floor z = 0.

    Args:
        width: pixels.
        height: pixels.
        focal: pixels.
        position: float64 [3], metres.
        rotation: float64 [3, 3], rows are the camera's right, down and forward in the shop.
    """

    width: int
    height: int
    focal: float
    position: Floats
    rotation: Floats

    @classmethod
    def at(
        cls,
        width: int,
        height: int,
        fov_deg: float,
        position: Floats,
        target: Floats,
        roll_deg: float = 0.0,
    ) -> Camera:
        """A camera at position that looks at target; fov is across the picture's width."""
        forward = (target - position) / np.linalg.norm(target - position)
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        down = np.cross(forward, right)
        roll = np.radians(roll_deg)
        turned = np.cos(roll) * right + np.sin(roll) * down
        rotation = np.stack([turned, np.cross(forward, turned), forward])
        focal = width / 2 / np.tan(np.radians(fov_deg) / 2)
        return cls(width, height, float(focal), position, rotation)

    def project(self, points: Floats) -> Floats:
        """Points [..., 3] of the shop to [..., 3]: x and y in pixels, depth in metres.

        A point behind the camera has a depth <= 0 and no meaningful place.
        """
        seen = (points - self.position) @ self.rotation.T
        depth = seen[..., 2]
        safe = np.where(np.abs(depth) < 1e-6, 1e-6, depth)
        x = self.width / 2 + self.focal * seen[..., 0] / safe
        y = self.height / 2 + self.focal * seen[..., 1] / safe
        return np.stack([x, y, depth], axis=-1)
