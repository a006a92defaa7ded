"""How the atlas is cut into tiles, and what all of them are painted with."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scene.look import Colour

Floats32 = NDArray[np.float32]
Picture = NDArray[np.uint8]

# x, y, width, height.
TILES: dict[str, tuple[int, int, int, int]] = {
    "trunk": (0, 0, 192, 144),
    "head": (192, 0, 192, 160),
    "hem": (0, 144, 192, 112),
    "skirt": (192, 160, 192, 96),
    "hair": (0, 256, 128, 96),
    "arm": (128, 256, 64, 128),
    "leg": (192, 256, 64, 128),
    "hand": (256, 256, 48, 48),
    "shoe": (304, 256, 64, 64),
    "bag": (256, 320, 96, 64),
    "neck": (0, 352, 64, 32),
    "hood": (64, 352, 64, 32),
    "ear": (352, 320, 32, 32),
    "black": (352, 352, 32, 32),
    "hat": (0, 384, 96, 48),
}
SIZE = (384, 432)


def noise(rng: np.random.Generator, size: tuple[int, int], cells: tuple[int, int]) -> Floats32:
    """Smooth noise of deviation about 1, [height, width], `cells` bumps across and down."""
    coarse = rng.normal(0, 1.4, (cells[1] + 2, cells[0] + 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.float32)


def tile_size(name: str) -> tuple[int, int]:
    """Width and height in pixels."""
    return TILES[name][2], TILES[name][3]


def flat(colour: Colour, name: str) -> Floats32:
    """A tile of one colour, float32 [height, width, 3]."""
    width, height = tile_size(name)
    return np.broadcast_to(np.array(colour, np.float32), (height, width, 3)).copy()


def skin(colour: Colour, name: str, rng: np.random.Generator) -> Floats32:
    """A tile of skin, a little uneven."""
    tone = 1 + 0.02 * noise(rng, tile_size(name), (5, 5))
    return flat(colour, name) * tone[..., None]


def tile_rows(name: str, low: float, high: float) -> slice:
    """Tile rows for a share of its height, margins taken off."""
    height = TILES[name][3]
    inner = height - 9
    return slice(max(0, round(4 + low * inner)), min(height, round(4 + high * inner)))
