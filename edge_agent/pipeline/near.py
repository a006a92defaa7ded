"""Whose hands are worth a look: pose runs only for people near a shelf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

from edge_agent.config import Anchor, Zone
from edge_agent.geometry import Point, Polygon
from edge_agent.observations import Tracks

# An outstretched arm reaches 0.45 of the body's height past the shoulder (Drillis and Contini
# 1966: upper arm 0.186, forearm 0.146, hand 0.108); boxes of people cut off are shorter than they.
ARM = 0.5
# Around a floor: far enough that the torso anchor has settled when the border is crossed.
APPROACH = 0.1


@dataclass(frozen=True, slots=True)
class _Place:
    """The bounding box of a polygon, and where to look from outside it (None = all round)."""

    x0: float
    y0: float
    x1: float
    y1: float
    toward: Point | None

    @classmethod
    def of(cls, polygon: Polygon, shelf: bool) -> _Place:
        xs = [x for x, _ in polygon.points]
        ys = [y for _, y in polygon.points]
        middle = (sum(xs) / len(xs), sum(ys) / len(ys))
        return cls(min(xs), min(ys), max(xs), max(ys), middle if shelf else None)

    def touched_by(self, box: Sequence[float], wide: float, high: float) -> bool:
        """Whether the box, widened by a margin on each side, overlaps."""
        x0, y0, x1, y1 = box
        return (
            x0 - wide <= self.x1
            and x1 + wide >= self.x0
            and y0 - high <= self.y1
            and y1 + high >= self.y0
        )


class Near:
    """Selects the tracks that pose is run for, and the side their hands would go to.

    Args:
        zones: a shelf draws the eye to hands; a floor with the torso anchor needs the trunk.
    """

    def __init__(self, zones: Sequence[Zone]) -> None:
        self._shelves = [_Place.of(zone.shelf, True) for zone in zones if zone.shelf is not None]
        self._floors = [
            _Place.of(zone.floor, False)
            for zone in zones
            if zone.floor is not None and zone.anchor is Anchor.TORSO
        ]

    def __call__(self, tracks: Tracks, aspect: float) -> dict[int, Point | None]:
        """Who is near.

        Args:
            tracks: of one frame.
            aspect: width / height of the frame.

        Returns:
            For each track that is near: the unit vector, in the picture, from the person toward
            the shelf; None = no side in particular.
        """
        if not self._shelves and not self._floors:
            return {}
        found: dict[int, Point | None] = {}
        for identity, box in zip(tracks.ids.tolist(), tracks.boxes.tolist(), strict=True):
            place = self._place(box, aspect)
            if place is not None:
                found[identity] = _direction(box, place.toward, aspect)
        return found

    def _place(self, box: list[float], aspect: float) -> _Place | None:
        arm = ARM * (box[3] - box[1])
        for shelf in self._shelves:
            if shelf.touched_by(box, arm / aspect, arm):
                return shelf
        for floor in self._floors:
            if floor.touched_by(box, APPROACH, APPROACH):
                return floor
        return None


def _direction(box: list[float], toward: Point | None, aspect: float) -> Point | None:
    if toward is None:
        return None
    dx = (toward[0] - (box[0] + box[2]) / 2) * aspect
    dy = toward[1] - (box[1] + box[3]) / 2
    length = hypot(dx, dy)
    return None if length == 0 else (dx / length, dy / length)
