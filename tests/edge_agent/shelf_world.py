"""A drawn shelf: textured boards, products, and an arm that comes in from above."""

from __future__ import annotations

import cv2
import numpy as np

from edge_agent.config import Facing, Zone
from edge_agent.geometry import Polygon
from edge_agent.observations import Frame, Tracks

SIZE = (320, 180)
SHELF = Polygon(((0.1, 0.2), (0.9, 0.2), (0.9, 0.9), (0.1, 0.9)))
# Middles of the facings, fractions of the width; each 0.08 wide.
FACINGS = {"A": 0.25, "B": 0.5, "C": 0.75}
_SKIN, _SLEEVE = (120, 150, 210), (60, 40, 150)


def facing(name: str) -> Facing:
    x = FACINGS[name]
    corners = ((x - 0.05, 0.4), (x + 0.05, 0.4), (x + 0.05, 0.85), (x - 0.05, 0.85))
    return Facing(name, Polygon(corners))


def zone(*names: str) -> Zone:
    return Zone("shelf", shelf=SHELF, facings=tuple(facing(name) for name in names or FACINGS))


def board(without: str = "", light: float = 1.0, shift: tuple[int, int] = (0, 0)) -> np.ndarray:
    """The shelf with its products, as uint8 [180, 320, 3]."""
    grain = np.random.default_rng(5).normal(0, 6, (SIZE[1], SIZE[0], 1))
    picture = np.full((SIZE[1], SIZE[0], 3), (150, 165, 175), np.float64) + grain
    picture[120:] *= 0.85
    for name, x in FACINGS.items():
        if name not in without:
            column = round(x * SIZE[0])
            cv2.rectangle(picture, (column - 11, 76), (column + 11, 150), (90, 60, 40), -1)
            cv2.rectangle(picture, (column - 8, 95), (column + 8, 125), (230, 230, 240), -1)
            cv2.line(picture, (column - 8, 110), (column + 8, 104), (30, 30, 200), 3)
    moved = np.roll(picture * light, shift, axis=(1, 0))
    return moved.clip(0, 255).astype(np.uint8)


def with_arm(picture: np.ndarray, x: float, depth: float) -> np.ndarray:
    """The same with an arm from above whose hand ends at x, depth (fractions of the frame)."""
    made = picture.copy()
    column, end = round(x * SIZE[0]), round(depth * SIZE[1])
    cv2.rectangle(made, (column - 9, 0), (column + 9, max(end - 20, 0)), _SLEEVE, -1)
    cv2.ellipse(made, (column, end - 12), (12, 14), 0, 0, 360, _SKIN, -1)
    cv2.line(made, (column - 6, max(end - 20, 0)), (column - 6, end), (80, 110, 170), 2)
    return made


def frame(picture: np.ndarray, t: float) -> Frame:
    return Frame(picture, t, *SIZE)


def people(t: float, *boxes: tuple[float, float, float, float], first: int = 1) -> Tracks:
    count = len(boxes)
    return Tracks(
        t,
        np.arange(first, first + count, dtype=np.int64),
        np.array(boxes, np.float64).reshape(-1, 4),
        np.ones(count),
        np.ones(count, np.bool_),
    )
