"""Moments drawn by hand: a bright palm on dark ground, and shops of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.scene.reaching import Moment, Shelves
from models.train import closeups

SIZE = (640, 360)
# Two people; the first has the left hand past the first shelf's plane.
BOXES = ((0.30, 0.20, 0.45, 0.95), (0.60, 0.15, 0.75, 0.90))
SHELVES = Shelves(
    (
        np.array([(0.05, 0.1), (0.95, 0.1), (0.95, 0.5), (0.05, 0.5)]),
        np.array([(0.0, 0.9), (0.1, 0.9), (0.1, 1.0), (0.0, 1.0)]),
    ),
    (
        np.array([(0.0, 0.6), (1.0, 0.6), (1.0, 1.0), (0.0, 1.0)]),
        np.array([(0.0, 0.8), (0.2, 0.8), (0.2, 0.9), (0.0, 0.9)]),
    ),
)


def moment(seed: int = 0, people: int = 2, visible: float = 1.0) -> Moment:
    """People before the first shelf; the first one's left palm is the only bright thing."""
    rng = np.random.default_rng(seed)
    palms = np.array([[[0.32, 0.4], [0.43, 0.6]], [[0.62, 0.7], [0.73, 0.7]]]) + rng.uniform(
        -0.03, 0.03, (2, 2, 2)
    )
    image = np.full((SIZE[1], SIZE[0], 3), 20, np.uint8)
    if people:
        cv2.circle(image, (palms[0, 0] * SIZE).round().astype(int).tolist(), 11, (240,) * 3, -1)
    past, depth = np.zeros((2, 2, 2), np.bool_), np.full((2, 2, 2), -0.3, np.float32)
    past[0, 0, 0], depth[0, 0] = True, (0.2, -0.1)
    return Moment(
        image,
        np.array(BOXES, np.float32)[:people],
        np.full(people, visible, np.float32),
        np.zeros((people, 17, 3), np.float32),
        palms.astype(np.float32)[:people],
        past[:people],
        depth[:people],
    )


def write(folder: Path, seed: int, some: list[Moment]) -> Path:
    """A shop of these moments, as if it had been rendered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closeups, "moments", lambda _: (SHELVES, iter(some)))
        return closeups.write_shop(seed, folder)
