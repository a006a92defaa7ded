"""One seed's shop with all that is needed to draw it, and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scene.backdrop import Backdrop, draw_backdrop
from models.scene.canvas import Canvas
from models.scene.lens import Lens, Sensor
from models.scene.light import Light
from models.scene.picture import (
    Labels,
    Person,
    as_fractions,
    canvas_on,
    draw_people,
    in_sight,
    smear,
)
from models.scene.posture import stance_of
from models.scene.quads import Layer, Quad
from models.scene.shop import ASIDE, Hanging, Shop, random_shop
from models.scene.shopper import HELD, TROLLEY, X, Y, act_of
from models.scene.stance import Joint, Stance
from models.scene.story import Story, Track, Traffic, positions
from models.scene.things import Things, basket, draw_things, held, trolley
from models.scene.ways import Ways, find_ways
from models.scene.world import simulate
from models.scene.zones import SceneZone, with_facings, zones_of

# Spawn keys of a seed: each kind of chance has its own, so that none disturbs another.
_SHOP, _NOISE, _FRAME, _PEOPLE = range(4)
# Shops are drawn until one has a way through and products to take.
_TRIES = 40
_LEAST_FACINGS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A shop, ready to be drawn.

    Args:
        seed: all of it follows from this,
        size: and this: width, height, pixels.
        shop: room, fixtures, camera.
        light: the lamps.
        backdrop: its picture without people.
        sensor: what the camera makes of a picture.
        zones: those with a way to them, the main one first.
        ways: through the shop.
        things: baskets and trolleys.
    """

    seed: int
    size: tuple[int, int]
    shop: Shop
    light: Light
    backdrop: Backdrop
    sensor: Sensor
    zones: tuple[SceneZone, ...]
    ways: Ways
    things: Things


def set_stage(seed: int, size: tuple[int, int] = (640, 360), hanging: Hanging = ASIDE) -> Stage:
    """The shop of a seed.

    Args:
        seed: 0 or more.
        size: width, height of the picture, pixels.
        hanging: where its camera may hang.
    """
    for attempt in range(_TRIES):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SHOP, attempt)))
        shop = with_facings(rng, random_shop(rng, size, hanging), hanging.facing_px)
        if sum(facing.fixture == 0 for facing in shop.facings) < _LEAST_FACINGS:
            continue
        light = Light.random(rng)
        noise = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_NOISE,)))
        sensor = Sensor(Lens.random(rng), size, noise)
        backdrop = draw_backdrop(shop, light)
        zones = zones_of(shop, backdrop, sensor)
        if not zones:
            continue
        ways = find_ways(shop, backdrop, [zone.fixture for zone in zones])
        if len(ways.sides(0)) < 2:
            continue
        good = tuple(zone for zone in zones if len(ways.sides(zone.fixture)) > 0)
        return Stage(seed, size, shop, light, backdrop, sensor, good, ways, Things(rng))
    raise AssertionError(f"no shop in {_TRIES} tries of seed {seed}")


def tell(stage: Stage, traffic: Traffic, seconds: float) -> Story:
    """What happens in the shop."""
    seed = np.random.SeedSequence(stage.seed, spawn_key=(_PEOPLE,))
    fixtures = [zone.fixture for zone in stage.zones]
    return simulate(seed, stage.shop, stage.ways, fixtures, traffic, seconds)


class Painter:
    """Draws one frame after another; keeps the shop's picture while the stock stays."""

    def __init__(self, stage: Stage, story: Story) -> None:
        self._stage, self._story = stage, story
        self._stock: tuple[bool, ...] | None = None
        self._layer: Layer = stage.backdrop.bare

    def frame(self, index: int, t: float) -> tuple[NDArray[np.uint8], Labels]:
        """The frame and its labels as fractions.

        Args:
            index: frame number; its noise follows from it.
            t: seconds.
        """
        stage = self._stage
        stock = self._story.stock_at(t)
        if stock != self._stock:
            self._stock, self._layer = stock, stage.backdrop.stocked(stock)
        cast = [
            (track, row, stance_of(act_of(row), track.person.build))
            for track, row in positions(self._story, t)
        ]
        canvas = canvas_on(self._layer)
        draw_things(canvas, stage.shop.camera, self._things(cast))
        people = [(track.person, stance) for track, _, stance in cast]
        labels = draw_people(canvas, stage.shop.camera, stage.light, people)
        self._blur(canvas, labels, people, t)
        seed = np.random.SeedSequence(stage.seed, spawn_key=(_FRAME, index))
        image = stage.sensor.expose(canvas.colour, np.random.default_rng(seed))
        return image, as_fractions(labels, stage.sensor, stage.size)

    def _things(self, cast: Sequence[tuple[Track, NDArray[np.float64], Stance]]) -> list[Quad]:
        stage, quads = self._stage, []
        for track, row, stance in cast:
            if not in_sight(stage.shop.camera, stance) and not track.trolley:
                continue
            facing, side, load = (round(value) for value in row[HELD:TROLLEY].tolist())
            if track.trolley:
                x, y, heading = row[TROLLEY:].tolist()
                quads += trolley(stage.things, x, y, heading, load)
            if track.basket:
                quads += basket(stage.things, stance, load)
            if facing >= 0:
                product = stage.shop.slot(stage.shop.facings[facing]).product
                quads += held(product, stance, side, stage.shop.camera)
        return quads

    def _blur(
        self,
        canvas: Canvas,
        labels: Labels,
        people: Sequence[tuple[Person, Stance]],
        t: float,
    ) -> None:
        shutter, camera = self._stage.sensor.lens.shutter_s, self._stage.shop.camera
        before = {
            track.person.number: row[[X, Y]] for track, row in positions(self._story, t - 0.1)
        }
        boxes = dict(zip(labels.people.tolist(), labels.boxes, strict=True))
        for mark, (person, stance) in enumerate(people, start=1):
            if person.number not in before or person.number not in boxes:
                continue
            chest = stance.joints[Joint.CHEST]
            here = stance.joints[Joint.PELVIS, :2]
            way = np.array([*(here - before[person.number]), 0.0]) * shutter / 0.1
            seen = camera.project(np.stack([chest, chest + way]))
            if seen[:, 2].min() > 0.5:
                smear(canvas, mark, boxes[person.number], seen[1, :2] - seen[0, :2])
