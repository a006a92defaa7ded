"""What people hold and push: products, baskets, trolleys."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, sin

import numpy as np

from models.scene import textures
from models.scene.camera import Camera
from models.scene.canvas import Canvas
from models.scene.fixtures import Place, Slot, slot_quads, solid
from models.scene.products import Product
from models.scene.quads import Layer, Picture, Quad, paint
from models.scene.stance import Joint, Stance
from models.scene.textures import Rng

_UP = np.array([0.0, 0.0, 1.0])
# A shop's trolley, metres: from the handle forwards, width, and heights of cage and handle.
_TROLLEY = {"from": 0.42, "long": 0.75, "wide": 0.5, "low": 0.42, "high": 0.92}
_BASKET = (0.42, 0.28, 0.22)


class Things:
    """The pictures of trolleys and baskets, the same for a whole shop."""

    def __init__(self, rng: Rng) -> None:
        grey = int(rng.integers(110, 200))
        self.wire = textures.mesh((grey, grey, grey), 8, 3)
        self.bar = textures.plain(textures.hsv(rng.random(), 0.8, 0.7))
        colour = textures.hsv(rng.random(), rng.uniform(0.5, 0.95), rng.uniform(0.4, 0.8))
        self.plastic = textures.mesh(colour, 6, 9)
        self.steel = textures.plain((90, 90, 95))


def draw_things(canvas: Canvas, camera: Camera, quads: Sequence[Quad]) -> None:
    """Draw them into the picture before the people; they are nobody's pixels."""
    paint(Layer(canvas.colour, canvas.depth), camera, quads)


def held(product: Product, stance: Stance, side: int, camera: Camera) -> list[Quad]:
    """The product in a hand (0 = left, 1 = right)."""
    hand = stance.joints[Joint.LEFT_HAND + side]
    across = np.array([-stance.forward[1], stance.forward[0], 0.0])
    width, _depth, height = product.size
    start = hand + across * width / 2 + stance.forward * 0.03 - 0.35 * height * _UP
    place = Place(np.array([start[0], start[1], 0.0]), -across, np.asarray(stance.forward))
    return slot_quads(place, Slot(product, 0.0, 0.0, float(start[2])), camera)


def basket(things: Things, stance: Stance, load: int) -> list[Quad]:
    """A basket that hangs from the left hand."""
    hand = stance.joints[Joint.LEFT_HAND]
    long, wide, high = _BASKET
    across = np.array([-stance.forward[1], stance.forward[0], 0.0])
    start = hand - stance.forward * long / 2 + across * wide * 0.3
    place = Place(np.array([start[0], start[1], 0.0]), np.asarray(stance.forward), -across)
    up = float(hand[2]) - 0.12 - high
    quads = _cage(place, (0, 0, up), (long, wide, up + high), things.plastic)
    handle = place.point(long * 0.48, wide * 0.3, up + high + 0.12)
    quads.append(Quad(handle, long * 0.04 * place.along, -0.12 * _UP, things.steel))
    return quads + _loaded(place, (0, 0, up), (long, wide), load)


def trolley(things: Things, x: float, y: float, heading: float, load: int) -> list[Quad]:
    """A trolley before somebody at x, y (metres) who faces heading (radians)."""
    ahead = np.array([cos(heading), sin(heading), 0.0])
    across = np.array([sin(heading), -cos(heading), 0.0])
    wide, long, low, high = (_TROLLEY[key] for key in ("wide", "long", "low", "high"))
    start = np.array([x, y, 0.0]) + ahead * _TROLLEY["from"] - across * wide / 2
    place = Place(start, across, ahead)
    quads = _cage(place, (0.03, 0.1, low), (wide - 0.03, long, high - 0.08), things.wire)
    quads += solid(place, (0, -0.02, high), (wide, 0.02, high + 0.04), things.bar)
    # Two sides of the frame, flat as they are seen: leg, runner, and a wheel at each end.
    for a in (0.03, wide - 0.03):
        for i0, i1, z0, z1 in ((0, 0.04, 0.1, high), (0.04, long - 0.1, 0.12, 0.15)):
            bar = place.point(a, i0, z1)
            quads.append(Quad(bar, (i1 - i0) * ahead, -(z1 - z0) * _UP, things.steel))
        for i in (0.0, long - 0.15):
            quads.append(Quad(place.point(a, i, 0.1), 0.1 * ahead, -0.1 * _UP, things.steel))
    return quads + _loaded(place, (0.05, 0.2, low), (wide - 0.15, long - 0.3), load)


def _cage(
    place: Place,
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    skin: Picture,
) -> list[Quad]:
    """Five sides of wire: seen from inside too."""
    front, left, right, back, _, floor = solid(place, low, high, skin)
    return [
        Quad(q.origin, q.across, q.down, q.texture, bright=q.bright)
        for q in (front, left, right, back, floor)
    ]


def _loaded(
    place: Place,
    start: tuple[float, float, float],
    room: tuple[float, float],
    load: int,
) -> list[Quad]:
    """What was put in, as boxes of a few colours."""
    quads: list[Quad] = []
    for index in range(min(load, 4)):
        a = start[0] + room[0] * 0.5 * (index % 2)
        i = start[1] + room[1] * 0.45 * (index // 2)
        tall = 0.12 + 0.05 * ((index * 7) % 3)
        skin = textures.plain(textures.hsv(0.17 + 0.29 * index, 0.6, 0.75))
        high = (a + room[0] * 0.42, i + room[1] * 0.4, start[2] + tall)
        quads += solid(place, (a, i, start[2]), high, skin)
    return quads
