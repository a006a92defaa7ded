"""The shop's light: where it comes from, how much fills the shadows, how warm it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Kelvin to the blue, green and red that a camera balanced for 5000 K sees: a straight line
# through the ends of Tanner Helland's table (tannerhelland.com, 2012), enough for shop lamps.
_NEUTRAL_K = 5000.0
_BLUE_PER_K, _RED_PER_K = 0.10 / 1000, -0.055 / 1000


@dataclass(frozen=True, slots=True)
class Light:
    """Lamps as one far light and a sky that fills the shadows.

    Args:
        direction: where the light comes from, in the shop, unit length, z > 0.
        strength: of the far light on a surface that faces it, 0..1.5.
        ambient: what surfaces that face upwards get from everywhere, 0..1.5.
        kelvin: colour temperature, 2700 (warm) .. 7500 (cold).
    """

    direction: tuple[float, float, float] = (0.25, -0.45, 0.86)
    strength: float = 0.55
    ambient: float = 0.6
    kelvin: float = _NEUTRAL_K

    @classmethod
    def random(cls, rng: np.random.Generator) -> Light:
        """Some shop's lamps: mostly from above, from any side."""
        side = rng.uniform(0, 2 * np.pi)
        low = rng.uniform(0.3, 1.0)
        towards = np.array([low * np.cos(side), low * np.sin(side), 1.0])
        towards /= np.linalg.norm(towards)
        return cls(
            direction=(float(towards[0]), float(towards[1]), float(towards[2])),
            strength=float(rng.uniform(0.35, 0.75)),
            ambient=float(rng.uniform(0.5, 0.8)),
            kelvin=float(rng.uniform(3200, 6800)),
        )

    @property
    def tint(self) -> Floats:
        """Float64 [3], gains of blue, green and red, about 1."""
        off = self.kelvin - _NEUTRAL_K
        return np.array([1 + _BLUE_PER_K * off, 1.0, 1 + _RED_PER_K * off])
