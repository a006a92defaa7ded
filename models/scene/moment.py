"""Somebody at a random moment of shopping: for still pictures, where nothing comes before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from models.scene.camera import Floats
from models.scene.fixtures import Fixture
from models.scene.posture import Act
from models.scene.stance import Build
from models.scene.textures import Rng


def act_at(rng: Rng, build: Build, spot: tuple[float, float]) -> Act:
    """What somebody at this spot (metres) does."""
    makers: list[Callable[[Rng, Build, tuple[float, float]], Act]] = [_walks, _stands, _handles]
    return makers[int(rng.choice(3, p=[0.5, 0.25, 0.25]))](rng, build, spot)


def act_before(rng: Rng, fixture: Fixture, build: Build) -> Act:
    """Somebody who stands before a fixture: looks, reaches, squats, holds something."""
    reach = 0.42 * build.height
    slot = fixture.slots[int(rng.integers(len(fixture.slots)))] if fixture.slots else None
    along = float(rng.uniform(0.15, fixture.width - 0.15)) if slot is None else slot.along
    away = float(rng.uniform(0.3, 0.62))
    place = fixture.place
    spot = place.point(np.clip(along + rng.normal(0, 0.3), 0.1, fixture.width - 0.1), -away, 0)
    into = float(np.arctan2(place.into[1], place.into[0]))
    heading = into + float(rng.normal(0, 0.35))
    act = Act(float(spot[0]), float(spot[1]), heading, **_idle(rng))
    if slot is None or rng.random() < 0.35:
        return act
    goal = place.point(slot.along + slot.product.size[0] / 2, slot.into, slot.up + 0.08)
    far = min(1.0, 1.3 * reach / max(0.3, float(np.linalg.norm(goal - spot - [0, 0, 1.2]))))
    return reaching(act, build, goal, 0 if rng.random() < 0.5 else 1, far * rng.uniform(0.4, 1.0))


def reaching(act: Act, build: Build, goal: Floats, side: int, share: float) -> Act:
    """The act with a hand on its way to a point of the shop.

    Args:
        act: what else goes on.
        build: whose reach it is.
        goal: float64 [3], metres.
        side: 0 = left, 1 = right hand.
        share: 0 = not yet begun .. 1 = there.
    """
    low = float(np.clip(1 - goal[2] / (0.55 * build.height), 0, 1))
    crouch = low > 0.55 and not build.child
    hand = np.array([*goal, share])
    idle = act.right if side == 0 else act.left
    return Act(
        act.x,
        act.y,
        act.heading,
        bend=share * (0.25 * low + 0.08 if crouch else 1.15 * low + 0.06),
        crouch=share * (low if crouch else 0.12 * low),
        twist=(-0.3 if side == 0 else 0.3) * share,
        sway=act.sway,
        left=hand if side == 0 else idle,
        right=hand if side == 1 else idle,
        gaze=goal,
    )


def _idle(rng: Rng) -> dict[str, Any]:
    return {"sway": float(rng.normal(0, 0.02)), "twist": float(rng.normal(0, 0.12))}


def _walks(rng: Rng, build: Build, spot: tuple[float, float]) -> Act:
    heading, phase = rng.uniform(0, 2 * np.pi, 2)
    walk = float(rng.uniform(0.4, 1.1))
    act = Act(*spot, float(heading), float(phase), walk, 0.78 * build.height * walk)
    ahead = np.array([np.cos(heading), np.sin(heading), 0.0])
    if rng.random() < 0.2:
        return _carries(rng, act, build, ahead)
    return act


def _stands(rng: Rng, _: Build, spot: tuple[float, float]) -> Act:
    act = Act(*spot, float(rng.uniform(0, 2 * np.pi)), **_idle(rng))
    kind = rng.random()
    bend = float(rng.uniform(0.1, 0.9)) if kind < 0.15 else float(abs(rng.normal(0, 0.05)))
    crouch = float(rng.uniform(0.3, 1)) if kind > 0.88 else 0.0
    return Act(act.x, act.y, act.heading, bend=bend, crouch=crouch, twist=act.twist, sway=act.sway)


def _handles(rng: Rng, build: Build, spot: tuple[float, float]) -> Act:
    act = Act(*spot, float(rng.uniform(0, 2 * np.pi)), **_idle(rng))
    ahead = np.array([np.cos(act.heading), np.sin(act.heading), 0.0])
    return _carries(rng, act, build, ahead)


def _carries(rng: Rng, act: Act, build: Build, ahead: Floats) -> Act:
    """Something in one or both hands, or a hand at the head (telephone), or stretched out."""
    tall, aside = build.height, np.array([-ahead[1], ahead[0], 0.0])
    goals = []
    for sign in (1.0, -1.0):
        fore, out, up = rng.uniform(0.12, 0.42), rng.uniform(-0.05, 0.3), rng.uniform(0.45, 1.1)
        spot = np.array([act.x, act.y, 0.0]) + tall * fore * ahead + sign * tall * out * aside
        spot[2] = tall * up
        goals.append(np.array([*spot, float(rng.random() < 0.65)]))
    return Act(
        act.x,
        act.y,
        act.heading,
        act.phase,
        act.walk,
        act.stride,
        bend=float(abs(rng.normal(0, 0.08))),
        sway=act.sway,
        left=goals[0],
        right=goals[1],
        gaze=goals[0][:3] if rng.random() < 0.5 else None,
    )
