"""What lies on the shelves: a kind, a size and a picture of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

from models.scene.quads import Picture
from models.scene.textures import Colour, Rng, hsv, plain, words

# Width, depth and height in metres, from .. to, of what a supermarket sells.
_SIZES = {
    "box": ((0.06, 0.04, 0.10), (0.22, 0.14, 0.32)),
    "bottle": ((0.06, 0.06, 0.16), (0.11, 0.11, 0.33)),
    "can": ((0.06, 0.06, 0.08), (0.10, 0.10, 0.16)),
    "bag": ((0.12, 0.05, 0.14), (0.26, 0.10, 0.32)),
    "fruit": ((0.06, 0.06, 0.06), (0.12, 0.12, 0.12)),
}


class Kind(Enum):
    """A product's shape."""

    BOX = "box"
    BOTTLE = "bottle"
    CAN = "can"
    BAG = "bag"
    FRUIT = "fruit"


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """One article.

    Args:
        kind: its shape.
        size: width, depth, height in metres.
        front: uint8 [h, w, 3 or 4]: its face; alpha where it is not rectangular.
        side: uint8 [h, w, 3]: its other faces.
        colour: BGR, what a hand holding it shows.
    """

    kind: Kind
    size: tuple[float, float, float]
    front: Picture
    side: Picture
    colour: Colour


def random_product(rng: Rng, most_height: float, kinds: tuple[Kind, ...]) -> Product:
    """An article that fits under a board.

    Args:
        rng: what it is drawn from.
        most_height: metres.
        kinds: of which one is chosen.
    """
    kind = kinds[int(rng.integers(len(kinds)))]
    least, most = _SIZES[kind.value]
    width, depth, height = (float(rng.uniform(a, b)) for a, b in zip(least, most, strict=True))
    if kind in (Kind.BOTTLE, Kind.CAN, Kind.FRUIT):
        depth = width
    if kind is Kind.FRUIT:
        height = width
    height = min(height, most_height)
    colour = hsv(rng.random(), rng.uniform(0.1, 0.95), rng.uniform(0.25, 1.0))
    pixels = max(8, round(width * 260)), max(8, round(height * 260))
    front = _FRONTS[kind](rng, *pixels, colour)
    return Product(kind, (width, depth, height), front, plain(colour), colour)


def _box(rng: Rng, width: int, height: int, colour: Colour) -> Picture:
    picture = np.full((height, width, 3), colour, np.uint8)
    _label(rng, picture)
    return picture


def _bag(rng: Rng, width: int, height: int, colour: Colour) -> Picture:
    picture = _box(rng, width, height, colour)
    shine = np.sin(np.linspace(0, float(rng.uniform(4, 9)), width))[None, :, None] * 18
    lit = np.clip(picture + shine, 0, 255).astype(np.uint8)
    alpha = np.zeros((height, width), np.uint8)
    inset = max(1, width // 12)
    corners = [(inset, 0), (width - inset, 0), (width - 1, height // 3), (width - inset, height)]
    corners += [(inset, height), (0, height // 3)]
    cv2.fillPoly(alpha, [np.array(corners)], (255,))
    return np.dstack([lit, alpha])


def _bottle(rng: Rng, width: int, height: int, colour: Colour) -> Picture:
    picture = np.full((height, width, 3), colour, np.uint8)
    top, bottom = int(height * rng.uniform(0.42, 0.55)), int(height * rng.uniform(0.8, 0.95))
    picture[top:bottom] = hsv(rng.random(), rng.uniform(0, 0.8), rng.uniform(0.6, 1))
    _label(rng, picture[top:bottom])
    cap = max(2, height // 12)
    picture[:cap] = hsv(rng.random(), rng.uniform(0, 0.9), rng.uniform(0.3, 1))
    shoulder = int(height * rng.uniform(0.22, 0.4))
    neck = max(2, int(width * rng.uniform(0.14, 0.22)))
    alpha = np.zeros((height, width), np.uint8)
    outline = [(width // 2 - neck, 0), (width // 2 + neck, 0), (width // 2 + neck, shoulder // 2)]
    outline += [(width - 1, shoulder), (width - 1, height), (0, height), (0, shoulder)]
    outline += [(width // 2 - neck, shoulder // 2)]
    cv2.fillPoly(alpha, [np.array(outline)], (255,))
    return np.dstack([_rounded(picture), alpha])


def _can(rng: Rng, width: int, height: int, colour: Colour) -> Picture:
    picture = _box(rng, width, height, colour)
    rim = max(1, height // 16)
    picture[:rim] = picture[-rim:] = (190, 190, 195)
    return np.dstack([_rounded(picture), np.full((height, width), 255, np.uint8)])


def _fruit(rng: Rng, width: int, height: int, _: Colour) -> Picture:
    hue = float(rng.choice([0.0, 0.03, 0.08, 0.14, 0.25, 0.33]))
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = np.clip(0.55 + 0.5 * np.sqrt(np.clip(1 - (x + 0.3) ** 2 - (y + 0.4) ** 2, 0, 1)), 0, 1)
    colour = np.asarray(hsv(hue, rng.uniform(0.6, 0.95), rng.uniform(0.6, 0.95)))
    shaded = (colour * light[:, :, None]).astype(np.uint8)
    return np.dstack([shaded, ((x * x + y * y <= 1) * 255).astype(np.uint8)])


_FRONTS = {
    Kind.BOX: _box,
    Kind.BAG: _bag,
    Kind.BOTTLE: _bottle,
    Kind.CAN: _can,
    Kind.FRUIT: _fruit,
}


def _label(rng: Rng, picture: Picture) -> None:
    """Bands, a blot and letters, as packages have."""
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(1, 4))):
        colour = hsv(rng.random(), rng.uniform(0, 1), rng.uniform(0.2, 1))
        kind = rng.integers(0, 3)
        at, long = int(rng.integers(0, height)), int(height * rng.uniform(0.08, 0.35)) + 1
        if kind == 0:
            picture[at : at + long] = colour
        elif kind == 1:
            centre = int(rng.integers(0, width)), at
            axes = int(width * rng.uniform(0.15, 0.45)) + 1, long
            cv2.ellipse(picture, centre, axes, 0, 0, 360, colour, -1)
        else:
            left = int(rng.integers(0, width))
            picture[:, left : left + max(1, width // 5)] = colour
    words(rng, picture, hsv(rng.random(), rng.uniform(0, 0.5), rng.choice([0.05, 1.0])), 1)


def _rounded(picture: Picture) -> Picture:
    """Darker towards the edges, as a cylinder is."""
    x = np.linspace(-1, 1, picture.shape[1])
    light = 0.55 + 0.5 * np.sqrt(1 - 0.95 * (x + 0.15).clip(-1, 1) ** 2)
    lit: Picture = np.clip(picture * light[None, :, None], 0, 255).astype(np.uint8)
    return lit
