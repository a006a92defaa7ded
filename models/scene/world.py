"""The shop's life without pictures: who comes, what they do, what becomes of the stock."""

from __future__ import annotations

from dataclasses import replace
from math import hypot

import numpy as np

from models.scene import scripts
from models.scene.camera import Floats
from models.scene.figure import build_random
from models.scene.look import Look
from models.scene.picture import Person
from models.scene.posture import stance_of
from models.scene.shop import Shop
from models.scene.shopper import TICK_S, Shopper, act_of
from models.scene.stance import Build, Joint
from models.scene.story import StockEvent, Story, Track, Traffic
from models.scene.textures import Rng
from models.scene.ways import Spot, Ways

# Life goes on for so long before the first frame, seconds.
WARM_S = 25.0
# Shares of those who come: pass over the floor, stop at it, pass outside of it.
_PASS, _VISIT = 0.44, 0.40
_COUPLE, _WITH_CHILD, _TROLLEY, _BASKET = 0.12, 0.08, 0.12, 0.2
# Visits to the main floor that one arrival makes on average, by the shares above.
_VISITS_PER_ARRIVAL = 1.2
_MOST_PEOPLE = 7
# A hand this near to a product's place takes hold of it, metres.
_GRIP_M = 0.28
# Share of bare facings at which staff come.
_BARE = 0.3


def simulate(
    seed: np.random.SeedSequence,
    shop: Shop,
    ways: Ways,
    fixtures: list[int],
    traffic: Traffic,
    seconds: float,
) -> Story:
    """Let people live in the shop.

    Args:
        seed: of this clip's people.
        shop: with its facings.
        ways: through it.
        fixtures: those with a zone, the main one first.
        traffic: how many come.
        seconds: of the clip.
    """
    return World(seed, shop, ways, fixtures, traffic).live(seconds)


class World:
    """The simulation; `live` runs it."""

    def __init__(
        self,
        seed: np.random.SeedSequence,
        shop: Shop,
        ways: Ways,
        fixtures: list[int],
        traffic: Traffic,
    ) -> None:
        self.shop = shop
        self._ways, self._fixtures, self._traffic = ways, fixtures, traffic
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._stocked = [bool(self._rng.random() < 0.9) for _ in shop.facings]
        self._wanted: set[int] = set()
        self._people: list[tuple[Shopper, scripts.Script, list[Floats], int]] = []
        self._tracks: list[Track] = []
        self._events: list[StockEvent] = []
        self._count = 0
        self._t = -WARM_S
        self._next = self._t
        self._until = np.inf if traffic.busy >= 1 else self._t + self._burst()
        self._in_view_s = 0.0

    def live(self, seconds: float) -> Story:
        """Run from before the clip's start to its end."""
        stocked = list(self._stocked)
        for tick in range(-round(WARM_S / TICK_S), round(seconds / TICK_S) + 2):
            self._t = tick * TICK_S
            if tick == 0:
                stocked = list(self._stocked)
                self._events.clear()
            self._arrivals()
            self._step(tick)
        for shopper, _, rows, start in self._people:
            self._close(shopper, rows, start)
        tracks = tuple(sorted(self._tracks, key=lambda track: track.person.number))
        return Story(tracks, tuple(stocked), tuple(self._events), seconds)

    # What scripts ask for.

    def others(self, me: Shopper) -> Floats:
        """Where everybody else is, float64 [N, 2]."""
        spots = [(one.x, one.y) for one, *_ in self._people if one is not me]
        return np.array(spots).reshape(-1, 2)

    def facing_near(self, me: Shopper, fixture: int, present: bool) -> int | None:
        """A facing of the fixture that is stocked (or bare) and nobody else wants."""
        place = self.shop.fixtures[fixture].place
        along, _, _ = place.local(np.array([me.x, me.y, 0.0]))
        reach = 0.9 if present else 9.0
        good = []
        for index, facing in enumerate(self.shop.facings):
            slot = self.shop.slot(facing)
            apart = abs(slot.along + slot.product.size[0] / 2 - along)
            high = slot.up + 0.1 > 1.12 * me.person.build.height
            if facing.fixture != fixture or apart > reach or high:
                continue
            if self._stocked[index] == present and index not in self._wanted:
                good.append(index)
        if not good:
            return None
        return int(me.rng.choice(good))

    def goal(self, facing: int) -> Floats:
        """Where a hand takes hold of the facing's product."""
        where = self.shop.facings[facing]
        slot, place = self.shop.slot(where), self.shop.fixtures[where.fixture].place
        width, depth, height = slot.product.size
        up = slot.up + min(0.6 * height, 0.16)
        return place.point(slot.along + width / 2, slot.into + 0.5 * depth, up)

    def take(self, me: Shopper, facing: int, side: int) -> bool:
        """The product leaves with the hand, if the hand is there and the product still is."""
        if not self._stocked[facing] or not self._at(me, facing, side):
            return False
        self._change(me, facing, False)
        me.held, me.held_hand = facing, side
        return True

    def give(self, me: Shopper, facing: int, side: int) -> bool:
        """The product goes back, if the hand is there."""
        if self._stocked[facing] or not self._at(me, facing, side):
            me.held = -1
            return False
        self._change(me, facing, True)
        me.held = -1
        return True

    def _at(self, me: Shopper, facing: int, side: int) -> bool:
        hand = stance_of(act_of(me.row()), me.person.build).joints[Joint.LEFT_HAND + side]
        fixture = self.shop.fixtures[self.shop.facings[facing].fixture]
        return fixture.reached(hand) and float(np.linalg.norm(hand - self.goal(facing))) < _GRIP_M

    def _change(self, me: Shopper, facing: int, present: bool) -> None:
        self._stocked[facing] = present
        event = StockEvent(self._t, facing, present, me.person.number, me.person.staff)
        self._events.append(event)

    # Coming, going, moving.

    def _step(self, tick: int) -> None:
        stay = []
        for entry in self._people:
            shopper, script, rows, start = entry
            if next(script, _OVER) is _OVER:
                shopper.gone = True
                self._close(shopper, rows, start)
                continue
            shopper.tick(self._t)
            if tick >= 0:
                rows.append(shopper.row())
            stay.append(entry)
        self._people = stay
        if any(self._in_view(shopper) for shopper, *_ in stay):
            self._in_view_s += TICK_S

    def _close(self, shopper: Shopper, rows: list[Floats], start: int) -> None:
        if rows:
            track = Track(shopper.person, start, np.array(rows), shopper.trolley, shopper.basket)
            self._tracks.append(track)

    def _in_view(self, shopper: Shopper) -> bool:
        camera = self.shop.camera
        x, y, depth = camera.project(np.array([shopper.x, shopper.y, 0.9])).tolist()
        return bool(depth > 0.3 and 0 <= x <= camera.width and 0 <= y <= camera.height)

    def _burst(self) -> float:
        return float(self._rng.uniform(4, 22))

    def _arrivals(self) -> None:
        busy = self._traffic.busy
        if busy < 1 and self._t > self._until and not self._people:
            # The shop is empty: it stays so until the share of busy time is right.
            pause = self._in_view_s * (1 - busy) / busy * float(self._rng.uniform(0.7, 1.3))
            self._next = self._t + max(2.0, pause)
            self._until = self._next + self._burst()
            self._in_view_s = 0.0
        if self._t < self._next or self._t > self._until:
            return
        mean = self._traffic.visits_every_s * _VISITS_PER_ARRIVAL
        self._next = self._t + float(np.clip(self._rng.exponential(mean), 0.8, 4 * mean))
        if len(self._people) < _MOST_PEOPLE:
            self._arrive()

    def _arrive(self) -> None:
        rng = self._rng
        bare = [index for index, here in enumerate(self._stocked) if not here]
        staff_here = any(shopper.person.staff for shopper, *_ in self._people)
        main = self._fixtures[0]
        if self._stocked and len(bare) > _BARE * len(self._stocked) and not staff_here:
            fixture = self.shop.facings[bare[0]].fixture
            self._staff(fixture)
            return
        fixture = (
            main if rng.random() < 0.82 else self._fixtures[int(rng.integers(len(self._fixtures)))]
        )
        kind = rng.random()
        leader = None
        if _PASS <= kind < _PASS + _VISIT:
            leader = self._visitor(fixture)
        if leader is None:
            leader = self._passer(fixture, inside=kind < _PASS + _VISIT)
        if leader is not None:
            self._company(leader)

    def _visitor(self, fixture: int) -> Shopper | None:
        spot = self._spot(fixture)
        if spot is None:
            return None
        way_in = self._ways.to(self._rng, fixture, spot)
        way_out = self._ways.to(self._rng, fixture, spot)[::-1][1:]
        me = self._somebody(way_in)
        me.spot = spot
        self._enter(me, scripts.visit(me, self, way_in[1:], fixture, way_out))
        return me

    def _passer(self, fixture: int, inside: bool) -> Shopper | None:
        way = self._ways.through(self._rng, fixture, inside)
        if way is None:
            way = self._ways.through(self._rng, self._fixtures[0], True)
        if way is None:
            return None
        me = self._somebody(way)
        glance = None
        if inside and self._rng.random() < 0.5:
            shelf = self.shop.fixtures[fixture]
            glance = shelf.place.point(shelf.width / 2, 0.1, 1.2)
        self._enter(me, scripts.pass_by(me, self, way[1:], glance))
        return me

    def _staff(self, fixture: int) -> None:
        if fixture not in self._fixtures:
            return
        spot = self._spot(fixture) or (0.0, -0.5)
        way_in = self._ways.to(self._rng, fixture, spot)
        way_out = self._ways.to(self._rng, fixture, spot)[::-1][1:]
        me = self._somebody(way_in, staff=True)
        me.spot = spot
        self._enter(me, scripts.restock(me, self, way_in[1:], fixture, way_out))

    def _company(self, leader: Shopper) -> None:
        """Some come in two: a partner or a child."""
        kind = self._rng.random()
        if kind > _COUPLE + _WITH_CHILD:
            return
        child = kind > _COUPLE
        side = float(self._rng.choice([-1, 1]))
        if leader.spot is None:
            # Who only passes goes in file: side by side one of them would graze the floor's border.
            offset = (float(self._rng.uniform(-0.95, -0.7)), 0.12 * side)
        else:
            offset = (float(self._rng.uniform(-0.2, 0.05)), side * (0.62 if child else 0.72))
        start = (leader.x + 0.4 * side, leader.y + 0.4)
        if not self.shop.free(*start, 0.25):
            start = (leader.x, leader.y)
        me = self._somebody([start, (leader.x, leader.y)], child=child, alone=False)
        self._enter(me, scripts.follow(me, self, leader, offset))

    def _spot(self, fixture: int) -> Spot | None:
        """A free place before the shelf."""
        shelf = self.shop.fixtures[fixture]
        taken = [one.spot for one, *_ in self._people if one.spot is not None]
        for _ in range(12):
            along = float(self._rng.uniform(0.5, max(0.6, shelf.width - 0.5)))
            point = shelf.place.point(along, -float(self._rng.uniform(0.4, 0.58)), 0)
            x, y = float(point[0]), float(point[1])
            if all(hypot(x - a, y - b) > 0.75 for a, b in taken):
                return x, y
        return None

    def _somebody(
        self, way: list[Spot], staff: bool = False, child: bool = False, alone: bool = True
    ) -> Shopper:
        self._count += 1
        seed = np.random.SeedSequence(
            self._seed.entropy, spawn_key=(*self._seed.spawn_key, self._count)
        )
        rng = np.random.default_rng(seed)
        build = _build(rng, child)
        look = Look.random(rng, build)
        if staff:
            look = _uniform(look, self._seed)
        person = Person(self._count, build, look, staff)
        loads = alone and not staff and not build.child
        trolley = loads and bool(rng.random() < _TROLLEY)
        basket = loads and not trolley and bool(rng.random() < _BASKET)
        me = Shopper(person, rng, *way[0], trolley, basket)
        me.heading = scripts.heading_to(way[0], way[1])
        return me

    def _enter(self, me: Shopper, script: scripts.Script) -> None:
        start = max(0, round(self._t / TICK_S))
        self._people.append((me, script, [], start))


_OVER = object()


def _build(rng: Rng, child: bool) -> Build:
    """Somebody of the wanted age: alone come adults only."""
    for _ in range(60):
        build = build_random(rng)
        if build.child == child:
            return build
    return Build(1.2, 1.0, child=True) if child else Build(1.7)


def _uniform(look: Look, seed: np.random.SeedSequence) -> Look:
    """The shop's own shirt: the same on all its staff."""
    rng = np.random.default_rng(
        np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, 0))
    )
    hue = [int(value) for value in rng.integers(20, 220, 3)]
    colour = (hue[0], hue[1], hue[2])
    top = replace(look.top, colour=colour)
    return replace(look, top=top, hat_colour=colour)
