"""What moves past the plane of one shelf: the second witness beside the skeleton.

Works on one small patch of the picture around the shelf's polygon, in RAM. What it says of a frame
are `Intrusion` values: which part of the patch something covers that reaches in from outside, how
far in its tip is, and whose arm it continues, if a person's is known. Bodies that pass in front are
left out where a box says that they are bodies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import cv2
import numpy as np

from edge_agent.geometry import Point
from edge_agent.observations import Floats, Frame, Tracks
from edge_agent.shelf.bodies import Arm
from edge_agent.shelf.ground import Ground
from edge_agent.shelf.patch import Flags, Patch, Pixels

# A hand covers so many of the patch's pixels at least, and is so wide.
_LEAST_PIXELS, _HAND_PX = 14, 6
# The light went, or somebody stands right before the camera: more than this of the shelf.
_UPSET = 0.7
# Seconds after which a change that covers nearly all is the new state of things.
_UPSET_S = 2.0
# What is not tied to the outside and has not moved for so long is of the shelf; so is what is tied
# to it but to nobody, for a hand is never quite still; an arm of somebody who is there may rest.
_SET_DOWN_S, _STILL_S, _RESTING_S = 0.6, 3.0, 30.0
# The share of a thing's pixels that change where it moves.
_MOVING_SHARE = 0.03
# Of a body's box so much at least is not the shelf.
_LEAST_BODY = 0.05
# ... and who was none moves by so much at least, fractions of the frame, to be one.
_STAYS = 0.06
# So much of a hand that is taken for a body lies on the shelf; bodies stand before it.
_WITHIN = 0.7
# Two parts of neighbouring frames are one thing when they share so much of the smaller.
_SAME = 0.3
# Where an arm is carved out of a body's box: its width as a share of the box's height.
_ARM_WIDTH = 0.10
# The tip is the middle of this share of what intrudes, the farthest in.
_TIP = 0.15
# How near a thing comes to somebody's box and is still theirs, pixels of the patch.
_TOUCH = np.ones((7, 7), np.uint8)
_BESIDE = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Intrusion:
    """Something that reaches past the plane of a shelf.

    Args:
        tip: its innermost point, fractions of the frame.
        share: of the shelf's polygon that it covers, 0..1.
        track: the person whose arm it continues; None = nobody whose body is in view.
        thing: a number that it keeps from frame to frame.
        mask: bool, of the patch.
    """

    tip: Point
    share: float
    track: int | None
    thing: int
    mask: Flags


@dataclass(frozen=True, slots=True)
class View:
    """What a frame shows at one shelf.

    Args:
        intrusions: what reaches in.
        left: what reached in when the ground was learned, and has gone just now: a ghost of it
            stayed in the ground.
        bodies: float64 [N, 4], boxes of those who stand before it.
        since: when the ground was learned, seconds.
        upset: nearly all of the shelf is covered; nothing can be said.
    """

    intrusions: tuple[Intrusion, ...]
    left: tuple[Intrusion, ...]
    bodies: Floats
    since: float
    upset: bool


@dataclass(slots=True)
class _Thing:
    """A foreground that is followed from frame to frame."""

    name: int
    mask: Flags
    since_s: float
    moved_s: float
    track: int | None = None


class Watch:
    """Looks at one shelf in frames of one size.

    Args:
        patch: where it is.
        ground: what it looks like with nobody's hand in it.
    """

    def __init__(self, patch: Patch, ground: Ground) -> None:
        self._patch, self._ground = patch, ground
        self._names = count()
        self._moved_s = np.zeros(self._patch.shape, np.float64)
        self._upset_s: float | None = None
        self._false: dict[int, Floats | None] = {}
        self._met: set[int] = set()
        self._begin(0.0)

    def look(self, frame: Frame, picture: Pixels, tracks: Tracks, arms: Sequence[Arm]) -> View:
        """Take one analysed frame.

        Args:
            frame: its time is read.
            picture: its pixels, BGR.
            tracks: the bodies in it, or where they should be by now.
            arms: those that are stretched out.
        """
        self._ground.see(picture)
        bodies = self._covered(tracks, arms)
        other = self._ground.compare(bodies)
        moving = self._ground.moving
        self._moved_s[moving] = frame.t
        real = self._real(tracks, other)
        if real is not tracks:
            tracks, bodies = real, self._covered(real, arms)
        parts = _parts(other & ~bodies & self._patch.inside)
        if self._is_upset(frame.t, parts, bodies):
            return View((), (), tracks.boxes, self._since, True)
        view = self._view(frame.t, parts, bodies, moving, tracks)
        self._ground.learn(frame.t, other | bodies)
        unknown = self._ground.unknown()
        if unknown.any():
            self._ground.take_in(unknown & (frame.t - self._moved_s >= _STILL_S))
        return view

    def covers(self, one: Intrusion, box: Floats) -> bool:
        """Whether an intrusion lies before any of a box, x0 y0 x1 y1, fractions of the frame."""
        return bool(one.mask[self._patch.rectangle(box)].any())

    def holds(self, one: Intrusion, point: Point) -> bool:
        """Whether an intrusion is within a hand's breadth of a point."""
        column, row = self._patch.places(np.array(point)).round().astype(int).tolist()
        rows = slice(max(0, row - _HAND_PX), max(0, row + _HAND_PX + 1))
        columns = slice(max(0, column - _HAND_PX), max(0, column + _HAND_PX + 1))
        return bool(one.mask[rows, columns].any())

    def _begin(self, t: float) -> None:
        self._ground.forget()
        self._since = t
        self._things: list[_Thing] = []

    def _real(self, tracks: Tracks, other: Flags) -> Tracks:
        """Without those who are none: a detector may take a product, or a hand, for a person.

        Who was none stays none, a product until its box moves.
        """
        rows = np.ones(len(tracks.ids), np.bool_)
        false: dict[int, Floats | None] = {}
        for row, (one, box) in enumerate(zip(tracks.ids.tolist(), tracks.boxes, strict=True)):
            if one in self._false:
                before = self._false[one]
                still = before is None or np.abs(box - before).max() < _STAYS
            else:
                before = None if one not in self._met and self._was_a_hand(box) else box
                still = before is None or self._shows_the_shelf(box, other)
            if still:
                rows[row], false[one] = False, before
        self._false, self._met = false, set(tracks.ids.tolist())
        return tracks.only(rows)

    def _shows_the_shelf(self, box: Floats, other: Flags) -> bool:
        here = self._patch.rectangle(box)
        seen = other[here].size - int(self._ground.unknown()[here].sum())
        return seen > other[here].size / 2 and bool(other[here].sum() < _LEAST_BODY * seen)

    def _was_a_hand(self, box: Floats) -> bool:
        """Whether what is found here reached in before, and nobody's body with it."""
        here = self._patch.rectangle(box)
        inside = self._patch.inside[here]
        if inside.sum() < _WITHIN * self._patch.extent(box):
            return False
        return any(
            thing.track is None and thing.mask[here].sum() > thing.mask.sum() / 2
            for thing in self._things
        )

    def _covered(self, tracks: Tracks, arms: Sequence[Arm]) -> Flags:
        """Pixels that people's boxes cover, but for the arms that they stretch out."""
        covered = np.zeros(self._patch.shape, np.uint8)
        heights = {}
        for identity, box in zip(tracks.ids.tolist(), tracks.boxes, strict=True):
            rows, columns = self._patch.rectangle(box)
            covered[rows, columns] = 1
            heights[identity] = self._patch.height(box)
        for arm in arms:
            width = max(2, round(_ARM_WIDTH * heights.get(arm.track, 0.0)))
            line = self._patch.places(np.array([arm.elbow, arm.hand])).round().astype(int)
            cv2.line(covered, line[0].tolist(), line[1].tolist(), (0,), width)
        return covered.astype(np.bool_)

    def _is_upset(self, t: float, parts: list[Flags], bodies: Flags) -> bool:
        visible = int((self._patch.inside & ~bodies).sum())
        covered = sum(int(part.sum()) for part in parts)
        if covered <= _UPSET * max(visible, 1) or visible < self._patch.area // 4:
            self._upset_s = None
            return False
        if self._upset_s is None:
            self._upset_s = t
        elif t - self._upset_s >= _UPSET_S:
            self._begin(t)
            self._upset_s = None
        return True

    def _view(
        self, t: float, parts: list[Flags], bodies: Flags, moving: Flags,
        tracks: Tracks,
    ) -> View:  # fmt: skip
        beside = cv2.dilate(bodies.astype(np.uint8), _BESIDE) > 0
        doors = self._patch.rim | beside
        things: list[_Thing] = []
        found, left = [], []
        # What is tied to the outside first: of a thing that fell apart it is the hand.
        for mask in sorted(parts, key=lambda part: not (part & doors).any()):
            door = mask & doors
            thing = self._follow(t, mask, moving, {one.name for one in things})
            owner = self._owner(mask, tracks)
            thing.track = thing.track if owner is None else owner
            # A ghost is still; the picture changes once, when what it is of goes.
            still = thing.since_s == t or t > thing.moved_s
            ghost = still and self._ground.is_ghost(mask)
            if ghost and door.any():
                left.append(self._intrusion(mask, door, thing))
            if ghost or _settled(t, thing, bool(door.any())):
                self._ground.take_in(mask)
                continue
            things.append(thing)
            if door.any():
                found.append(self._intrusion(mask, door, thing))
        self._things = things
        return View(tuple(found), tuple(left), tracks.boxes, self._since, False)

    def _follow(self, t: float, mask: Flags, moving: Flags, taken: Collection[int]) -> _Thing:
        """The thing that this was a frame ago, or a new one."""
        moves = float((mask & moving).sum()) > _MOVING_SHARE * float(mask.sum())
        shares = [_shared(thing.mask, mask) for thing in self._things]
        best = max(range(len(shares)), key=lambda i: shares[i], default=None)
        if best is None or shares[best] <= _SAME:
            return _Thing(next(self._names), mask, t, t)
        before = self._things[best]
        name = next(self._names) if before.name in taken else before.name
        moved_s = t if moves else before.moved_s
        return _Thing(name, mask, before.since_s, moved_s, before.track)

    def _owner(self, mask: Flags, tracks: Tracks) -> int | None:
        """Whose box the thing touches; of several the one that it touches most."""
        near = cv2.dilate(mask.astype(np.uint8), _TOUCH)
        touched = {
            identity: int(near[self._patch.rectangle(box)].sum())
            for identity, box in zip(tracks.ids.tolist(), tracks.boxes, strict=True)
        }
        most = max(touched, key=lambda identity: touched[identity], default=None)
        return most if most is not None and touched[most] else None

    def _intrusion(self, mask: Flags, door: Flags, thing: _Thing) -> Intrusion:
        rows, columns = mask.nonzero()
        entry = [float(places.mean()) for places in door.nonzero()]
        away = np.hypot(rows - entry[0], columns - entry[1])
        nearest = int((1 - _TIP) * (len(away) - 1))
        far = away >= np.partition(away, nearest)[nearest]
        tip = self._patch.point(float(rows[far].mean()), float(columns[far].mean()))
        return Intrusion(tip, len(rows) / self._patch.area, thing.track, thing.name, mask)


def _parts(foreground: Flags) -> list[Flags]:
    """The connected parts that are large enough for a hand."""
    solid = cv2.morphologyEx(foreground.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return list(_large(np.asarray(solid, np.uint8)))


def _large(solid: Pixels) -> Iterator[Flags]:
    names = cv2.connectedComponentsWithStats(solid, connectivity=8)
    for name in range(1, names[0]):
        if names[2][name, cv2.CC_STAT_AREA] >= _LEAST_PIXELS:
            yield np.asarray(names[1] == name, np.bool_)


def _shared(one: Flags, other: Flags) -> float:
    return float((one & other).sum()) / float(min(one.sum(), other.sum()))


def _settled(t: float, thing: _Thing, tied: bool) -> bool:
    limit = _SET_DOWN_S
    if tied:
        limit = _STILL_S if thing.track is None else _RESTING_S
    return t - thing.moved_s >= limit - 1e-6
