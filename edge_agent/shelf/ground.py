"""What a shelf looks like with nobody's hand in it, and what of a picture is not that.

Plain background difference per pixel, made robust to what shelves are plagued by: the light as a
whole is divided out (auto-exposure), shadows are told by their even darkening, a pixel of shake is
forgiven, and what flickers all the time raises its own limit. A ground learned while somebody's
hand was there holds a ghost of it when it goes; `Ground.is_ghost` tells one by its outline, which
the ground has and the picture has not.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.shelf.patch import Flags, Patch, Pixels

Floats32 = NDArray[np.float32]

# Levels (0..255) by which a pixel must differ at least, and how many times its usual difference.
_LEAST_DIFFERENCE, _TIMES_USUAL = 16.0, 4.0
# A shadow takes this share of the light at most, from all three colours alike.
_DARKEST_SHADOW, _SHADOW_TINT = 0.55, 0.08
# Seconds over which the ground follows what is not foreground (daylight), and a pixel's usual
# difference is taken.
_FOLLOW_S, _USUAL_S = 15.0, 8.0
# A frame after a pause teaches no more than after this many seconds.
_PAUSE_S = 1.0
# Light that changes by more in either direction is no exposure but another scene.
_LIGHT = (0.4, 2.5)
# Below so many levels a quotient of light says nothing.
_PEDESTAL = 8.0
# Levels by which a pixel changes from frame to frame where something moves.
_MOVING = 10.0
# Every so many pixels across and down tell the light as a whole.
_SAMPLED = 8
# A ghost's outline is this much weaker in the picture than in the ground; levels of grain that say
# nothing.
_GHOST, _TEXTURE = 0.7, 12.0
# The picture is laid on the ground where it is no more than so many pixels off (wind, footsteps, a
# slammed door), and surely so.
_STEADY_PX, _SHAKE_PX, _SURE = 0.15, 4.0, 0.12
_SHRUNK, _AREA = 2, cv2.INTER_AREA
# The ground's outlines are made anew so often, seconds; they hardly change.
_OUTLINES_S = 2.0


class Ground:
    """The empty shelf, in one patch of the picture.

    Args:
        patch: where it is.

    Attributes:
        moving: bool [h, w], what is otherwise than a frame ago.
    """

    def __init__(self, patch: Patch) -> None:
        self._patch = patch
        self._now: Pixels = np.empty(0, np.uint8)
        self._before: Pixels | None = None
        self.moving: Flags = np.ones(patch.shape, np.bool_)
        self.forget()

    def forget(self) -> None:
        """Learn it anew."""
        self._mean: Floats32 | None = None
        self._outlines: Floats32 | None = None
        self._outlines_s = 0.0
        self._usual: Floats32 = np.empty(0, np.float32)
        self._known: Flags = np.empty(0, np.bool_)
        self._expected: Pixels = np.empty(0, np.uint8)
        self._difference: Pixels = np.empty(0, np.uint8)
        self._t = 0.0

    def see(self, picture: Pixels) -> None:
        """Take one frame's picture, BGR."""
        self._now = self._steadied(self._patch.cut(picture))
        if self._before is not None:
            self.moving = most(cv2.absdiff(self._now, self._before)) > _MOVING
        self._before = self._now

    def _steadied(self, patch: Pixels) -> Pixels:
        """The patch, moved by the whole so that it lies on the ground (phase correlation)."""
        if self._mean is None:
            return patch
        if self._outlines is None or self._t - self._outlines_s >= _OUTLINES_S:
            self._outlines, self._outlines_s = _small(self._mean), self._t
        (x, y), sure = _shift(self._outlines, _small(patch))
        if sure >= _SURE and max(abs(x), abs(y)) >= _STEADY_PX / _SHRUNK:
            (x, y), sure = _shift(_grey(self._mean), _grey(patch))
        if sure < _SURE or not _STEADY_PX <= max(abs(x), abs(y)) <= _SHAKE_PX:
            return patch
        move = np.array([[1, 0, -x], [0, 1, -y]])
        size = (patch.shape[1], patch.shape[0])
        moved = cv2.warpAffine(patch, move, size, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved, np.uint8)

    def compare(self, hidden: Flags) -> Flags:
        """Which pixels show something that does not belong to the shelf.

        Args:
            hidden: bool [h, w], in which somebody's body is said to be: not learned from.

        Returns:
            bool [h, w]; false where the ground is not known, true in a body that is one.
        """
        patch = self._now
        if self._mean is None:
            self._mean = patch.astype(np.float32)
            self._usual = np.zeros(patch.shape[:2], np.float32)
            self._known = ~hidden
        new = ~hidden & ~self._known
        if new.any():
            # Seen for the first time: whoever stood there has gone.
            self._mean[new] = patch[new]
            self._known |= new
        light = self._light(patch, self._known & ~hidden)
        # In bytes: a quarter of the time that floats take, and half a level is no matter.
        # A column: of a flat array that stands for one colour OpenCV 4.11 leaks every value (100
        # bytes a look, megabytes a day).
        factors = np.array([[*light, 1.0]]).T
        expected = cv2.multiply(self._mean, factors, dtype=cv2.CV_8U)
        self._expected = np.asarray(expected, np.uint8)
        self._difference = self._apart(patch)
        limit = _LEAST_DIFFERENCE + _TIMES_USUAL * self._usual
        other = (self._difference > limit) & self._known
        return self._without_shadow(patch, other)

    def unknown(self) -> Flags:
        """Pixels never seen without somebody before them, bool [h, w]."""
        return ~self._known

    def learn(self, t: float, other: Flags) -> None:
        """Follow the picture where it shows the shelf.

        Args:
            t: seconds.
            other: bool [h, w], what is not the shelf: foreground and people.
        """
        assert self._mean is not None, "compare comes first"
        step, self._t = min(max(t - self._t, 0.0), _PAUSE_S), t
        shelf = (~other).astype(np.uint8)
        cv2.accumulateWeighted(self._now, self._mean, step / _FOLLOW_S, shelf)
        cv2.accumulateWeighted(self._difference, self._usual, step / _USUAL_S, shelf)

    def take_in(self, part: Flags) -> None:
        """Something there is of the shelf now: a product set down, or gone, or a ghost."""
        assert self._mean is not None, "compare comes first"
        self._mean[part] = self._now[part]
        self._outlines = None
        self._known |= part

    def is_ghost(self, part: Flags) -> bool:
        """Whether a foreground is not there but was when the ground was learned.

        A thing has an outline in the picture; a ghost has it in the ground alone (after Cucchiara
        et al. 2003, who ask for motion instead).
        """
        assert self._mean is not None, "compare comes first"
        here = _around(part)
        shape = part[here].astype(np.uint8)
        wide = cv2.dilate(shape, _NEAR)
        line = wide - cv2.erode(shape, _NEAR) > 0
        beside = cv2.dilate(wide, _BESIDE) - wide > 0
        there = _outline(self._now[here], line, beside)
        return there < _GHOST * _outline(self._expected[here], line, beside)

    def _light(self, now: Pixels, seen: Flags) -> list[float]:
        """By what factor each colour is brighter than the ground, as a whole; three."""
        assert self._mean is not None
        some = np.s_[::_SAMPLED, ::_SAMPLED]
        chosen = seen[some]
        if not chosen.any():
            return [1.0, 1.0, 1.0]
        ratios = (now[some][chosen] + _PEDESTAL) / (self._mean[some][chosen] + _PEDESTAL)
        middle = len(ratios) // 2
        low, high = _LIGHT
        return [
            min(max(one, low), high) for one in np.partition(ratios, middle, 0)[middle].tolist()
        ]

    def _apart(self, now: Pixels) -> Pixels:
        """Levels by which the picture leaves what the ground shows within a pixel; [h, w]."""
        above = cv2.subtract(now, cv2.dilate(self._expected, _NEAR))
        below = cv2.subtract(cv2.erode(self._expected, _NEAR), now)
        return most(cv2.max(above, below))

    def _without_shadow(self, now: Pixels, other: Flags) -> Flags:
        """Of what is other, what is not merely darker by the same share in all three colours."""
        ratio = (now[other] + _PEDESTAL) / (self._expected[other] + _PEDESTAL)
        high, low = ratio.max(axis=1), ratio.min(axis=1)
        shadow = (high - low < _SHADOW_TINT) & (high < 1.0) & (low > _DARKEST_SHADOW)
        left = other.copy()
        left[other] = ~shadow
        return left


_NEAR, _BESIDE = np.ones((3, 3), np.uint8), np.ones((9, 9), np.uint8)


@lru_cache(maxsize=64)
def _window(height: int, width: int) -> Floats32:
    return np.asarray(cv2.createHanningWindow((width, height), cv2.CV_32F), np.float32)


def _shift(ground: Floats32, now: Floats32) -> tuple[tuple[float, float], float]:
    """How far right and down the picture went, pixels, and how sure that is."""
    (x, y), sure = cv2.phaseCorrelate(ground, now, _window(*ground.shape))
    return (x, y), sure


def _small(picture: NDArray[Any]) -> Floats32:
    """Every other line, grey: shake shows in it as well, in a quarter of the time."""
    return _grey(cv2.resize(picture, None, fx=1 / _SHRUNK, fy=1 / _SHRUNK, interpolation=_AREA))


def _grey(picture: NDArray[Any]) -> Floats32:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.float32)


def most(picture: NDArray[Any]) -> Pixels:
    """The largest of the three colours, [h, w]; numpy takes ten times as long."""
    one, two, three = cv2.split(picture)
    return np.asarray(cv2.max(cv2.max(one, two), three), np.uint8)


def _around(part: Flags) -> tuple[slice, slice]:
    """The rows and columns of a part and of what is beside it."""
    rows, columns = part.any(axis=1).nonzero()[0], part.any(axis=0).nonzero()[0]
    room = len(_BESIDE)
    return (
        slice(max(0, rows[0] - room), rows[-1] + room + 1),
        slice(max(0, columns[0] - room), columns[-1] + room + 1),
    )


def _outline(picture: Pixels, line: Flags, beside: Flags) -> float:
    """How much stronger edges are on a line than beside it."""
    grey = _grey(picture)
    edges = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    usual = float(edges[beside].mean()) if beside.any() else 0.0
    return (float(edges[line].mean()) + _TEXTURE) / (usual + _TEXTURE)
