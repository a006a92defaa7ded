"""A whole shop: room, fixtures, lamps and the camera on its wall. All drawn from a generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.scene import textures
from models.scene.camera import Camera, Floats
from models.scene.fixtures import Fixture, Place, Slot, Style, gondola, table
from models.scene.quads import Quad
from models.scene.textures import Rng

_EYE = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
# Where a shopper stands, metres in front of a fixture.
STAND_M = 0.5
# Depth of the floor that counts as "at the fixture", metres.
FLOOR_M = (1.15, 1.55)
# Height of the shopper that the camera is placed by, metres.
_SHOPPER_M = 1.7
_CHEST_M = 0.9


@dataclass(frozen=True, slots=True)
class FacingPlace:
    """A product whose coming and going is known.

    Args:
        name: as the site file says.
        fixture: which of the shop's.
        slot: which of the fixture's.
    """

    name: str
    fixture: int
    slot: int


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """The shop without people.

    Args:
        camera: who looks.
        fixtures: the main one first; its front is centred on the origin, shoppers at y < 0.
        quads: room, lamps, posters.
        floor_m: depth of the main fixture's floor, metres.
        room: x0, y0, x1, y1 of the walls, metres.
        ceiling: metres.
        facings: the products that shoppers may take.
    """

    camera: Camera
    fixtures: tuple[Fixture, ...]
    quads: tuple[Quad, ...]
    floor_m: float
    room: tuple[float, float, float, float]
    ceiling: float
    facings: tuple[FacingPlace, ...] = ()

    def slot(self, facing: FacingPlace) -> Slot:
        """Where the facing's product stands."""
        return self.fixtures[facing.fixture].slots[facing.slot]

    def free(self, x: float, y: float, room_m: float = 0.3) -> bool:
        """Whether somebody can stand there."""
        x0, y0, x1, y1 = self.room
        if not (x0 + room_m < x < x1 - room_m and y0 + room_m < y < y1 - room_m):
            return False
        return not any(covers(fixture, x, y, room_m) for fixture in self.fixtures)


def covers(fixture: Fixture, x: float, y: float, margin: float) -> bool:
    """Whether the fixture's footprint, widened by a margin (metres), holds the point."""
    along, into = fixture.place.on_floor(x, y)
    return -margin < along < fixture.width + margin and -margin < into < fixture.depth + margin


@dataclass(frozen=True, slots=True)
class Hanging:
    """Where cameras hang: ranges that one is drawn from evenly.

    Args:
        fov: across the picture, degrees.
        tall: pixels of a shopper at the shelf, in a picture 360 high.
        height: metres above the floor.
        around: degrees off the shelf's middle line, to either side.
        steep: degrees below the horizon at which it looks at a shopper's chest, at most.
        roll: standard deviation, degrees.
        slack: by what share of the picture the floor may stick out of it.
        facing_px: area of the smallest facing that is drawn, pixels of a picture 640 wide.
    """

    fov: tuple[float, float]
    tall: tuple[float, float]
    height: tuple[float, float]
    around: tuple[float, float]
    steep: float
    roll: float
    slack: float
    facing_px: float


# As an installer hangs one who wants hands to be seen: near, and aside, so that bodies do not stand
# between the camera and what they reach for.
ASIDE = Hanging((78, 108), (140, 225), (2.3, 3.1), (38, 76), 45.0, 1.2, -0.03, 120.0)
# The same under a low ceiling, straight down even; as cameras hang that were put up for something
# else; and any that still sees people.
OVERHEAD = Hanging((70, 100), (165, 265), (2.3, 3.1), (40, 80), 90.0, 1.2, -0.03, 120.0)
ANYHOW = Hanging((60, 92), (130, 260), (1.9, 3.2), (0, 72), 90.0, 1.2, -0.03, 40.0)
WILD = Hanging((50, 105), (90, 320), (1.5, 3.4), (0, 95), 90.0, 3.0, 0.35, 40.0)


def random_shop(rng: Rng, size: tuple[int, int], hanging: Hanging) -> Shop:
    """A shop whose camera sees the floor in front of its main fixture.

    Args:
        rng: what it is drawn from.
        size: width, height of the picture, pixels.
        hanging: where its camera may hang.
    """
    width = float(rng.uniform(2.2, 3.8))
    main = _main(rng, width)
    floor_m = float(rng.uniform(*FLOOR_M))
    camera = _camera(rng, size, width, floor_m, hanging)
    # The camera hangs below the ceiling.
    ceiling = float(max(rng.uniform(2.9, 3.9), camera.position[2] + 0.3))
    room = _room(rng, camera, main)
    others = _others(rng, main, camera, room, floor_m)
    quads = _walls(rng, room, ceiling, main)
    return Shop(camera, (main, *others), tuple(quads), floor_m, room, ceiling)


def _main(rng: Rng, width: float) -> Fixture:
    place = Place.facing((0.0, 0.0), 0.0, width)
    kind = rng.random()
    if kind < 0.2:
        return table(rng, place, width * 0.8)
    style = Style.FRIDGE if kind < 0.35 else Style.GONDOLA
    return gondola(rng, place, width, bool(rng.random() < 0.7), style)


def _camera(
    rng: Rng, size: tuple[int, int], width: float, floor_m: float, hanging: Hanging
) -> Camera:
    """Draw cameras until one has the whole floor zone in its picture."""
    corners = floor_corners(width, floor_m)
    slack = hanging.slack
    for _ in range(200):
        camera = _some_camera(rng, size, hanging)
        seen = camera.project(corners)
        if seen[:, 2].min() < 0.5 or _steepness(camera) > hanging.steep:
            continue
        x, y = seen[:, 0] / size[0], seen[:, 1] / size[1]
        if x.min() > -slack and x.max() < 1 + slack and y.min() > 0 and y.max() < 1 + slack:
            return camera
    return Camera.at(*size, 75.0, np.array([-1.5, -5.0, 2.6]), np.array([0.0, -0.5, 0.9]))


def floor_corners(width: float, floor_m: float) -> Floats:
    """The main fixture's floor, float64 [4, 3], metres."""
    half = width / 2
    return np.array(
        [[-half, -0.02, 0], [half, -0.02, 0], [half, -floor_m, 0], [-half, -floor_m, 0]], float
    )


def _some_camera(rng: Rng, size: tuple[int, int], hanging: Hanging) -> Camera:
    fov = float(rng.uniform(*hanging.fov))
    focal = size[0] / 2 / np.tan(np.radians(fov) / 2)
    distance = focal * _SHOPPER_M / (rng.uniform(*hanging.tall) * size[1] / 360)
    height = float(rng.uniform(*hanging.height))
    around = _to_either_side(rng, hanging.around)
    level = np.sqrt(max(0.4, distance**2 - (height - _CHEST_M) ** 2))
    stand = np.array([0.0, -STAND_M, 0.0])
    position = stand + np.array([level * np.sin(around), -level * np.cos(around), height])
    target = stand + np.array([*rng.normal(0, 0.35, 2), rng.uniform(0.5, 1.3)])
    return Camera.at(*size, fov, position, target, float(rng.normal(0, hanging.roll)))


def _steepness(camera: Camera) -> float:
    """Degrees below the horizon at which the camera sees the chest of who stands at the shelf."""
    x, y, up = camera.position.tolist()
    return float(np.degrees(np.arctan2(up - _CHEST_M, np.hypot(x, y + STAND_M))))


def _to_either_side(rng: Rng, degrees: tuple[float, float]) -> float:
    """Radians, negative = to the left; one draw."""
    low, high = degrees
    off = rng.uniform(low - high, high - low)
    return float(np.radians(off + np.copysign(low, off)))


def _room(rng: Rng, camera: Camera, main: Fixture) -> tuple[float, float, float, float]:
    x, y = camera.position[:2]
    half = main.width / 2
    behind = main.depth + 0.02 if rng.random() < 0.55 else main.depth + rng.uniform(2.5, 7)
    return (
        min(float(x) - 0.4, -half - float(rng.uniform(3.5, 9))),
        min(float(y) - 0.4, -float(rng.uniform(4, 9))),
        max(float(x) + 0.4, half + float(rng.uniform(3.5, 9))),
        float(behind),
    )


def _others(
    rng: Rng,
    main: Fixture,
    camera: Camera,
    room: tuple[float, float, float, float],
    floor_m: float,
) -> list[Fixture]:
    """More fixtures where they hide neither the floor nor the way to it."""
    half = main.width / 2
    spots = [
        (half + rng.uniform(0.6, 1.1) * 1.8, 0.0, 0.0),
        (-half - rng.uniform(0.6, 1.1) * 1.8, 0.0, 0.0),
        (half + rng.uniform(2.2, 3.0), -rng.uniform(1.0, 2.0), -90.0),
        (-half - rng.uniform(2.2, 3.0), -rng.uniform(1.0, 2.0), 90.0),
        (rng.uniform(-2, 2), -floor_m - rng.uniform(2.0, 3.5), 180.0),
        (rng.uniform(-2, 2), main.depth + rng.uniform(1.6, 3.0), 0.0),
        (room[0] + 0.7, rng.uniform(-4, 0), 90.0),
        (room[2] - 0.7, rng.uniform(-4, 0), -90.0),
        (rng.uniform(-3, 3), room[3] - 0.65, 0.0),
    ]
    kept: list[Fixture] = []
    for index in rng.permutation(len(spots)):
        x, y, turn = spots[int(index)]
        wide = float(rng.uniform(1.4, 3.2))
        place = Place.facing((x, y), turn, wide)
        if rng.random() < 0.25:
            fixture = table(rng, place, wide)
        else:
            style = Style.FRIDGE if rng.random() < 0.2 else Style.GONDOLA
            fixture = gondola(rng, place, wide, bool(rng.random() < 0.6), style)
        if _fits(fixture, [main, *kept], camera, room, floor_m):
            kept.append(fixture)
        if len(kept) == 3:
            break
    return kept


def _fits(
    fixture: Fixture,
    others: list[Fixture],
    camera: Camera,
    room: tuple[float, float, float, float],
    floor_m: float,
) -> bool:
    x0, y0, x1, y1 = room
    corners = fixture.footprint
    if not ((corners > (x0, y0)).all() and (corners < (x1, y1)).all()):
        return False
    if covers(fixture, float(camera.position[0]), float(camera.position[1]), 0.35):
        return False
    grid = [(a, i) for a in np.linspace(0, 1, 9) for i in (0, 0.5, 1)]
    spots = [fixture.place.point(a * fixture.width, i * fixture.depth, 0)[:2] for a, i in grid]
    if any(covers(other, x, y, 0.05) for other in others for x, y in spots):
        return False
    half = others[0].width / 2
    # The floor and the way past it stay free ...
    if any(abs(x) < half + 0.6 and -floor_m - 1.3 < y < 0.3 for x, y in spots):
        return False
    # ... and nothing stands between them and the camera.
    eye = camera.position[:2]
    for target in floor_corners(others[0].width + 1.0, floor_m + 0.5)[:, :2]:
        for share in np.linspace(0.05, 0.95, 19):
            x, y = (eye + share * (target - eye)).tolist()
            if covers(fixture, x, y, 0.05):
                return False
    return True


def _walls(
    rng: Rng, room: tuple[float, float, float, float], ceiling: float, main: Fixture
) -> list[Quad]:
    x0, y0, x1, y1 = room
    right, deep, up = _EYE
    wide, long = x1 - x0, y1 - y0
    ground, metres = textures.floor(rng)
    over = textures.speckled(rng, textures.hsv(0.1, 0.03, rng.uniform(0.45, 0.9)), 64, 3)
    wall = textures.wall(rng)
    high = ceiling * up
    quads = [
        Quad(
            np.array([x0, y0, 0.0]),
            wide * right,
            long * deep,
            ground,
            (wide / metres, long / metres),
        ),
        Quad(np.array([x0, y0, ceiling]), wide * right, long * deep, over, (wide / 3, long / 3)),
    ]
    sides = [
        (np.array([x0, y1, ceiling]), wide * right, wide),
        (np.array([x0, y0, ceiling]), long * deep, long),
        (np.array([x1, y1, ceiling]), -long * deep, long),
        (np.array([x1, y0, ceiling]), -wide * right, wide),
    ]
    for start, across, length in sides:
        lit = float(rng.uniform(0.8, 1.1))
        quads.append(Quad(start, across, -high, wall, (length / 1.5, ceiling / 1.5), lit))
        inward = np.cross(across, up) / length
        for _ in range(int(rng.integers(0, 4))):
            w, h = float(rng.uniform(0.5, 1.8)), float(rng.uniform(0.4, 1.1))
            at = float(rng.uniform(0, max(0.1, length - w))) / length
            drop = float(rng.uniform(0.2, max(0.3, ceiling - 1.6)))
            corner = start + at * across - drop * up + 0.02 * inward
            picture = textures.poster(rng)
            quads.append(Quad(corner, across / length * w, -h * up, picture))
    quads += _lamps(rng, room, ceiling)
    if rng.random() < 0.6:
        # A banner over the main fixture.
        start = main.place.point(main.width * 0.2, 0.1, min(ceiling - 0.1, main.height + 0.8))
        quads.append(
            Quad(start, main.width * 0.6 * right, -0.35 * up, textures.poster(rng, 160, 40))
        )
    return quads


def _lamps(rng: Rng, room: tuple[float, float, float, float], ceiling: float) -> list[Quad]:
    x0, y0, x1, y1 = room
    picture = textures.plain((250, 252, 255))
    apart = float(rng.uniform(1.8, 3.5))
    size = (1.2, 0.3) if rng.random() < 0.5 else (0.6, 0.6)
    return [
        Quad(np.array([x, y, ceiling - 0.03]), size[0] * _EYE[0], size[1] * _EYE[1], picture)
        for x in np.arange(x0 + 0.8, x1 - 1.2, apart)
        for y in np.arange(y0 + 0.8, y1 - 0.8, apart)
    ]
