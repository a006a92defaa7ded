"""Surfaces of a shop: floors, walls, boards, lamps, posters. All drawn from a generator."""

from __future__ import annotations

import itertools
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scene.quads import Picture

Rng = np.random.Generator
Colour = tuple[int, int, int]


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """BGR 0..255 of hue, saturation and value, each 0..1."""
    pixel = np.array([[[hue % 1 * 179, saturation * 255, value * 255]]], np.uint8)
    b, g, r = cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0]
    return int(b), int(g), int(r)


def plain(colour: Colour, size: int = 4) -> Picture:
    """One colour."""
    return np.full((size, size, 3), colour, np.uint8)


def speckled(rng: Rng, colour: Colour, size: int, grain: float, blur: float = 1.0) -> Picture:
    """A colour with grain (standard deviation in grey levels) of a size (pixels)."""
    noise: NDArray[Any] = rng.standard_normal((size, size), dtype=np.float32)
    if blur > 0.3:
        noise = cv2.GaussianBlur(noise, (0, 0), blur, borderType=cv2.BORDER_REFLECT)
        noise = noise / max(1e-6, float(noise.std()))
    return _clip(np.asarray(colour, np.float32) + grain * noise[:, :, None])


def tiles(rng: Rng, size: int = 256) -> Picture:
    """Two by two floor tiles with joints."""
    base = hsv(rng.uniform(0.02, 0.18), rng.uniform(0, 0.25), rng.uniform(0.45, 0.92))
    other = base if rng.random() < 0.7 else _shade(base, rng.uniform(0.75, 0.95))
    picture = speckled(rng, base, size, rng.uniform(1, 6), rng.uniform(0.5, 4))
    half = size // 2
    for x, y in ((0, half), (half, 0)):
        picture[y : y + half, x : x + half] = speckled(rng, other, half, 3, 2)
    joint = _shade(base, rng.uniform(0.6, 0.9))
    for at in (0, half):
        picture[at : at + 3] = joint
        picture[:, at : at + 3] = joint
    return picture


def planks(rng: Rng, size: int = 256, boards: int = 6) -> Picture:
    """Wooden boards along the rows."""
    hue, saturation = rng.uniform(0.04, 0.1), rng.uniform(0.25, 0.6)
    value = rng.uniform(0.35, 0.8)
    picture = np.zeros((size, size, 3), np.uint8)
    edges = np.linspace(0, size, boards + 1).astype(int)
    for top, bottom in itertools.pairwise(edges):
        colour = hsv(hue, saturation, value * rng.uniform(0.85, 1.1))
        grain: NDArray[Any] = rng.standard_normal((bottom - top, size), dtype=np.float32)
        grain = cv2.GaussianBlur(grain, (0, 0), sigmaX=size / 10, sigmaY=0.8)
        grain = grain * (6 / max(1e-6, float(grain.std())))
        picture[top:bottom] = _clip(np.asarray(colour, np.float32) + grain[:, :, None])
        picture[top : top + 2] = _shade(colour, 0.7)
        joint = int(rng.integers(0, size))
        picture[top:bottom, joint : joint + 2] = _shade(colour, 0.7)
    return picture


def concrete(rng: Rng, size: int = 256) -> Picture:
    """A cast floor: two grains, a few stains."""
    grey = rng.uniform(90, 190)
    tint = rng.uniform(-8, 8)
    base = (int(grey - tint), int(grey), int(grey + tint))
    coarse = speckled(rng, base, size, rng.uniform(3, 10), 18).astype(np.float32)
    fine = speckled(rng, (0, 0, 0), size, 1, 0).astype(np.float32)
    return _clip(coarse + fine * rng.uniform(0, 6))


def floor(rng: Rng) -> tuple[Picture, float]:
    """A floor and the metres that one repeat of it covers."""
    kind = rng.integers(0, 4)
    if kind == 0:
        return planks(rng), float(rng.uniform(0.8, 1.4))
    if kind == 1:
        return concrete(rng), float(rng.uniform(2, 5))
    return tiles(rng), float(rng.uniform(0.6, 1.6))


def wall(rng: Rng) -> Picture:
    """A wall, one repeat: painted, panelled or of bricks; a skirting is drawn apart."""
    colour = hsv(rng.random(), rng.uniform(0, 0.35), rng.uniform(0.5, 0.95))
    picture = speckled(rng, colour, 128, rng.uniform(1, 4), 3)
    kind = rng.integers(0, 4)
    if kind == 0:
        for at in range(0, 128, 32):
            picture[:, at : at + 2] = _shade(colour, 0.8)
    elif kind == 1:
        for row in range(8):
            picture[row * 16] = _shade(colour, 0.75)
            for x in range((row % 2) * 16, 128, 32):
                picture[row * 16 : row * 16 + 16, x] = _shade(colour, 0.75)
    return picture


def poster(rng: Rng, width: int = 96, height: int = 64) -> Picture:
    """A poster or sign: blocks, stripes, words nobody can read."""
    hue = rng.random()
    picture = np.full((height, width, 3), hsv(hue, rng.uniform(0.2, 0.9), 0.9), np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        a = rng.integers(0, (width, height))
        b = rng.integers(0, (width, height))
        colour = hsv(rng.random(), rng.uniform(0, 0.9), rng.uniform(0.3, 1))
        if rng.random() < 0.5:
            cv2.rectangle(picture, a.tolist(), b.tolist(), colour, -1)
        else:
            cv2.circle(picture, a.tolist(), int(rng.integers(5, height // 2)), colour, -1)
    words(rng, picture, hsv(hue + 0.5, 0.2, rng.choice([0.1, 1.0])), int(rng.integers(1, 3)))
    return picture


def words(rng: Rng, picture: Picture, colour: Colour, lines: int) -> None:
    """Write lines of letters into the picture."""
    height, width = picture.shape[:2]
    for line in range(lines):
        letters = rng.integers(ord("A"), ord("Z") + 1, int(rng.integers(3, 8)))
        text = "".join(chr(letter) for letter in letters)
        # A letter of this font is 20 pixels wide and 22 high.
        fit = min(width / (20 * len(text)), 0.8 * height / lines / 22)
        scale = float(rng.uniform(0.6, 0.95)) * fit
        foot = height * (line + 0.8) / lines
        place = int(width * rng.uniform(0.03, 0.15)), int(foot)
        cv2.putText(
            picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, max(1, round(2 * scale))
        )


def price_strip(rng: Rng, width: int = 256) -> Picture:
    """The front edge of a board with price labels on it."""
    base = hsv(rng.random(), rng.uniform(0, 0.8), rng.uniform(0.4, 0.95))
    picture = np.full((10, width, 3), base, np.uint8)
    x = int(rng.integers(2, 16))
    label = (245, 245, 245) if rng.random() < 0.7 else (90, 235, 250)
    while x < width - 12:
        long = int(rng.integers(7, 13))
        picture[1:9, x : x + long] = label
        picture[4:7, x + 2 : x + long - 2] = (60, 60, 60)
        x += long + int(rng.integers(3, 24))
    return picture


def mesh(colour: Colour, cells: int = 6, line: int = 3, cell: int = 16) -> Picture:
    """Wire mesh: uint8 [h, w, 4], seen through between the wires."""
    picture = np.zeros((cell * cells, cell * cells, 4), np.uint8)
    for at in range(0, cell * cells, cell):
        picture[at : at + line] = (*colour, 255)
        picture[:, at : at + line] = (*colour, 255)
    return picture


def _shade(colour: Colour, by: float) -> Colour:
    b, g, r = (min(255, int(c * by)) for c in colour)
    return b, g, r


def _clip(values: NDArray[Any]) -> Picture:
    clipped: Picture = np.clip(values, 0, 255).astype(np.uint8)
    return clipped
