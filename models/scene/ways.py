"""Ways through the shop: from out of sight to a fixture and out of sight again."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, pairwise
from math import hypot

import numpy as np

from models.scene.backdrop import Backdrop
from models.scene.camera import Floats
from models.scene.shop import Shop
from models.scene.textures import Rng

Spot = tuple[float, float]
# People begin at most so far away, and never pass nearer to the camera than this, metres.
_FARTHEST, _FROM_CAMERA = 16.0, 1.3
# A way that does not mean to cross a floor keeps off its border, metres.
_OFF_FLOOR = 0.45
# Where a way bends beside a fixture, metres from its ends.
_BESIDE = 0.75
# Points out of sight that are kept for each side.
_DOORS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """Where people come from at each side of each fixture.

    Args:
        shop: the shop.
        doors: for each fixture that is visited and each side (left, right, front), the points
            out of sight from which that side's gate is reached straight.
    """

    shop: Shop
    doors: dict[tuple[int, str], tuple[Spot, ...]]

    def sides(self, fixture: int) -> list[str]:
        """The sides that people can come from."""
        return [side for side in ("left", "right", "front") if self.doors.get((fixture, side))]

    def through(self, rng: Rng, fixture: int, inside: bool) -> list[Spot] | None:
        """A way past a fixture, over its floor or outside of it; from out of sight to there."""
        sides = self.sides(fixture)
        deep = self.shop.floor_m
        # The anchor lies up to 0.2 m nearer to the camera than the feet's middle.
        lane = -deep * rng.uniform(0.36, 0.56) if inside else -deep - rng.uniform(1.0, 1.9)
        if not inside:
            sides = [side for side in sides if side != "front"]
        if len(sides) < 2:
            return None
        first, second = (sides[int(i)] for i in rng.permutation(len(sides))[:2])
        shelf = self.shop.fixtures[fixture]
        gates = [self.gate(fixture, side, lane) for side in (first, second)]
        middle: list[Spot] = []
        if "front" in (first, second):
            along = shelf.width * rng.uniform(0.35, 0.65)
            middle = [_flat(shelf.place.point(along, lane, 0))]
        way = [self._door(rng, fixture, first), gates[0], *middle, gates[1]]
        way.append(self._door(rng, fixture, second))
        return way if self.clear(way[1:-1]) else None

    def to(self, rng: Rng, fixture: int, spot: Spot) -> list[Spot]:
        """A way from out of sight to a spot on a fixture's floor."""
        sides = self.sides(fixture)
        side = sides[int(rng.integers(len(sides)))]
        _, into, _ = self.shop.fixtures[fixture].place.local(np.array([*spot, 0.0]))
        gate = self.gate(fixture, side, min(into, -0.5))
        if side == "front":
            # Straight towards the shelf, not along the floor's border.
            place = self.shop.fixtures[fixture].place
            along, _, _ = place.local(np.array([*spot, 0.0]))
            gate = _flat(place.point(along, -self.shop.floor_m - 0.7, 0))
        return [self._door(rng, fixture, side), gate, spot]

    def gate(self, fixture: int, side: str, lane: float) -> Spot:
        """Where a way turns beside a fixture, on a lane (metres, negative = before the shelf)."""
        shelf = self.shop.fixtures[fixture]
        if side == "front":
            return _flat(shelf.place.point(shelf.width / 2, -self.shop.floor_m - 0.7, 0))
        along = -_BESIDE if side == "left" else shelf.width + _BESIDE
        return _flat(shelf.place.point(along, lane, 0))

    def _door(self, rng: Rng, fixture: int, side: str) -> Spot:
        doors = self.doors[fixture, side]
        return doors[int(rng.integers(len(doors)))]

    def clear(self, way: list[Spot]) -> bool:
        """Whether nothing stands in the way and the camera is not too near."""
        eye_x, eye_y, _ = self.shop.camera.position.tolist()
        return all(
            self.shop.free(x, y, 0.2) and hypot(x - eye_x, y - eye_y) > _FROM_CAMERA
            for a, b in pairwise(way)
            for x, y in np.linspace(a, b, 12).tolist()
        )


def find_ways(shop: Shop, backdrop: Backdrop, fixtures: list[int]) -> Ways:
    """Look for the points out of sight around the fixtures."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    hidden = [
        (float(r * np.cos(a)), float(r * np.sin(a) - 0.5))
        for r in np.arange(2.5, _FARTHEST, 0.75)
        for a in angles
        if _out_of_sight(shop, backdrop, r * np.cos(a), r * np.sin(a) - 0.5)
    ]
    ways = Ways(shop, {})
    for fixture in fixtures:
        for side in ("left", "right", "front"):
            gate = ways.gate(fixture, side, -0.6)
            outer = ways.gate(fixture, side, -shop.floor_m - 1.2)
            near = sorted(hidden, key=lambda spot: hypot(spot[0] - gate[0], spot[1] - gate[1]))
            good = (
                spot
                for spot in near
                if _straight(shop, fixture, spot, gate, ways)
                and _straight(shop, fixture, spot, outer, ways)
            )
            doors = tuple(islice(good, _DOORS))
            if doors:
                ways.doors[fixture, side] = doors
    return ways


def _straight(shop: Shop, fixture: int, door: Spot, gate: Spot, ways: Ways) -> bool:
    """Whether the way is free and keeps off the floor."""
    if not ways.clear([door, gate]):
        return False
    shelf, deep = shop.fixtures[fixture], shop.floor_m
    for x, y in np.linspace(door, gate, 24).tolist():
        along, into = shelf.place.on_floor(x, y)
        if -_OFF_FLOOR < along < shelf.width + _OFF_FLOOR and -deep - _OFF_FLOOR < into < 0:
            return False
    return True


def _out_of_sight(shop: Shop, backdrop: Backdrop, x: float, y: float) -> bool:
    """Whether nobody is seen who stands there (0.35 m to each side, up to 1.95 m)."""
    if not shop.free(x, y, 0.35):
        return False
    camera = shop.camera
    if np.hypot(*(camera.position[:2] - (x, y))) < _FROM_CAMERA:
        return False
    aside = 0.35
    points = np.array(
        [
            [x + dx, y + dy, up]
            for up in (0.0, 0.5, 1.0, 1.5, 1.95)
            for dx, dy in ((-aside, 0), (aside, 0), (0, -aside), (0, aside))
        ]
    )
    seen = camera.project(points)
    u, v, depth = seen.T
    inside = (depth > 0.2) & (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
    if not inside.any():
        # A body may also span the picture from one side to the other.
        return depth.max() < 0.2 or not (u.min() < 0 and u.max() > camera.width)
    behind = backdrop.bare.depth[v[inside].astype(int), u[inside].astype(int)]
    return bool((behind < depth[inside] - 0.15).all())


def _flat(point: Floats) -> Spot:
    return float(point[0]), float(point[1])
