"""What people come for: each script is a state machine that yields once a tick."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import atan2, hypot, pi, sqrt
from typing import Protocol

import numpy as np

from models.scene.camera import Floats
from models.scene.fixtures import Fixture
from models.scene.posture import stance_of
from models.scene.shop import Shop
from models.scene.shopper import TICK_S, Shopper, act_of, smooth, waiting
from models.scene.stance import Joint

Script = Iterator[None]
Spot = tuple[float, float]


class Surroundings(Protocol):
    """What a script may ask of the world."""

    shop: Shop

    def others(self, me: Shopper) -> Floats:
        """Where everybody else is, float64 [N, 2]."""

    def facing_near(self, me: Shopper, fixture: int, present: bool) -> int | None:
        """A facing within reach that is stocked, or bare, and nobody's."""

    def goal(self, facing: int) -> Floats:
        """Where a hand takes hold of its product, float64 [3]."""

    def take(self, me: Shopper, facing: int, side: int) -> bool:
        """The product leaves with the hand, if the hand is there."""

    def give(self, me: Shopper, facing: int, side: int) -> bool:
        """The product goes back, if the hand is there."""


def walk(me: Shopper, world: Surroundings, way: list[Spot], speed: float) -> Script:
    """Along a way of points, metres; gives up on a point that cannot be reached."""
    for index, spot in enumerate(way):
        last = index == len(way) - 1
        near = 0.12 if last else 0.45
        patience = 4.0 + 2.5 * hypot(spot[0] - me.x, spot[1] - me.y) / speed
        while patience > 0:
            left = me.step(spot, speed, world.shop, world.others(me))
            patience -= TICK_S
            yield
            if left < near:
                break


def stand(me: Shopper, seconds: float, towards: float, looks: list[Floats]) -> Script:
    """Stand turned to a heading and look from one thing to the next."""
    ends = np.sort(me.rng.uniform(0, seconds, max(0, len(looks) - 1))).tolist()
    gone = 0.0
    while gone < seconds:
        me.rest()
        me.turn(towards)
        if looks:
            me.gaze = looks[min(len(looks) - 1, sum(end < gone for end in ends))]
        gone += TICK_S
        yield


def move_hand(
    me: Shopper, side: int, goal: Floats, seconds: float, lean: tuple[float, float] | None = None
) -> Script:
    """Move a hand to x, y, z, weight; lean = bend and crouch to end with."""
    start = me.hands[side].copy()
    if start[3] < 0.02:
        start[:3] = goal[:3]
    bend, crouch, twist = me.bend, me.crouch, me.twist
    end_twist = 0.0 if lean is None else (-0.25 if side == 0 else 0.25)
    steps = max(1, round(seconds / TICK_S))
    for step in range(1, steps + 1):
        share = smooth(step / steps)
        me.hands[side] = start + share * (goal - start)
        if lean is not None:
            me.bend = bend + share * (lean[0] - bend)
            me.crouch = crouch + share * (lean[1] - crouch)
        me.twist = twist + share * (end_twist * goal[3] - twist)
        me.rest()
        yield


def lean_for(me: Shopper, goal: Floats, side: int) -> tuple[float, float]:
    """The least bend and crouch that bring a hand to its goal, else the most there is."""
    low = float(np.clip(1 - goal[2] / (0.55 * me.person.build.height), 0, 1))
    start = (0.3 * low, 0.8 * low) if low > 0.5 else (0.6 * low + 0.03, 0.05 * low)
    act = act_of(me.row())
    hand = np.array([*goal, 1.0])
    act = replace(act, walk=0.0, left=hand) if side == 0 else replace(act, walk=0.0, right=hand)
    for extra in np.linspace(0, 1, 9).tolist():
        bend = start[0] + extra * (0.75 - start[0])
        crouch = start[1] + extra * low * (1 - start[1])
        stance = stance_of(replace(act, bend=bend, crouch=crouch), me.person.build)
        if np.linalg.norm(stance.joints[Joint.LEFT_HAND + side] - goal) < 0.04:
            break
    return bend, crouch


def handle(me: Shopper, world: Surroundings, facing: int, aim: str) -> Script:
    """Reach for a facing: aim is pick, touch, put (from the hand) or regret (pick, put back)."""
    fixture = world.shop.fixtures[world.shop.facings[facing].fixture]
    goal = world.goal(facing)
    me.gaze = goal
    into = fixture.place.into
    left = np.array([-into[1], into[0], 0.0])
    side = 0 if float((goal - [me.x, me.y, 0]) @ left) > 0 else 1
    if me.basket:
        side = 1
    if aim == "put":
        side = me.held_hand
    yield from _step_up(me, world, fixture, goal)
    yield from _settle(me, atan2(into[1], into[0]))
    before = np.array([*(goal - 0.22 * into + [0, 0, 0.03]), 1.0])
    lean = lean_for(me, goal, side)
    yield from move_hand(me, side, before, float(me.rng.uniform(0.55, 0.95)), lean)
    inside = np.array([*goal, 1.0])
    yield from move_hand(me, side, inside, float(me.rng.uniform(0.3, 0.5)), lean)
    yield from _pause(me, float(me.rng.uniform(0.2, 0.7)))
    got = False
    if aim == "put":
        world.give(me, facing, side)
    elif aim != "touch":
        got = world.take(me, facing, side)
    yield from _pause(me, float(me.rng.uniform(0.1, 0.4)))
    yield from move_hand(me, side, before, float(me.rng.uniform(0.3, 0.5)), lean)
    yield from move_hand(
        me, side, _at_chest(me, side, got), float(me.rng.uniform(0.5, 0.9)), (0, 0)
    )
    if got:
        yield from _keep_or_not(me, world, facing, side, aim)


def _keep_or_not(me: Shopper, world: Surroundings, facing: int, side: int, aim: str) -> Script:
    me.gaze = me.hands[side][:3].copy()
    yield from _pause(me, waiting(me.rng, 0.6, 12.0, 3.0 if aim == "regret" else 1.5))
    if aim == "regret":
        yield from handle(me, world, facing, "put")
    else:
        # Into the bag, basket or trolley.
        low = _at_chest(me, side, True) - [0, 0, 0.25 * me.person.build.height, 0]
        low[:2] += 0.12 * me.ahead[:2] if me.trolley else 0.0
        yield from move_hand(me, side, low, 0.6)
        me.held = -1
        me.load += 1
    yield from move_hand(me, side, np.array([*me.hands[side][:3], 0.0]), 0.5)


def _at_chest(me: Shopper, side: int, holds: bool) -> Floats:
    tall = me.person.build.height
    aside = np.array([-me.ahead[1], me.ahead[0], 0.0]) * (1 if side == 0 else -1)
    spot = np.array([me.x, me.y, 0.66 * tall]) + 0.2 * tall * me.ahead + 0.06 * tall * aside
    return np.array([*spot, 1.0 if holds else 0.0])


def _pause(me: Shopper, seconds: float) -> Script:
    for _ in range(round(seconds / TICK_S)):
        me.rest()
        yield


def _settle(me: Shopper, heading: float) -> Script:
    """Turn until it is done, for a second and a half at most."""
    for _ in range(30):
        me.rest()
        yield
        if me.turn(heading) < 0.15:
            return


def pass_by(me: Shopper, world: Surroundings, way: list[Spot], glance: Floats | None) -> Script:
    """Come and go without stopping."""
    speed = float(np.clip(me.rng.normal(1.1, 0.2), 0.5, 1.5)) * _pace(me)
    me.gaze = glance
    yield from walk(me, world, way, speed)


def visit(
    me: Shopper, world: Surroundings, way_in: list[Spot], fixture: int, way_out: list[Spot]
) -> Script:
    """Come, stop at a fixture, perhaps take something, go."""
    rng = me.rng
    speed = float(np.clip(rng.normal(1.0, 0.2), 0.5, 1.5)) * _pace(me)
    yield from walk(me, world, way_in, speed)
    place = world.shop.fixtures[fixture].place
    towards = atan2(place.into[1], place.into[0])
    yield from stand(me, waiting(rng, 1.0, 15.0, 2.5), towards, _glances(me, world, fixture))
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.3, 0.4, 0.2, 0.1]))):
        facing = world.facing_near(me, fixture, present=True)
        if facing is not None:
            aim = str(rng.choice(["pick", "regret", "touch"], p=[0.5, 0.28, 0.22]))
            yield from handle(me, world, facing, aim)
        yield from stand(me, waiting(rng, 0.8, 14.0, 2.5), towards, _glances(me, world, fixture))
        if rng.random() < 0.35:
            yield from _sidestep(me, world, fixture)
    if rng.random() < 0.25:
        yield from stand(me, waiting(rng, 3.0, 40.0, 9.0), towards, _glances(me, world, fixture))
    me.gaze = None
    yield from walk(me, world, way_out, speed)


def restock(
    me: Shopper, world: Surroundings, way_in: list[Spot], fixture: int, way_out: list[Spot]
) -> Script:
    """Staff: fill what is bare, one facing after another, and tidy up."""
    yield from walk(me, world, way_in, 1.1)
    for _ in range(6):
        facing = world.facing_near(me, fixture, present=False)
        if facing is None:
            break
        goal = world.goal(facing)
        place = world.shop.fixtures[fixture].place
        along = float(np.clip(place.local(goal)[0], 0.5, world.shop.fixtures[fixture].width - 0.5))
        away = place.local(np.array([me.x, me.y, 0.0]))[1]
        spot = place.point(along, min(-0.4, away), 0)
        yield from walk(me, world, [(float(spot[0]), float(spot[1]))], 0.7)
        me.held, me.held_hand = facing, 1
        me.hands[1] = _at_chest(me, 1, True)
        yield from handle(me, world, facing, "put")
        yield from _pause(me, float(me.rng.uniform(0.5, 2.0)))
    me.gaze = None
    yield from walk(me, world, way_out, 1.2)


def follow(me: Shopper, world: Surroundings, leader: Shopper, offset: Spot) -> Script:
    """Stay beside somebody: partner or child; offset = ahead and left of the leader, metres."""
    while not leader.gone:
        ahead, left = offset
        side = np.array([-leader.ahead[1], leader.ahead[0]])
        spot = np.array([leader.x, leader.y]) + ahead * leader.ahead[:2] + left * side
        away = hypot(spot[0] - me.x, spot[1] - me.y)
        moving = leader.speed > 0.2
        if away > (0.25 if moving else 0.5) and (moving or away < 6):
            me.gaze = None
            pace = min(1.9, max(0.5, leader.speed) + 0.8 * (away - 0.2))
            me.step((float(spot[0]), float(spot[1])), pace, world.shop, world.others(me))
        else:
            me.rest()
            me.turn(leader.heading)
            me.gaze = leader.gaze
        yield


def _step_up(me: Shopper, world: Surroundings, fixture: Fixture, goal: Floats) -> Script:
    """Go where the goal is within an arm's length."""
    along, into, _ = fixture.place.local(np.array([me.x, me.y, 0.0]))
    wanted = fixture.place.local(goal)[0]
    arm = 0.33 * me.person.build.height
    near = float(np.clip(along, wanted - 0.15, wanted + 0.15))
    near = float(np.clip(near, 0.35, max(0.4, fixture.width - 0.35)))
    away = min(into, -0.32)
    away = max(away, -0.62 * arm)
    if hypot(near - along, away - into) > 0.06:
        spot = fixture.place.point(near, away, 0)
        yield from walk(me, world, [(float(spot[0]), float(spot[1]))], 0.5)


def _sidestep(me: Shopper, world: Surroundings, fixture: int) -> Script:
    shelf = world.shop.fixtures[fixture]
    along, into, _ = shelf.place.local(np.array([me.x, me.y, 0.0]))
    along = float(
        np.clip(
            along + me.rng.choice([-1, 1]) * me.rng.uniform(0.4, 0.9),
            0.5,
            max(0.5, shelf.width - 0.5),
        )
    )
    spot = shelf.place.point(along, into, 0)
    yield from walk(me, world, [(float(spot[0]), float(spot[1]))], 0.6)


def _glances(me: Shopper, world: Surroundings, fixture: int) -> list[Floats]:
    """A few points on the shelf before the eyes."""
    shelf = world.shop.fixtures[fixture]
    along, _, _ = shelf.place.local(np.array([me.x, me.y, 0.0]))
    return [
        shelf.place.point(along + me.rng.normal(0, 0.5), 0.1, me.rng.uniform(0.4, shelf.height))
        for _ in range(4)
    ]


def _pace(me: Shopper) -> float:
    """Short legs are slower."""
    return sqrt(me.person.build.height / 1.7)


def heading_to(a: Spot, b: Spot) -> float:
    """Radians from one point to another."""
    return (atan2(b[1] - a[1], b[0] - a[0]) + pi) % (2 * pi) - pi
