"""The piece of a picture in which one facing lies, and how far two pictures of it are apart."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge_agent.geometry import Polygon
from edge_agent.shelf.ground import Floats32
from edge_agent.shelf.patch import Flags, Pixels

# Longer side of what is kept of a facing, pixels.
_SIDE = 32
# Width of the ring around it, as a share of its shorter side, and in pixels of what is kept.
_RING, _RING_PX = 0.3, (2, 6)
# A pixel of shake is forgiven where the shorter side has so many at least.
_SHAKEN_PX = 12
# The product's own edge, blurred, which belongs to neither, pixels.
_EDGE_PX = 2
# Levels by which a pixel must differ, and its gradient (Sobel) where it is of the ring: an arm as
# grey as the shelf has an edge.
_DIFFERENT, _EDGES_DIFFERENT = 22.0, 40.0
_PEDESTAL = 8.0
# Mean levels by which it may differ from frame to frame and still count as at rest.
_MOVED = 4.0
# Light that changes by more than this is something before it.
_LIGHT = (0.7, 1.4)
# Gradients of a bare board: noise and grain, levels.
_NOISE = 12.0
_NEAR = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Apart:
    """How far two pictures of a facing are apart, the light divided out.

    Args:
        levels: share of the facing's pixels that differ, 0..1.
        structure: what is missing to full agreement of the gradients, 0 = the same outlines,
            1 = nothing in common.
        ring: share of the pixels beside it that differ, 0..1, on the side where most do. What
            changes the facing and not its ring is a product; a hand or a body crosses the ring.
    """

    levels: float
    structure: float
    ring: float


class Plot:
    """Where a facing lies in frames of one size: what it looks like, and looked like when kept.

    Args:
        polygon: the facing.
        size: of the frames, width and height in pixels.
    """

    def __init__(self, polygon: Polygon, size: tuple[int, int]) -> None:
        points = np.array(polygon.points) * size
        wide, tall = np.ptp(points, axis=0).tolist()
        scale = min(1.0, _SIDE / max(wide, tall, 1.0))
        short = min(wide, tall) * scale
        ring = int(np.clip(round(_RING * short), *_RING_PX))
        room = (ring + _EDGE_PX + 1) / scale
        low = np.maximum(np.floor(points.min(0) - room).astype(int), 0)
        high = np.minimum(np.ceil(points.max(0) + room).astype(int), np.array(size))
        self._rows, self._columns = slice(low[1], high[1]), slice(low[0], high[0])
        self._wanted = [max(2, round(float(side) * scale)) for side in high - low]
        inside = np.zeros((self._wanted[1], self._wanted[0]), np.uint8)
        cv2.fillPoly(inside, [((points - low) * scale).round().astype(np.int32)], (1,))
        near = cv2.dilate(inside, _NEAR, iterations=_EDGE_PX)
        around = cv2.dilate(near, _NEAR, iterations=ring)
        self._inside: Flags = inside > 0
        self._ring: Flags = (around > 0) & (near == 0)
        self._sides = [self._ring & side for side in _sides(self._ring.shape)]
        self._forgiving = short >= _SHAKEN_PX
        self._now: Floats32 | None = None
        self._kept: Floats32 | None = None

    def see(self, picture: Pixels) -> bool:
        """Take one frame's picture, BGR; returns whether nothing there has moved since the last."""
        whole = picture[self._rows, self._columns]
        part = cv2.resize(whole, self._wanted, interpolation=cv2.INTER_AREA)
        before, self._now = self._now, np.asarray(cv2.blur(part, (3, 3)), np.float32)
        return before is not None and bool(np.abs(self._now - before).mean() <= _MOVED)

    def keep(self) -> None:
        """What is seen now is what the facing looks like."""
        assert self._now is not None, "see comes first"
        self._kept = self._now.copy()

    def apart(self) -> Apart:
        """How far what is seen now is from what was kept."""
        assert self._kept is not None, "keep comes first"
        assert self._now is not None, "see comes first"
        new = self._now
        ratio = np.median((new + _PEDESTAL) / (self._kept + _PEDESTAL), axis=(0, 1)).clip(*_LIGHT)
        expected = self._kept * ratio.astype(np.float32)
        high, low = expected, expected
        if self._forgiving:
            high, low = cv2.dilate(expected, _NEAR), cv2.erode(expected, _NEAR)
        differs = np.maximum(new - high, low - new).max(axis=2) > _DIFFERENT
        edges = _gradients(expected), _gradients(new)
        crossed = differs | (np.abs(edges[0] - edges[1]).max(axis=0) > _EDGES_DIFFERENT)
        ring = max((float(crossed[side].mean()) for side in self._sides if side.any()), default=0.0)
        a, b = (one[:, self._inside] for one in edges)
        noise = a[0].size * _NOISE**2
        common = float((a * b).sum()) + noise
        structure = 1 - common / (max(float((a * a).sum()), float((b * b).sum())) + noise)
        return Apart(float(differs[self._inside].mean()), structure, ring)

    def contrast(self) -> float:
        """Mean gradient now, relative to brightness: things have outlines, a bare board has few."""
        assert self._now is not None, "see comes first"
        across, down = _gradients(self._now)
        light = self._now[self._inside].mean()
        return float(np.hypot(across, down)[self._inside].mean() / (light + _PEDESTAL))

    def follow(self, share: float, all_of_it: bool) -> None:
        """Move what was kept towards what is seen now, by a share; else only around the facing."""
        assert self._kept is not None, "keep comes first"
        assert self._now is not None, "see comes first"
        mask = np.ones_like(self._ring) if all_of_it else self._ring
        cv2.accumulateWeighted(self._now, self._kept, share, mask.astype(np.uint8))


def _sides(shape: tuple[int, ...]) -> list[Flags]:
    """What lies above, below, left and right of the middle, bool [h, w] each."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    down = (rows + 0.5) / shape[0] - 0.5
    right = (columns + 0.5) / shape[1] - 0.5
    upright = np.abs(down) >= np.abs(right)
    return [upright & (down < 0), upright & (down >= 0), ~upright & (right < 0),
            ~upright & (right >= 0)]  # fmt: skip


def _gradients(picture: Floats32) -> Floats32:
    grey = picture.mean(axis=2)
    return np.stack([cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)])
