"""Shelves, fridges and tables: boards, what lies on them, and where a hand finds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from models.scene import textures
from models.scene.camera import Camera, Floats
from models.scene.products import Kind, Product, random_product
from models.scene.quads import Picture, Quad
from models.scene.textures import Rng

_UP = np.array([0.0, 0.0, 1.0])
# Light that reaches a face, relative to the one towards the room.
_SIDE, _TOP, _BACK = 0.78, 1.08, 0.6
# Everything that a board may carry; a fixture sells one or two kinds a board.
_ALL = tuple(Kind)


class Style(Enum):
    """What kind of fixture."""

    GONDOLA = "gondola"
    FRIDGE = "fridge"
    TABLE = "table"


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a fixture stands, as who faces it says.

    Args:
        origin: float64 [3], metres: its front left corner on the floor.
        along: float64 [3], unit: to the right.
        into: float64 [3], unit: from the front to the back.
    """

    origin: Floats
    along: Floats
    into: Floats
    _level: tuple[float, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        level = (*self.origin[:2], *self.along[:2], *self.into[:2])
        object.__setattr__(self, "_level", tuple(float(value) for value in level))

    def on_floor(self, x: float, y: float) -> tuple[float, float]:
        """Along and into of a point of the floor; asked too often for arrays."""
        x0, y0, along_x, along_y, into_x, into_y = self._level
        x, y = x - x0, y - y0
        return x * along_x + y * along_y, x * into_x + y * into_y

    @classmethod
    def facing(cls, middle: tuple[float, float], turn_deg: float, width: float) -> Place:
        """Front centred on a point of the floor; 0 degrees: shoppers stand at smaller y."""
        turn = np.radians(turn_deg)
        along = np.array([np.cos(turn), np.sin(turn), 0.0])
        into = np.array([-np.sin(turn), np.cos(turn), 0.0])
        return cls(np.array([*middle, 0.0]) - along * width / 2, along, into)

    def point(self, along: float, into: float, up: float) -> Floats:
        """A point of the fixture in the shop, float64 [3], metres."""
        there: Floats = self.origin + along * self.along + into * self.into + up * _UP
        return there

    def local(self, point: Floats) -> tuple[float, float, float]:
        """A point of the shop as along, into, up."""
        way = point - self.origin
        return float(way @ self.along), float(way @ self.into), float(way[2])


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One product's place on a board.

    Args:
        product: what belongs there.
        along: metres, its left edge.
        into: metres, its front.
        up: metres, the board it stands on.
    """

    product: Product
    along: float
    into: float
    up: float


@dataclass(frozen=True, slots=True, eq=False)
class Fixture:
    """One shelf, fridge or table with all that never moves on it.

    Args:
        style: which kind.
        place: where it stands.
        width, depth, height: metres.
        boards: heights of the boards' tops, metres, lowest first.
        quads: what is drawn of it, products apart.
        slots: all products.
    """

    style: Style
    place: Place
    width: float
    depth: float
    height: float
    boards: tuple[float, ...]
    quads: tuple[Quad, ...]
    slots: tuple[Slot, ...]

    @property
    def footprint(self) -> Floats:
        """float64 [4, 2], metres: its corners on the floor."""
        p, w, d = self.place, self.width, self.depth
        return np.array([p.point(a, i, 0)[:2] for a, i in ((0, 0), (w, 0), (w, d), (0, d))])

    @property
    def shelf_corners(self) -> Floats:
        """float64 [4, 3]: the opening that a hand goes through; of a table its top."""
        p, w, low = self.place, self.width, max(0.0, self.boards[0] - 0.02)
        if self.style is Style.TABLE:
            spots = ((0, self.depth, low), (w, self.depth, low), (w, 0, low), (0, 0, low))
        else:
            top = self.height
            spots = ((0, 0, top), (w, 0, top), (w, 0, low), (0, 0, low))
        return np.array([p.point(*spot) for spot in spots])

    def reached(self, hand: Floats) -> bool:
        """Whether a hand (float64 [3]) is past the shelf's plane."""
        along, into, up = self.place.local(hand)
        beside = -0.05 <= along <= self.width + 0.05
        return beside and 0.0 < into < self.depth and self.boards[0] - 0.1 < up < self.height + 0.35


def solid(
    place: Place,
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    picture: Picture,
    side: Picture | None = None,
) -> list[Quad]:
    """A box from low to high (along, into, up): front, left, right, back, top, underside."""
    (a0, i0, z0), (a1, i1, z1) = low, high
    other = picture if side is None else side
    width, depth, height = (a1 - a0) * place.along, (i1 - i0) * place.into, (z1 - z0) * _UP

    def face(
        spot: tuple[float, float, float], across: Floats, down: Floats, skin: Picture, lit: float
    ) -> Quad:
        return Quad(place.point(*spot), across, down, skin, bright=lit, closed=True)

    return [
        face((a0, i0, z1), width, -height, picture, 1.0),
        face((a0, i1, z1), -depth, -height, other, _SIDE),
        face((a1, i0, z1), depth, -height, other, _SIDE),
        face((a1, i1, z1), -width, -height, other, _BACK),
        face((a0, i1, z1), width, -depth, other, _TOP),
        face((a0, i0, z0), width, depth, other, _BACK),
    ]


def slot_quads(place: Place, slot: Slot, camera: Camera, rows: int = 1) -> list[Quad]:
    """The product in its slot; rows of the same stand behind it."""
    product = slot.product
    width, depth, height = product.size
    quads = []
    for row in reversed(range(rows)):
        into = slot.into + row * depth * 1.05
        if product.kind is Kind.BOX:
            low = (slot.along, into, slot.up)
            high = (slot.along + width, into + depth, slot.up + height)
            quads += solid(place, low, high, product.front, product.side)
            continue
        middle = place.point(slot.along + width / 2, into + depth / 2, slot.up + height)
        # What is round looks the same from all sides: it is turned to the camera.
        view = middle[:2] - camera.position[:2]
        right = np.array([view[1], -view[0], 0.0]) / max(1e-6, float(np.hypot(*view)))
        quads.append(Quad(middle - right * width / 2, right * width, -height * _UP, product.front))
    return quads


def gondola(rng: Rng, place: Place, width: float, tall: bool, style: Style) -> Fixture:
    """A shelf or an open fridge with products on all its boards."""
    height = float(rng.uniform(1.7, 2.25) if tall else rng.uniform(1.1, 1.55))
    depth = float(rng.uniform(0.35, 0.6))
    count = round((height - 0.2) / rng.uniform(0.3, 0.42))
    boards = tuple(float(z) for z in np.linspace(rng.uniform(0.1, 0.25), height - 0.3, count))
    if style is Style.FRIDGE:
        skin, inside = _metal(rng), textures.plain(textures.hsv(0.55, 0.05, rng.uniform(0.7, 1)))
    else:
        skin, inside = _skin(rng), _skin(rng)
    edge = 0.03
    quads = [
        *solid(place, (0, 0, 0), (edge, depth, height), skin),
        *solid(place, (width - edge, 0, 0), (width, depth, height), skin),
        *solid(place, (0, depth - edge, 0), (width, depth, height), inside, skin),
        *solid(place, (0, 0.01, 0), (width, depth, boards[0]), skin),
    ]
    if rng.random() < 0.6 or style is Style.FRIDGE:
        sign = textures.poster(rng, 200, 24)
        quads += solid(place, (0, 0, height), (width, depth, height + 0.16), sign, skin)
    for up in boards[1:]:
        quads += solid(place, (edge, 0.01, up - 0.025), (width - edge, depth, up), inside)
    strip = textures.price_strip(rng, max(64, int(width * 120)))
    for up in boards:
        start = place.point(0, 0, up + 0.012)
        quads.append(Quad(start, width * place.along, -0.045 * _UP, strip, closed=True))
    slots: list[Slot] = []
    tops = (*boards[1:], height)
    for up, top in zip(boards, tops, strict=True):
        slots += _fill(rng, width, up, min(0.36, top - up - 0.06), (edge, 0.02))
    return Fixture(style, place, width, depth, height, boards, tuple(quads), tuple(slots))


def table(rng: Rng, place: Place, width: float) -> Fixture:
    """A table or a crate stand with rows of products on it."""
    up, depth = float(rng.uniform(0.72, 0.95)), float(rng.uniform(0.7, 1.0))
    skin = textures.planks(rng, 128, 4) if rng.random() < 0.6 else _skin(rng)
    quads = solid(place, (0, 0, up - 0.06), (width, depth, up), skin)
    if rng.random() < 0.5:
        quads += solid(place, (0.05, 0.05, 0), (width - 0.05, depth - 0.05, up - 0.06), skin)
    else:
        for a in (0.03, width - 0.1):
            for i in (0.03, depth - 0.1):
                quads += solid(place, (a, i, 0), (a + 0.07, i + 0.07, up - 0.06), skin)
    slots: list[Slot] = []
    into = 0.06
    while into < depth - 0.2:
        slots += _fill(rng, width, up, 0.24, (0.04, into), (Kind.FRUIT, Kind.BOX, Kind.CAN))
        into += 0.22
    return Fixture(Style.TABLE, place, width, depth, up, (up,), tuple(quads), tuple(slots))


def _fill(
    rng: Rng,
    width: float,
    up: float,
    most_height: float,
    start: tuple[float, float],
    kinds: tuple[Kind, ...] = _ALL,
) -> list[Slot]:
    """One board: runs of the same article side by side, some places bare."""
    along, into = start
    chosen = tuple(kinds[int(i)] for i in rng.integers(len(kinds), size=2))
    slots = []
    while along < width - start[0] - 0.3:
        product = random_product(rng, most_height, chosen)
        for _ in range(int(rng.integers(1, 6))):
            if along + product.size[0] > width - start[0]:
                break
            if rng.random() < 0.94:
                slots.append(Slot(product, along, into, up))
            along += product.size[0] * 1.06 + 0.004
        along += float(rng.uniform(0, 0.04))
    return slots


def _skin(rng: Rng) -> Picture:
    if rng.random() < 0.3:
        return textures.planks(rng, 128, 3)
    colour = textures.hsv(rng.random(), rng.uniform(0, 0.5) ** 2 * 2, rng.uniform(0.25, 0.95))
    return textures.speckled(rng, colour, 48, rng.uniform(0.5, 4))


def _metal(rng: Rng) -> Picture:
    return textures.speckled(rng, textures.hsv(0.6, 0.05, rng.uniform(0.3, 0.9)), 48, 2)
