"""One person in motion: where they are, what their limbs do, tick by tick."""

from __future__ import annotations

from math import atan2, cos, exp, hypot, pi, sin, sqrt

import numpy as np

from models.scene.camera import Floats
from models.scene.picture import Person
from models.scene.posture import Act
from models.scene.shop import Shop
from models.scene.textures import Rng

# Seconds of one step of the simulation.
TICK_S = 0.05
# Columns of a recorded row. Hands: x, y, z, how far there; then what is looked at, and whether.
X, Y, HEADING, PHASE, WALK, STRIDE, BEND, CROUCH, TWIST, SWAY = range(10)
HAND, GAZE, HELD, HELD_HAND, LOAD, TROLLEY, COLUMNS = 10, 18, 22, 23, 24, 25, 28
# Nobody comes nearer to another than this, metres, centre to centre.
_APART_M = 0.62
# Turning: radians a second at most.
_TURN = 3.2


class Shopper:
    """The state of one person; scripts change it, the world records it.

    Args:
        person: body, clothes, number.
        rng: only this person's.
        x, y: metres.
        trolley: pushes one.
        basket: carries one.
    """

    def __init__(
        self, person: Person, rng: Rng, x: float, y: float, trolley: bool, basket: bool
    ) -> None:
        self.person = person
        self.rng = rng
        self.x, self.y = x, y
        self.heading = 0.0
        self.phase = float(rng.uniform(0, 2 * pi))
        self.walk = 0.0
        self.speed = 0.0
        self.bend = self.crouch = self.twist = 0.0
        self.hands = [np.zeros(4), np.zeros(4)]
        self.gaze: Floats | None = None
        self.held = -1
        self.held_hand = 1
        self.trolley, self.basket = trolley, basket
        self.load = 0
        self.parked = np.array([x, y, 0.0])
        self.spot: tuple[float, float] | None = None
        self._pushing = False
        self.gone = False
        self._idle = rng.uniform(0, 2 * pi, 2)
        self._sway = 0.0

    @property
    def ahead(self) -> Floats:
        """float64 [3], unit: where the chest faces."""
        return np.array([cos(self.heading), sin(self.heading), 0.0])

    def tick(self, t: float) -> None:
        """What goes on by itself: the weight shifts, limbs swing out."""
        still = 1 - self.walk
        self._sway = still * 0.03 * sin(0.5 * t + float(self._idle[0]))
        self.twist += still * 0.0015 * sin(0.31 * t + float(self._idle[1]))
        if self.trolley:
            self._push()

    def _push(self) -> None:
        """Hands on the trolley's handle and the trolley ahead; who stops lets it stand."""
        if self.walk < 0.4:
            if self._pushing:
                for hand in self.hands:
                    hand[3] *= 0.8
                self._pushing = self.hands[0][3] > 0.05
            return
        off = (self.heading - self.parked[2] + pi) % (2 * pi) - pi
        start = 1.0 if not self._pushing and self.load == 0 else 0.2
        self.parked += start * np.array([self.x - self.parked[0], self.y - self.parked[1], off])
        self._pushing = True
        tall = self.person.build.height
        side = np.array([-self.ahead[1], self.ahead[0], 0.0])
        for index, sign in enumerate((1.0, -1.0)):
            goal = np.array([self.x, self.y, 0.93])
            goal = goal + 0.24 * tall * self.ahead + sign * 0.11 * tall * side
            self.hands[index] = np.array([*goal, 1.0])

    def turn(self, towards: float) -> float:
        """Turn a tick's worth towards a heading; returns what is left, radians."""
        off = (towards - self.heading + pi) % (2 * pi) - pi
        most = _TURN * TICK_S
        self.heading += max(-most, min(most, off))
        return abs(off)

    def step(self, goal: tuple[float, float], speed: float, shop: Shop, others: Floats) -> float:
        """Walk a tick's worth towards a goal.

        Args:
            goal: x, y, metres.
            speed: metres a second.
            shop: whose fixtures are gone round.
            others: float64 [N, 2], where other people are.

        Returns:
            The distance left, metres.
        """
        way_x, way_y = goal[0] - self.x, goal[1] - self.y
        left = hypot(way_x, way_y)
        if left < 1e-6:
            return 0.0
        vx, vy = way_x / left, way_y / left
        push_x, push_y = self._avoid(vx, vy, others)
        vx, vy = vx + push_x, vy + push_y
        length = max(1e-6, hypot(vx, vy))
        facing = cos(self._off(atan2(vy, vx)))
        # Who must turn first walks slower meanwhile.
        wanted = speed * max(0.15, facing) * min(1.0, length)
        self.speed += max(-2.5 * TICK_S, min(1.8 * TICK_S, wanted - self.speed))
        pace = min(self.speed, left / TICK_S)
        x, y = self.x + vx / length * pace * TICK_S, self.y + vy / length * pace * TICK_S
        self._move(x, y, shop)
        self.turn(atan2(vy, vx))
        self._gait()
        return hypot(goal[0] - self.x, goal[1] - self.y)

    def rest(self) -> None:
        """A tick of standing: the last step comes to its end."""
        self.speed = 0.0
        self.walk = max(0.0, self.walk - TICK_S / 0.35)
        self._gait()

    def _off(self, towards: float) -> float:
        return (towards - self.heading + pi) % (2 * pi) - pi

    def _avoid(self, vx: float, vy: float, others: Floats) -> tuple[float, float]:
        push_x = push_y = 0.0
        for ox, oy in others.tolist():
            dx, dy = self.x - ox, self.y - oy
            apart = hypot(dx, dy)
            if not 1e-6 < apart < 1.5:
                continue
            ahead = -(dx * vx + dy * vy) / apart
            if ahead > 0.2:
                # Pass on the side where there is more room, on the right when in doubt.
                side = 1.0 if dx * vy - dy * vx >= -0.05 else -1.0
                force = 0.9 * (1.5 - apart) * ahead
                push_x += side * vy * force
                push_y -= side * vx * force
            if apart < _APART_M:
                push_x += dx / apart * 2.5 * (_APART_M - apart)
                push_y += dy / apart * 2.5 * (_APART_M - apart)
        return push_x, push_y

    def _move(self, x: float, y: float, shop: Shop) -> None:
        if shop.free(x, y, 0.22) or not shop.free(self.x, self.y, 0.22):
            self.x, self.y = x, y
        elif shop.free(x, self.y, 0.22):
            self.x = x
        elif shop.free(self.x, y, 0.22):
            self.y = y

    def _gait(self) -> None:
        if self.speed > 0.05:
            self.walk += (min(1.0, 0.35 + 0.6 * self.speed) - self.walk) * TICK_S / 0.25
        # Stride grows with the root of the speed (Grieve and Gear, 1966).
        pace = self.speed if self.speed > 0.05 else 0.5 * self.walk
        self.phase += 2 * pi * pace * TICK_S / self.stride

    @property
    def stride(self) -> float:
        """Metres of two steps at this speed."""
        return 0.80 * self.person.build.height * max(0.35, sqrt(max(self.speed, 0.3) / 1.3))

    def row(self) -> Floats:
        """This tick for the record, float64 [COLUMNS]."""
        row = np.zeros(COLUMNS)
        row[:GAZE] = (
            self.x,
            self.y,
            self.heading,
            self.phase,
            self.walk,
            self.stride,
            self.bend,
            self.crouch,
            self.twist,
            self._sway,
            *self.hands[0],
            *self.hands[1],
        )
        if self.gaze is not None:
            row[GAZE:HELD] = (*self.gaze, 1.0)
        row[HELD:TROLLEY] = self.held, self.held_hand, self.load
        row[TROLLEY:] = self.parked
        return row


def act_of(row: Floats) -> Act:
    """The recorded row as an act."""
    x, y, heading, phase, walk, stride, bend, crouch, twist, sway = row[:HAND].tolist()
    gaze = row[GAZE : GAZE + 3] if row[GAZE + 3] > 0.5 else None
    left, right = row[HAND : HAND + 4], row[HAND + 4 : GAZE]
    return Act(x, y, heading, phase, walk, stride, bend, crouch, twist, sway, left, right, gaze)


def smooth(share: float) -> float:
    """0..1 that starts and ends gently."""
    share = min(1.0, max(0.0, share))
    return share * share * (3 - 2 * share)


def waiting(rng: Rng, least: float, most: float, usual: float) -> float:
    """Seconds: log-normal about the usual, within bounds."""
    return float(min(most, max(least, usual * exp(0.7 * rng.normal()))))
