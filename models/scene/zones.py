"""The zones of a rendered shop: floors, shelves and facings as the camera sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.scene.backdrop import Backdrop
from models.scene.camera import Floats
from models.scene.fixtures import Fixture, Slot, Style
from models.scene.lens import Sensor
from models.scene.shop import FacingPlace, Shop
from models.scene.textures import Rng

_MOST_FACINGS = 10
# What a facing must measure for somebody to draw it: pixels of a picture 640 wide, its area and
# its mean width.
_LEAST_AREA_PX, _LEAST_WIDTH_PX = 140.0, 8.0
# Of a second zone's floor, the share that must be seen and not hidden.
_SEEN = 0.92
_MARGIN = 0.015
# Metres that a drawn floor goes on under the shelf.
_UNDER = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class SceneZone:
    """One fixture as the site file and the truth name it.

    Args:
        name: the zone's.
        fixture: which of the shop's.
        floor: float64 [N, 2], fractions of the picture.
        shelf: float64 [N, 2], fractions.
        facings: which of the shop's facings, with float64 [4, 2] polygons.
    """

    name: str
    fixture: int
    floor: Floats
    shelf: Floats
    facings: tuple[tuple[int, Floats], ...]


def with_facings(rng: Rng, shop: Shop, least_px: float) -> Shop:
    """The shop with some products of the fixtures that have zones made takeable.

    Names run board by board: A1, A2, ... from the lowest board up; a second fixture's begin
    with its number. Those smaller than least_px (area in a picture 640 wide) are left out.
    """
    facings: list[FacingPlace] = []
    for number, fixture in enumerate(shop.fixtures):
        chosen = _takeable(rng, shop, fixture, least_px)
        boards = sorted({fixture.slots[i].up for i in chosen})
        counts: dict[float, int] = {}
        for index in chosen:
            up = fixture.slots[index].up
            counts[up] = counts.get(up, 0) + 1
            board = chr(ord("A") + boards.index(up))
            name = f"{board}{counts[up]}" if number == 0 else f"{number}{board}{counts[up]}"
            facings.append(FacingPlace(name, number, index))
    return replace(shop, facings=tuple(facings))


def _takeable(rng: Rng, shop: Shop, fixture: Fixture, least_px: float) -> list[int]:
    """Slots whose front is well in the picture and within reach, in the order they stand."""
    camera = shop.camera
    if not _fronts_camera(shop, fixture):
        return []
    good = []
    for index, slot in enumerate(fixture.slots):
        x, y, depth = camera.project(facing_corners(fixture, slot)).T
        inside = x.min() > 8 and x.max() < camera.width - 8
        inside &= y.min() > 8 and y.max() < camera.height - 8 and depth.min() > 0.5
        area = float(np.ptp(x) * np.ptp(y)) * (640 / camera.width) ** 2
        if inside and area >= least_px and 0.1 < slot.up < 1.75 and slot.into < 0.3:
            good.append(index)
    rng.shuffle(good)
    kept: list[int] = []
    for index in good:
        slot = fixture.slots[index]
        near = (s for s in (fixture.slots[k] for k in kept) if abs(s.up - slot.up) < 0.01)
        if all(abs(s.along - slot.along) > 0.2 for s in near):
            kept.append(index)
        if len(kept) == _MOST_FACINGS:
            break
    return sorted(kept, key=lambda i: (fixture.slots[i].up, fixture.slots[i].along))


def _fronts_camera(shop: Shop, fixture: Fixture) -> bool:
    towards = shop.camera.position - fixture.place.origin
    level = float(np.hypot(towards[0], towards[1]))
    return float(towards @ fixture.place.into) < -0.25 * level


def facing_corners(fixture: Fixture, slot: Slot) -> Floats:
    """The product's front, float64 [4, 3], metres."""
    width, _, height = slot.product.size
    a0, a1, z0, z1 = slot.along, slot.along + width, slot.up, slot.up + height
    point = fixture.place.point
    corners = ((a0, z1), (a1, z1), (a1, z0), (a0, z0))
    return np.array([point(a, slot.into, z) for a, z in corners])


def zones_of(shop: Shop, backdrop: Backdrop, sensor: Sensor) -> tuple[SceneZone, ...]:
    """The zones whose floor is well seen, the main fixture's first; none if that is not."""
    zones: list[SceneZone] = []
    for number, fixture in enumerate(shop.fixtures):
        ground = floor_of(shop, number)
        if (number > 0 and _overlap(shop, ground)) or not _floor_seen(shop, backdrop, ground):
            continue
        facings = tuple(
            (index, _fractions(shop, sensor, facing_corners(fixture, shop.slot(facing))))
            for index, facing in enumerate(shop.facings)
            if facing.fixture == number
        )
        if number > 0 and (not facings or len(zones) > 1):
            continue
        if number > 0 and not zones:
            break
        name = f"{fixture.style.value}-{number + 1}"
        clear = tuple((index, place) for index, place in facings if _well_seen(shop, place))
        floor = _fractions(shop, sensor, _up_to_the_shelf(fixture, ground), 4)
        shelf = _fractions(shop, sensor, fixture.shelf_corners, 4)
        zones.append(SceneZone(name, number, floor, shelf, clear))
    return tuple(zones)


def _well_seen(shop: Shop, polygon: Floats) -> bool:
    """Whether a facing is large enough in the picture to be told from its neighbours."""
    if len(polygon) < 3:
        return False
    points = polygon * (shop.camera.width, shop.camera.height) * (640 / shop.camera.width)
    longest = max(float(np.hypot(*side)) for side in points - np.roll(points, 1, 0))
    area = _area(points)
    return area >= _LEAST_AREA_PX and area / longest >= _LEAST_WIDTH_PX


def _area(points: Floats) -> float:
    x, y = points.T
    return 0.5 * abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))


def floor_of(shop: Shop, number: int) -> Floats:
    """The floor in front of a fixture, float64 [4, 3], metres."""
    fixture = shop.fixtures[number]
    point, width, deep = fixture.place.point, fixture.width, shop.floor_m
    corners = ((0.0, -0.02), (width, -0.02), (width, -deep), (0.0, -deep))
    return np.array([point(a, i, 0.0) for a, i in corners])


def _up_to_the_shelf(fixture: Fixture, ground: Floats) -> Floats:
    """The floor as an installer draws it: its back edge under the shelf.

    Feet before a shelf are found a few pixels higher or lower; nobody stands behind its front.
    """
    under = fixture.place.into * _UNDER
    drawn: Floats = ground + np.array([under, under, np.zeros(3), np.zeros(3)])
    return drawn


def _overlap(shop: Shop, ground: Floats) -> bool:
    """Whether a floor lies partly on the main fixture's, or nearly so."""
    main = shop.fixtures[0]
    grid = np.linspace(0, 1, 9)
    for a in grid:
        for b in grid:
            spot = ground[0] + a * (ground[1] - ground[0]) + b * (ground[3] - ground[0])
            along, into, _ = main.place.local(spot)
            if -0.3 < along < main.width + 0.3 and -shop.floor_m - 0.3 < into < 0.3:
                return True
    return False


def _floor_seen(shop: Shop, backdrop: Backdrop, ground: Floats) -> bool:
    shares = np.linspace(0, 1, 9)
    a, b = np.meshgrid(shares, shares)
    spots = (
        ground[0] + a[..., None] * (ground[1] - ground[0]) + b[..., None] * (ground[3] - ground[0])
    )
    x, y, depth = shop.camera.project(spots).reshape(-1, 3).T
    width, height = shop.camera.width, shop.camera.height
    edge_x, edge_y = 0.03 * width, 0.03 * height
    inside = (depth > 0.5) & (x > edge_x) & (x < width - edge_x)
    inside &= (y > edge_y) & (y < height - edge_y)
    if not inside.all():
        return False
    # A floor so small in the picture is no place to count visits at.
    if _area(shop.camera.project(ground)[:, :2]) < 0.02 * width * height:
        return False
    seen = backdrop.floor[y.astype(int), x.astype(int)] > 0
    return bool(seen.mean() >= _SEEN)


def _fractions(shop: Shop, sensor: Sensor, corners: Floats, pieces: int = 1) -> Floats:
    """Corners of the shop to a polygon of the exposed picture, cut at its border.

    A long side bends with the lens: it is taken in pieces.
    """
    ends = np.roll(corners, -1, 0)
    dense = np.concatenate(
        [np.linspace(a, b, pieces + 1)[:-1] for a, b in zip(corners, ends, strict=True)]
    )
    seen = shop.camera.project(dense)
    # What lies behind the camera has no place in the picture.
    seen = seen[seen[:, 2] > 0.1]
    points = sensor.places(seen[:, :2]) / (shop.camera.width, shop.camera.height)
    return _simple(_clip(points)) if pieces > 1 else _clip(points)


def _clip(points: Floats) -> Floats:
    """Sutherland and Hodgman (1974): the part of a polygon inside the picture."""
    for axis in (0, 1):
        for bound, sign in ((0.0, 1.0), (1.0, -1.0)):
            out: list[Floats] = []
            for a, b in zip(points, np.roll(points, -1, 0), strict=True):
                in_a, in_b = sign * (a[axis] - bound) >= 0, sign * (b[axis] - bound) >= 0
                if in_a:
                    out.append(a)
                if in_a != in_b:
                    out.append(a + (bound - a[axis]) / (b[axis] - a[axis]) * (b - a))
            if not out:
                return np.zeros((0, 2))
            points = np.array(out)
    return points.clip(0, 1)


def _simple(points: Floats) -> Floats:
    """Without the corners that lie on a line between others (0.15 % of the picture)."""
    kept = list(points)
    index = 0
    while len(kept) > 3 and index < len(kept):
        before, here, after = kept[index - 1], kept[index], kept[(index + 1) % len(kept)]
        way, step = after - before, here - before
        off = abs(way[0] * step[1] - way[1] * step[0]) / max(1e-9, float(np.hypot(*way)))
        if off < 0.0015:
            kept.pop(index)
            index = max(0, index - 1)
        else:
            index += 1
    return np.array(kept)


def is_table(zone: SceneZone, shop: Shop) -> bool:
    """Whether hands go down onto it and not into it."""
    return shop.fixtures[zone.fixture].style is Style.TABLE
