"""The part of the picture around a shelf, and the way between its pixels and the frame's."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import Point, Polygon

Pixels = NDArray[np.uint8]
Flags = NDArray[np.bool_]

# Longer side, pixels: a hand is four of them at least.
_SIDE = 160
# Room around the polygon, as a share of its longer side: where things come in from.
_ROOM = 0.06
_RIM = 2
_EVERY = 2


class Patch:
    """A shelf's polygon in frames of one size.

    Args:
        shelf: the polygon.
        size: width and height of the frames, pixels.

    Attributes:
        inside: bool [h, w], the polygon.
        rim: bool [h, w], its outermost pixels: what comes in from outside covers some of them.
        area: pixels of the polygon.
    """

    def __init__(self, shelf: Polygon, size: tuple[int, int]) -> None:
        self._size = size
        points = np.array(shelf.points) * size
        low, high = points.min(0), points.max(0)
        room = _ROOM * float((high - low).max())
        x0, y0 = np.maximum(np.floor(low - room), 0).astype(int).tolist()
        x1, y1 = np.minimum(np.ceil(high + room), size).astype(int).tolist()
        self._window = (x0, y0, max(x1, x0 + 2), max(y1, y0 + 2))
        wide, tall = self._window[2] - x0, self._window[3] - y0
        self.scale = min(1.0, _SIDE / max(wide, tall))
        self._wanted = (max(2, round(wide * self.scale)), max(2, round(tall * self.scale)))
        inside = np.zeros(self.shape, np.uint8)
        cv2.fillPoly(inside, [self.places(points / size).round().astype(np.int32)], (1,))
        self.inside: Flags = inside.astype(np.bool_)
        self.area = max(int(inside.sum()), 1)
        # Padded, so that the picture's own border is a border of the shelf too.
        padded = cv2.copyMakeBorder(inside, _RIM, _RIM, _RIM, _RIM, cv2.BORDER_CONSTANT, value=(0,))
        inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=_RIM)
        self.rim: Flags = self.inside & (inner[_RIM:-_RIM, _RIM:-_RIM] == 0)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._wanted[1], self._wanted[0]

    def cut(self, picture: Pixels) -> Pixels:
        """The patch of a picture, a little blurred."""
        x0, y0, x1, y1 = self._window
        part: Pixels = picture[y0:y1, x0:x1]
        if self.scale < 1 / _EVERY:
            # A few pixels of each square are enough, and halves are quick to average.
            twice = (_EVERY * self._wanted[0], _EVERY * self._wanted[1])
            part = np.asarray(cv2.resize(part, twice, interpolation=cv2.INTER_NEAREST), np.uint8)
        small = cv2.resize(part, self._wanted, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.blur(small, (3, 3)), np.uint8)

    def places(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fractions of the frame [..., 2] as x y in pixels of the patch; they may lie outside."""
        placed: NDArray[np.float64] = (points * self._size - self._window[:2]) * self.scale
        return placed

    def rectangle(self, box: NDArray[np.float64]) -> tuple[slice, slice]:
        """The pixels of a box x0 y0 x1 y1, fractions of the frame, that lie in the patch."""
        x0, y0, x1, y1 = (round(edge) for edge in self._edges(box))
        return slice(max(y0, 0), max(y1 + 1, 0)), slice(max(x0, 0), max(x1 + 1, 0))

    def extent(self, box: NDArray[np.float64]) -> float:
        """The area of a box, fractions of the frame, in pixels of the patch, also beside it."""
        x0, y0, x1, y1 = self._edges(box)
        return max(1.0, (x1 - x0) * (y1 - y0))

    def height(self, box: NDArray[np.float64]) -> float:
        """Of a box, fractions of the frame, in pixels of the patch."""
        _, y0, _, y1 = self._edges(box)
        return y1 - y0

    def _edges(self, box: NDArray[np.float64]) -> tuple[float, float, float, float]:
        """As `places`, in plain numbers: it is asked for every box in every frame."""
        x0, y0, x1, y1 = box.tolist()
        (wide, tall), (left, top) = self._size, self._window[:2]
        return (
            (x0 * wide - left) * self.scale, (y0 * tall - top) * self.scale,
            (x1 * wide - left) * self.scale, (y1 * tall - top) * self.scale,
        )  # fmt: skip

    def point(self, row: float, column: float) -> Point:
        """A pixel of the patch as a point of the frame."""
        x = (column + 0.5) / self.scale + self._window[0]
        y = (row + 0.5) / self.scale + self._window[1]
        return x / self._size[0], y / self._size[1]
