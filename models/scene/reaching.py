"""Pictures of moments in which hands are out, with whose hand is past which shelf's plane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scene.camera import Floats
from models.scene.fixtures import Fixture
from models.scene.picture import Labels
from models.scene.posture import stance_of
from models.scene.shop import ANYHOW, ASIDE, OVERHEAD, Hanging
from models.scene.shopper import HAND, act_of
from models.scene.stage import Painter, Stage, set_stage, tell
from models.scene.stance import Joint
from models.scene.story import Story, Track, Traffic, positions
from models.scene.textures import Rng

# Of each shop so many seconds are told, and so many moments of them drawn, a tenth apart at least.
_SECONDS, _MOMENTS, _STEP_S = 70.0, 36, 0.1
_HANGINGS, _SHARES = (ASIDE, OVERHEAD, ANYHOW), (0.75, 0.9)
_VISITS_EVERY_S = (3.0, 4.0, 6.0)
# A hand is stretched out from this weight on, as the truth has it; below the other it hangs.
_OUT, _HANGS = 0.3, 0.02
# How often a moment is chosen: a hand past a plane, one that is out, nobody's.
_PAST, _REACHING, _IDLE = 1.0, 0.5, 0.12
_LEAST_VISIBLE = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One picture, and its N people at Z shelves.

    Args:
        image: uint8 [H, W, 3], BGR.
        boxes: float32 [N, 4], x0 y0 x1 y1, fractions.
        visible: float32 [N], 0..1.
        keypoints: float32 [N, 17, 3], fractions and 0/1/2.
        palms: float32 [N, 2, 2], x y of the left and the right, fractions.
        past: bool [N, Z, 2], whether that hand is past that plane.
        depth: float32 [N, Z, 2], metres that it is past the plane, below 0 before it.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    visible: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    palms: NDArray[np.float32]
    past: NDArray[np.bool_]
    depth: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Shelves:
    """What a site file says of a shop: Z polygons each, float64 [P, 2], fractions."""

    shelves: tuple[Floats, ...]
    floors: tuple[Floats, ...]


def moments(seed: int) -> tuple[Shelves, Iterator[Moment]]:
    """The moments of one shop, drawn one by one.

    Args:
        seed: 0 or more; three of four cameras hang aside, as an installer hangs them.
    """
    rng = np.random.default_rng(seed)
    stage = set_stage(seed, hanging=_hanging(rng))
    story = tell(stage, Traffic(visits_every_s=float(rng.choice(_VISITS_EVERY_S))), _SECONDS)
    known = Shelves(
        tuple(zone.shelf for zone in stage.zones), tuple(zone.floor for zone in stage.zones)
    )
    return known, _drawn(stage, story, rng)


def _hanging(rng: Rng) -> Hanging:
    return _HANGINGS[int(np.searchsorted(_SHARES, rng.random(), side="right"))]


def _drawn(stage: Stage, story: Story, rng: Rng) -> Iterator[Moment]:
    fixtures = [stage.shop.fixtures[zone.fixture] for zone in stage.zones]
    times = np.arange(2, _SECONDS - 1, _STEP_S)
    worth = np.array([_worth(story, fixtures, float(t)) for t in times])
    if not worth.any():
        return
    painter = Painter(stage, story)
    count = min(_MOMENTS, int((worth > 0.1).sum()))
    for i in np.sort(rng.choice(len(times), count, False, worth / worth.sum())).tolist():
        t = float(times[i])
        image, labels = painter.frame(i, t)
        yield _labelled(stage, story, fixtures, t, image, labels)


def _worth(story: Story, fixtures: list[Fixture], t: float) -> float:
    most = 0.0
    for track, row in positions(story, t):
        out = [row[HAND + 4 * side + 3] for side in (0, 1)]
        if max(out) > _OUT:
            past = any(_past(track, row, one).any() for one in fixtures)
            most = max(most, _PAST if past else _REACHING)
        else:
            most = max(most, _REACHING if max(out) > _HANGS else _IDLE)
    return most


def _hands(track: Track, row: Floats) -> Floats:
    """Both palms, float64 [2, 3], metres."""
    joints = stance_of(act_of(row), track.person.build).joints
    return np.stack([joints[Joint.LEFT_HAND], joints[Joint.RIGHT_HAND]])


def _past(track: Track, row: Floats, fixture: Fixture) -> NDArray[np.bool_]:
    hands = _hands(track, row)
    return np.array(
        [row[HAND + 4 * side + 3] > _OUT and fixture.reached(hands[side]) for side in (0, 1)]
    )


def _labelled(
    stage: Stage, story: Story, fixtures: list[Fixture], t: float,
    image: NDArray[np.uint8], labels: Labels,
) -> Moment:  # fmt: skip
    here = {track.person.number: (track, row) for track, row in positions(story, t)}
    rows = (labels.visible >= _LEAST_VISIBLE).nonzero()[0]
    people = [here[number] for number in labels.people[rows].tolist()]
    hands = np.array([_hands(*one) for one in people]).reshape(-1, 2, 3)
    seen = stage.shop.camera.project(hands.reshape(-1, 3))[:, :2]
    palms = stage.sensor.places(seen) / stage.size
    past = [[_past(*one, fixture) for fixture in fixtures] for one in people]
    depth = [[[f.place.local(hand)[1] for hand in both] for f in fixtures] for both in hands]
    shape = (-1, len(fixtures), 2)
    return Moment(
        image,
        labels.boxes[rows],
        labels.visible[rows],
        labels.keypoints[rows],
        palms.reshape(-1, 2, 2).astype(np.float32),
        np.array(past, np.bool_).reshape(shape),
        np.array(depth, np.float32).reshape(shape),
    )
