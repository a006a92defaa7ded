"""One shelf: two witnesses of hands, and what lies on its facings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from edge_agent.config import Facing, Zone
from edge_agent.geometry import Point
from edge_agent.observations import (
    Closeups,
    Evidence,
    Floats,
    Frame,
    Hand,
    Poses,
    ShelfEvent,
    Tracks,
)
from edge_agent.shelf.eyes import Eyes
from edge_agent.shelf.facings import Before, FacingState
from edge_agent.shelf.hands import Hands
from edge_agent.shelf.looks import Looks
from edge_agent.shelf.patch import Patch, Pixels
from edge_agent.shelf.people import People
from edge_agent.shelf.reaches import LEAST_SHARE, Reaches, Touch
from edge_agent.shelf.watch import Intrusion, View, Watch

# How far a hand is from the facing that it is at, at most, frame heights.
_AT = 0.08
# Who was found so soon after the ground was learned was there then.
_THERE_S = 1.0
# A facing with less than this share of its neighbours' contrast is bare; asked when all have been
# read, or after so many seconds, of so many facings at least.
_BARE, _START_S, _LEAST_NEIGHBOURS = 0.5, 3.0, 3


class Shelf:
    """What happens at one shelf.

    Args:
        zone: one with a shelf.
        size: of the frames, width and height in pixels.
        eyes: what looks at pixels.
    """

    def __init__(self, zone: Zone, size: tuple[int, int], eyes: Eyes) -> None:
        assert zone.shelf is not None, "only zones with a shelf are watched"
        patch = Patch(zone.shelf, size)
        self._watch = Watch(patch, eyes.ground(zone, patch))
        self._hands = Hands(zone.shelf, size[0] / size[1])
        self._name, self._looks = zone.name, Looks()
        self._reaches = Reaches(zone.name, size[0] / size[1])
        self._facings = {
            one.name: (
                one,
                FacingState(
                    zone.name, one.name, one.polygon, eyes.plot(zone, one, size), one.holds
                ),
            )
            for one in zone.facings
        }
        self._since: float | None = None

    @property
    def horizon(self) -> float | None:
        """Every reach that ended before this is known; None = none is open."""
        return min((stay.last_s for stay in self._reaches.open), default=None)

    def update(
        self,
        frame: Frame,
        picture: Pixels,
        tracks: Tracks,
        people: People,
        poses: Poses | None,
        closeups: Closeups | None = None,
    ) -> list[ShelfEvent]:
        """Take one analysed frame.

        Args:
            frame: its time is read.
            picture: its pixels, BGR.
            tracks: the bodies in it.
            people: what is remembered of them.
            poses: their joints; None = nobody looked for any in this very frame.
            closeups: their hands; None = nobody looked closely, and joints tell of hands.
        """
        if self._since is None:
            self._since = frame.t
        view = self._watch.look(frame, picture, tracks, people.stretched())
        # Where only hands are in view a detector takes them for people: nothing is told of those.
        closeups = closeups if people.met else None
        hands = self._past(tracks, poses, closeups)
        touches = self._touches(view, hands, people, posed=poses is not None)
        events: list[ShelfEvent] = list(
            self._reaches.update(frame.t, touches, looked=closeups is not None)
        )
        self._note_left(frame.t, view, people)
        events += self._read(frame.t, picture, view)
        return events + self._first_stock(frame.t)

    def finish(self) -> list[ShelfEvent]:
        """End observation: reaches are cut off."""
        return list(self._reaches.finish())

    def _past(self, tracks: Tracks, poses: Poses | None, closeups: Closeups | None) -> list[Hand]:
        """The hands past the plane: as a close look told, else as joints tell."""
        if closeups is not None:
            here = set(tracks.ids.tolist())
            told = closeups.hands.get(self._name, ())
            return self._looks.update(hand for hand in told if hand.track in here)
        return [] if poses is None else self._hands.update(tracks, poses)

    def _touches(
        self, view: View, hands: Iterable[Hand], people: People, posed: bool
    ) -> list[Touch]:
        """One touch a hand, whoever saw it.

        Where nobody looked for joints, people's boxes are a guess, and what sticks out of one may
        be the body: it goes on with a stay and begins none.
        """
        left = list(hands)
        touches = []
        for one in view.intrusions:
            mine = [
                hand
                for hand in left
                if hand.track == one.track or self._watch.holds(one, hand.point)
            ]
            left = [hand for hand in left if hand not in mine]
            touches += [self._touch(hand, Evidence.BOTH) for hand in mine]
            if not mine and self._speaks(one, view, people):
                touches.append(self._seen(one, people, posed))
        return touches + [self._touch(hand, Evidence.WRIST) for hand in left]

    def _speaks(self, one: Intrusion, view: View, people: People) -> bool:
        """Whether an intrusion alone tells of a hand.

        Where joints are looked for, people are judged by them: what of a body is before the shelf
        and what is past its plane looks alike in one picture. But what is held up out of a body's
        box is an arm where the skeleton is unsure of its arms. What belongs to nobody is a hand
        where nobody's body is in view; else it is a trolley, a bag, a shadow.
        """
        if not people.posed:
            return True
        nobodys = one.track is None or people.no_body(one.track)
        if nobodys and not len(view.bodies):
            return True
        return one.track is not None and people.may_hold(one.track, one.tip)

    def _touch(self, hand: Hand, evidence: Evidence) -> Touch:
        facing = self._facing_at(hand.point)
        return Touch(hand.point, evidence, hand.track, facing, chance=hand.chance)

    def _seen(self, one: Intrusion, people: People, posed: bool = True) -> Touch:
        facing = self._facing_at(one.tip)
        sure = not people.met
        return Touch(
            one.tip, Evidence.INTRUSION, one.track, facing, one.thing, one.share,
            begins=posed or sure, sure=sure,
        )  # fmt: skip

    def _facing_at(self, point: Point) -> str | None:
        def away(facing: Facing) -> float:
            return facing.polygon.distance(point)

        near = min((facing for facing, _ in self._facings.values()), key=away, default=None)
        return near.name if near is not None and away(near) <= _AT else None

    def _note_left(self, t: float, view: View, people: People) -> None:
        """A hand that was there when the ground was learned has gone."""
        for one in view.left:
            known = any(stay.track == one.track for stay in self._reaches.open)
            if not (known or self._speaks(one, view, people)):
                continue
            came = people.since(one.track)
            there = came is not None and came <= view.since + _THERE_S
            there = there and one.share >= LEAST_SHARE
            self._reaches.left(t, self._seen(one, people), view.since if there else None)

    def _read(self, t: float, picture: Pixels, view: View) -> Sequence[ShelfEvent]:
        """Look at the facings."""
        events: list[ShelfEvent] = []
        for name, (_, state) in self._facings.items():
            if view.upset:
                state.startle()
            for stay in self._reaches.open:
                if stay.seen and name in stay.facings:
                    state.reached(stay.start_s, stay.last_s, stay.track)
            covered = any(self._watch.covers(one, state.box) for one in view.intrusions)
            before = Before.HAND if view.upset or covered else Before.NOTHING
            if before is Before.NOTHING and _overlaps(view.bodies, state.box):
                before = Before.BODY
            events += state.look(t, picture, before)
        return events

    def _first_stock(self, t: float) -> list[ShelfEvent]:
        """What facings hold that were read for the first time, told by their neighbours."""
        states = [state for _, state in self._facings.values()]
        known = {state: state.contrast for state in states if state.contrast is not None}
        unsure = [state for state in known if state.present is None]
        assert self._since is not None
        if not unsure or (len(known) < len(states) and t - self._since < _START_S):
            return []
        few = len(known) < _LEAST_NEIGHBOURS
        bare = _BARE * float(np.median(list(known.values())))
        return [state.begin(few or known[state] >= bare) for state in unsure]


def _overlaps(boxes: Floats, box: Floats) -> bool:
    meets = (boxes[:, :2] < box[2:]) & (box[:2] < boxes[:, 2:])
    return bool(meets.all(axis=1).any())
