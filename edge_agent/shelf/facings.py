"""What lies on one facing, read before and after a hand was there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge_agent.geometry import Polygon
from edge_agent.observations import Handling, Move, Stock
from edge_agent.shelf.ground import Floats32, Pixels

# Longer side of what is kept of a facing, pixels.
_SIDE = 32
# The view is clear when nobody is before it and nothing has moved for so long, by so many looks.
_CLEAR_S, _CLEAR_LOOKS = 0.5, 2
# What nobody was before is compared so often, for the light of the day.
_CHECK_S = 1.0
# Mean levels by which a facing may differ from frame to frame and still count as at rest.
_REST = 4.0
# Levels by which a pixel must differ.
_DIFFERENT = 22.0
# The share of pixels, and of the structure, from which a facing has changed, and below which it is
# the same; in between nothing is said.
_CHANGED, _SAME = (0.22, 0.40), (0.12, 0.20)
# How much more contrast a facing with its product has than without, at least, for the pictures
# alone to tell which is which.
_FULLER = 1.12
# How sure a change makes: that there is one, how clear it is (times up to a half), that contrast
# tells its direction, that a hand was seen at this very facing.
_SURE = {"changed": 0.4, "clearly": 0.6, "told": 0.2, "hand": 0.1}
_PEDESTAL = 8.0
# Gradients of a bare board: noise and grain, levels.
_NOISE = 12.0


Span = tuple[float, float]
"""Start and end, seconds."""


@dataclass(slots=True)
class _Reading:
    """A facing at rest."""

    picture: Floats32
    contrast: float
    t: float


class FacingState:
    """Follows one facing.

    Args:
        zone, name: whose it is.
        polygon: where it is.
        size: of the frames, width and height in pixels.

    Attributes:
        box: float64 [4], x0 y0 x1 y1 around it, fractions of the frame.
        present: whether it holds its product; None = not known yet.
        abstained: changes that nobody's hand explains.
    """

    def __init__(self, zone: str, name: str, polygon: Polygon, size: tuple[int, int]) -> None:
        self._zone, self._name = zone, name
        points = np.array(polygon.points)
        self.box = np.concatenate([points.min(0), points.max(0)])
        low = np.floor(points.min(0) * size).astype(int)
        high = np.maximum(np.ceil(points.max(0) * size).astype(int), low + 2)
        self._rows, self._columns = slice(low[1], high[1]), slice(low[0], high[0])
        scale = min(1.0, _SIDE / float((high - low).max()))
        self._patch = [max(2, round(float(side) * scale)) for side in high - low]
        self._before: Floats32 | None = None
        self._rest_s, self._looks = 0.0, 0
        self._checked_s = 0.0
        self._known: _Reading | None = None
        self._touched: Span | None = None
        self._hand: Span | None = None
        self.present: bool | None = None
        self.abstained = 0

    @property
    def contrast(self) -> float | None:
        """Of what lies there; None = not read yet."""
        return None if self._known is None else self._known.contrast

    def touched(self, t: float) -> None:
        """Somebody or something is before it now."""
        self._touched = (t, t) if self._touched is None else (self._touched[0], t)
        self._before = None

    def reached(self, start_s: float, end_s: float) -> None:
        """A hand is or was at it from start to end."""
        self._hand = (start_s, end_s)

    def begin(self, present: bool) -> Stock:
        """What it holds at first, as far as its neighbours tell."""
        assert self._known is not None, "it has been read"
        self.present = present
        return Stock(self._zone, self._name, self._known.t, present)

    def look(self, t: float, picture: Pixels) -> list[Handling | Stock]:
        """Take one frame in which nothing is before it; returns what is now known."""
        now = self._read(picture)
        if self._before is None or np.abs(now - self._before).mean() > _REST:
            self._rest_s, self._looks = t, 0
        self._before = now
        self._looks += 1
        if self._looks < _CLEAR_LOOKS or t - self._rest_s < _CLEAR_S - 1e-6:
            return []
        if self._touched is None and self._known is not None and t - self._checked_s < _CHECK_S:
            return []
        self._checked_s = t
        return self._settle(_Reading(now, _contrast(now), self._rest_s))

    def _read(self, picture: Pixels) -> Floats32:
        whole = picture[self._rows, self._columns]
        part = cv2.resize(whole, self._patch, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.blur(part, (3, 3)), np.float32)

    def _settle(self, new: _Reading) -> list[Handling | Stock]:
        old = self._known
        if old is None:
            self._known = new
            self._touched = self._hand = None
            return []
        apart = _apart(old.picture, new.picture)
        if all(one < most for one, most in zip(apart, _SAME, strict=True)):
            cv2.accumulateWeighted(new.picture, old.picture, 0.1)
            self._touched = self._hand = None
            return []
        if not any(one >= least for one, least in zip(apart, _CHANGED, strict=True)):
            return []
        touched, hand = self._touched, self._hand
        self._known, self._touched, self._hand = new, None, None
        if touched is None:
            # Nobody was there: the light, or the camera.
            self.abstained += 1
            return []
        return self._changed(old, new, apart, hand or touched, hand is not None)

    def _changed(
        self,
        old: _Reading,
        new: _Reading,
        apart: tuple[float, float],
        when: tuple[float, float],
        hand: bool,
    ) -> list[Handling | Stock]:
        ratio = new.contrast / max(old.contrast, 1e-6)
        told = max(ratio, 1 / max(ratio, 1e-6)) >= _FULLER
        present = ratio > 1 if told else not self.present
        if present == self.present:
            # Another product, or the same one laid differently: nothing left the facing.
            return []
        self.present = present
        t = sum(when) / 2
        sure = _SURE["changed"] + min(max(apart), 0.5) * _SURE["clearly"]
        sure += _SURE["told"] * told + _SURE["hand"] * hand
        move = Move.PUT_BACK if present else Move.PICK
        return [
            Handling(move, self._zone, self._name, t, min(1.0, round(sure, 3))),
            Stock(self._zone, self._name, t, present),
        ]


def _apart(old: Floats32, new: Floats32) -> tuple[float, float]:
    """How far two readings are apart in levels and in structure, the light divided out.

    Returns:
        The share of pixels that differ, a pixel of shake forgiven; and what is missing to full
        agreement of the gradients, 0 = the same outlines, 1 = nothing in common.
    """
    ratio = np.median((new + _PEDESTAL) / (old + _PEDESTAL), axis=(0, 1)).clip(0.7, 1.4)
    expected = old * ratio.astype(np.float32)
    near = np.ones((3, 3), np.uint8)
    above = new - cv2.dilate(expected, near)
    below = cv2.erode(expected, near) - new
    levels = float((np.maximum(above, below).max(axis=2) > _DIFFERENT).mean())
    a, b = _gradients(expected), _gradients(new)
    noise = a[0].size * _NOISE**2
    common = float((a * b).sum()) + noise
    structure = 1 - common / (max(float((a * a).sum()), float((b * b).sum())) + noise)
    return levels, structure


def _gradients(picture: Floats32) -> Floats32:
    grey = picture.mean(axis=2)
    return np.stack([cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)])


def _contrast(picture: Floats32) -> float:
    """Mean gradient, relative to brightness: things have outlines, a bare board has few."""
    grey = picture.mean(axis=2)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return float(np.hypot(across, down).mean() / (grey.mean() + _PEDESTAL))
