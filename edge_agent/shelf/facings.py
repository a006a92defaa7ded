"""What lies on one facing, read before and after a hand was there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from edge_agent.geometry import Polygon
from edge_agent.observations import Abstained, Handling, Move, Stock
from edge_agent.shelf.amount import Amount
from edge_agent.shelf.patch import Pixels
from edge_agent.shelf.plot import Apart, Plot

# The view is at rest when nothing has moved for so long, by so many looks.
_REST_S, _REST_LOOKS = 0.5, 2
# What nobody is near is compared so often, for the light of the day.
_CHECK_S = 1.0
# The share of pixels, and of the structure, from which a facing has changed, and below which it is
# the same; in between nothing is said.
_CHANGED, _SAME = (0.22, 0.40), (0.12, 0.20)
# ... and where it holds several, of what one of them changes.
_ONE_OF = 0.6
# Of a side of the ring so much at most may differ where somebody is before the shelf.
_RING_SAME = 0.1
# Who left the facing so long ago has not changed it any more.
_NEAR_S = 2.0
# A hand that took or laid something is gone so soon after.
_LEAVES_S = 0.4
# How fast a reading follows the light of the day, and what lies around the facing: a look.
_FOLLOW, _FOLLOW_RING = 0.1, 0.3
# How much more contrast a facing with its product has than without, at least, for the pictures
# alone to tell which is which.
_FULLER = 1.12
# How sure a change makes: that there is one, how clear it is (times up to a half), that contrast
# tells its direction, that a hand was seen at this very facing.
_SURE = {"changed": 0.4, "clearly": 0.6, "told": 0.2, "hand": 0.1}

Span = tuple[float, float]
"""Start and end, seconds."""
Told = Handling | Stock | Abstained


class Before(Enum):
    """What is between a facing and the camera."""

    NOTHING = "nothing"
    BODY = "body"  # somebody's box: the facing can often be seen beside who is in it
    HAND = "hand"  # or whatever else reaches in right there


@dataclass(slots=True)
class _Reading:
    """A facing at rest."""

    contrast: float
    t: float


class FacingState:
    """Follows one facing.

    Args:
        zone, name: whose it is.
        polygon: where it is.
        plot: what it looks like.
        holds: how many products it holds when full; the level is told from 2.

    Attributes:
        box: float64 [4], x0 y0 x1 y1 around it, fractions of the frame.
        present: whether it holds its product; None = not known yet.
    """

    def __init__(self, zone: str, name: str, polygon: Polygon, plot: Plot, holds: int = 1) -> None:
        self._zone, self._name = zone, name
        points = np.array(polygon.points)
        self.box = np.concatenate([points.min(0), points.max(0)])
        self._plot, self._amount = plot, Amount(holds) if holds > 1 else None
        # One of several changes so much less.
        self._changed = tuple(min(limit, _ONE_OF / holds) for limit in _CHANGED)
        self._same = tuple(min(limit, _ONE_OF / holds / 2) for limit in _SAME)
        self._rest_s, self._looks = 0.0, 0
        self._near_s = self._checked_s = float("-inf")
        self._known: _Reading | None = None
        self._touched: Span | None = None
        self._hand: Span | None = None
        self._whose: int | None = None
        self._startled = False
        self.present: bool | None = None

    @property
    def contrast(self) -> float | None:
        """Of what lies there; None = not read yet."""
        return None if self._known is None else self._known.contrast

    def reached(self, start_s: float, end_s: float, track: int | None) -> None:
        """A hand, somebody's or nobody's, is or was at it from start to end."""
        self._hand, self._whose = (start_s, end_s), track

    def startle(self) -> None:
        """The whole shelf looks otherwise: the light went, or something is right before the camera.

        What a facing looks like after that says nothing of what was taken.
        """
        self._startled = True

    def begin(self, present: bool) -> Stock:
        """What it holds at first, as far as its neighbours tell."""
        assert self._known is not None, "it has been read"
        self.present = present
        level = None if self._amount is None else self._amount.begin(present, self._known.contrast)
        return Stock(self._zone, self._name, self._known.t, present, level)

    def look(self, t: float, picture: Pixels, before: Before) -> list[Told]:
        """Take one frame, BGR; returns what is now known."""
        clear = before is Before.NOTHING
        rested = self._rests(t, self._plot.see(picture))
        if not clear:
            self._near_s = t
        if self._known is None:
            if clear and rested:
                self._known = self._reading()
            return []
        if clear and self._touched is None and t - self._checked_s < _CHECK_S:
            return []
        apart = self._plot.apart()
        seen = clear or (before is Before.BODY and apart.ring < _RING_SAME)
        if not seen and not self._is_same(apart):
            self._touched = (t, t) if self._touched is None else (self._touched[0], t)
        if not rested or before is Before.HAND:
            return []
        self._checked_s = t
        if self._is_same(apart):
            self._plot.follow(_FOLLOW if clear else _FOLLOW_RING, clear)
            self._touched = self._hand = None
            self._startled = False
            return []
        return self._settle(self._reading(), apart) if seen and self._has_changed(apart) else []

    def _rests(self, t: float, still: bool) -> bool:
        if not still:
            self._rest_s, self._looks = t, 0
        self._looks += 1
        return self._looks >= _REST_LOOKS and t - self._rest_s >= _REST_S - 1e-6

    def _reading(self) -> _Reading:
        self._plot.keep()
        return _Reading(self._plot.contrast(), self._rest_s)

    def _settle(self, new: _Reading, apart: Apart) -> list[Told]:
        old, when = self._known, self._hand or self._touched
        assert old is not None
        hand, startled = self._hand is not None, self._startled
        self._known, self._touched, self._hand, self._startled = new, None, None, False
        if startled or (when is None and self._rest_s - self._near_s > _NEAR_S):
            # The light, or the camera.
            return [Abstained(self._zone, self._name, new.t)]
        return self._handled(old, new, apart, when or (new.t, new.t), hand)

    def _handled(
        self, old: _Reading, new: _Reading, apart: Apart, when: Span, hand: bool
    ) -> list[Told]:
        ratio = new.contrast / max(old.contrast, 1e-6)
        told = max(ratio, 1 / max(ratio, 1e-6)) >= _FULLER
        if self._amount is not None and self.present is not None:
            before, products = self._amount.level, self._amount.change(new.contrast)
            present, changed = self._amount.left > 0, self._amount.level is not before
        else:
            present = ratio > 1 if told else not self.present
            changed = present != self.present
            # Unchanged: another product, or the same one laid differently.
            products = (1 if present else -1) * changed
        self.present = present
        t = max(when[0], when[1] - _LEAVES_S)
        sure = _SURE["changed"] + min(max(apart.levels, apart.structure), 0.5) * _SURE["clearly"]
        sure += _SURE["told"] * told + _SURE["hand"] * hand
        move, whose = Move.PUT_BACK if products > 0 else Move.PICK, self._whose if hand else None
        one = Handling(move, self._zone, self._name, t, min(1.0, round(sure, 3)), whose)
        level = None if self._amount is None else self._amount.level
        stock = Stock(self._zone, self._name, t, present, level)
        moves: list[Told] = [one] * abs(products)
        return moves + [stock] * changed

    def _is_same(self, apart: Apart) -> bool:
        return apart.levels < self._same[0] and apart.structure < self._same[1]

    def _has_changed(self, apart: Apart) -> bool:
        return apart.levels >= self._changed[0] or apart.structure >= self._changed[1]
