"""Hands past the plane of one shelf: two witnesses, one stay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import exp, hypot, log

from edge_agent.geometry import Point
from edge_agent.observations import Censored, Evidence, Reach

# A hand that is not seen for so long is another one when it comes again: 3 looks of a detector
# that rests on every other frame.
GAP_S = 1.0
# One hand is found no farther from where it was than this, heights of the frame.
_STEP = 0.25
# ... but for one that was seen so many seconds ago at most and has no other to be.
_LEAP, _RECENT_S = 0.5, 0.45
# A stay is real when it was seen so often, by so many seconds.
_LEAST_SIGHTS, _LEAST_S = 2, 0.15
# What sticks out of somebody's box where neither skeleton nor close look shows a hand, or comes
# from nobody where bodies are in view, is a sleeve or a shoulder more often than a hand, unless it
# stays so long (49 rendered shops by skeletons alone: precision of all reaches 0.46 with 1.2 s and
# 0.53 with 2 s, recall 0.63 and 0.57; an arm held up to a board stays longer).
_ALONE_S = 2.5
# Where people were looked at closely: log odds of a reach for each log odds of its surest look, for
# each second up to so many, and besides; and those from which one is told. Fitted on 49 rendered
# shops (7001 to 7008, 7101 to 7107, 7201 to 7208, 9001 to 9026).
_BELIEF, _LONG_S, _LEAST_CHANCE = (0.88, 1.45, -3.02), 2.0, 0.003
_BELIEVED = -0.2
# How often a reach is one where no look told: two witnesses are surer than one, and a skeleton than
# what moves (41 rendered shops, built-in detector).
_SURE = {Evidence.BOTH: 0.53, Evidence.WRIST: 0.45, Evidence.INTRUSION: 0.37}
# What is tied to nobody is a hand only if it once covers so much of the shelf.
LEAST_SHARE = 0.004
# A stay that begins this soon after observation did was there before.
_SETTLE_S = 0.3


@dataclass(frozen=True, slots=True)
class Touch:
    """One hand past the plane in one frame.

    Args:
        point: where, fractions of the frame.
        evidence: who says so.
        track: whose it is; None = nobody whose body is in view.
        facing: the facing that it is at.
        thing: the intrusion's number; None = no intrusion.
        share: of the shelf that the intrusion covers, 0..1; None = no intrusion.
        begins: it may be the first of a stay, not only go on with one.
        sure: False where somebody's joints are known and show no hand there.
        chance: that the hand is past the plane, 0..1; None = only something that reaches in.
    """

    point: Point
    evidence: Evidence
    track: int | None = None
    facing: str | None = None
    thing: int | None = None
    share: float | None = None
    begins: bool = True
    sure: bool = True
    chance: float | None = None


@dataclass(slots=True)
class Stay:
    """One hand's stay so far.

    Attributes:
        looked: somebody looked closely at people while it lasted.
        most: the highest chance of any look, 0..1; 0 = no look showed a hand.
    """

    start_s: float
    last_s: float
    point: Point
    track: int | None
    cut_left: bool
    thing: int | None = None
    things: set[int | None] = field(default_factory=set)
    sights: int = 0
    large: bool = False
    sure: bool = False
    looked: bool = False
    most: float = 0.0
    evidence: set[Evidence] = field(default_factory=set)
    facings: dict[str, int] = field(default_factory=dict)

    @property
    def seen(self) -> bool:
        """Whether something was there often enough to have moved a product."""
        long = self.last_s - self.start_s >= _LEAST_S - 1e-6
        return self.sights >= _LEAST_SIGHTS and long and self.large

    @property
    def counts(self) -> bool:
        """Whether it is believed to be a hand's."""
        if not self.seen:
            return False
        length_s = self.last_s - self.start_s
        if self.told:
            return _belief(self.most, length_s) >= _BELIEVED
        return self.sure or length_s >= _ALONE_S - 1e-6

    @property
    def told(self) -> bool:
        """Whether a close look showed its hand."""
        return self.looked and self.most > 0

    @property
    def witnesses(self) -> Evidence:
        """Who saw it."""
        both = Evidence.BOTH in self.evidence or len(self.evidence) > 1
        return Evidence.BOTH if both else next(iter(self.evidence))

    @property
    def confidence(self) -> float:
        """How often one like this is a reach, 0..1."""
        if not self.told:
            return _SURE[self.witnesses]
        return 1 / (1 + exp(-_belief(self.most, self.last_s - self.start_s)))

    @property
    def facing(self) -> str | None:
        """The facing that the hand was at most."""
        return max(self.facings, key=lambda name: self.facings[name], default=None)


def _belief(chance: float, length_s: float) -> float:
    """Log odds that a stay with this highest chance, of this length, is a hand's."""
    chance = min(max(chance, _LEAST_CHANCE), 1 - _LEAST_CHANCE)
    by_look, by_length, bias = _BELIEF
    return by_look * log(chance / (1 - chance)) + by_length * min(length_s, _LONG_S) + bias


class Reaches:
    """Follows the hands at one shelf.

    Args:
        zone: its zone's name.
        aspect: width / height of the frame.
    """

    def __init__(self, zone: str, aspect: float) -> None:
        self._zone = zone
        self._aspect = aspect
        self._open: list[Stay] = []
        self._since: float | None = None

    @property
    def open(self) -> Sequence[Stay]:
        """Stays that may go on."""
        return self._open

    def update(self, t: float, touches: Iterable[Touch], looked: bool = False) -> list[Reach]:
        """Take one analysed frame; returns the reaches that are now known to be over.

        Args:
            t: seconds.
            touches: one for each hand.
            looked: people were looked at closely, and what that told is in the touches.
        """
        if self._since is None:
            self._since = t
        over = [stay for stay in self._open if t - stay.last_s > GAP_S + 1e-6]
        self._open = [stay for stay in self._open if stay not in over]
        pairs, fresh = self._paired(t, list(touches))
        for touch in (one for one in fresh if one.begins):
            stay = Stay(t, t, touch.point, touch.track, t - self._since <= _SETTLE_S)
            self._open.append(stay)
            pairs.append((stay, touch))
        for stay, touch in pairs:
            self._add(stay, t, touch)
            stay.looked |= looked
        return [self._reach(stay, cut_right=False) for stay in over if stay.counts]

    def left(self, t: float, touch: Touch, since: float | None) -> None:
        """A hand that was there when the ground was learned has gone, just before t.

        Args:
            t: now.
            touch: where it was.
            since: when the ground was learned; None = nobody who was there then is there now.
        """
        # What the ghost was taken for until it held still, a frame or two.
        self._open = [
            stay
            for stay in self._open
            if stay.things != {touch.thing} or stay.sights > _LEAST_SIGHTS
        ]
        near = min(self._open, key=lambda one: self._away(one, touch), default=None)
        stay = None if near is None or self._away(near, touch) > _STEP else near
        if stay is None:
            if since is None:
                return
            cut = since - (self._since or 0.0) <= _SETTLE_S
            stay = Stay(since, since, touch.point, touch.track, cut)
            stay.sights = _LEAST_SIGHTS
            self._open.append(stay)
        self._add(stay, t, touch)

    def finish(self) -> list[Reach]:
        """End observation: what is open is cut off."""
        over = [self._reach(stay, cut_right=True) for stay in self._open if stay.counts]
        self._open, self._since = [], None
        return over

    def _paired(
        self, t: float, touches: list[Touch]
    ) -> tuple[list[tuple[Stay, Touch]], list[Touch]]:
        """Which stay each touch goes on with, the nearest first; and the touches left over.

        A hand whose arm is lost sight of for a frame leaps; so what was there a moment ago and
        what is there now are one, however far apart, where neither has another.
        """
        pairs: list[tuple[Stay, Touch]] = []
        stays = list(self._open)
        ways = [
            (self._away(stay, touch), i, j)
            for i, stay in enumerate(stays)
            for j, touch in enumerate(touches)
        ]
        used: tuple[set[int], set[int]] = (set(), set())
        for limit in (_STEP, _LEAP):
            for away, i, j in sorted(ways):
                recent = t - stays[i].last_s <= _RECENT_S + 1e-6
                if away > limit or i in used[0] or j in used[1] or (limit == _LEAP and not recent):
                    continue
                used[0].add(i)
                used[1].add(j)
                pairs.append((stays[i], touches[j]))
        return pairs, [touch for j, touch in enumerate(touches) if j not in used[1]]

    def _away(self, stay: Stay, touch: Touch) -> float:
        """Heights of the frame between a stay and a touch, more where another's hand it is."""
        if touch.thing is not None and touch.thing == stay.thing:
            return 0.0
        strange = None not in (stay.track, touch.track) and stay.track != touch.track
        across = (stay.point[0] - touch.point[0]) * self._aspect
        away = hypot(across, stay.point[1] - touch.point[1])
        return away + (_STEP / 2 if strange else 0.0)

    def _add(self, stay: Stay, t: float, touch: Touch) -> None:
        stay.last_s, stay.point = t, touch.point
        stay.track = touch.track if touch.track is not None else stay.track
        stay.thing = touch.thing if touch.thing is not None else stay.thing
        stay.things.add(touch.thing)
        stay.sights += 1
        stay.sure |= touch.sure
        stay.most = max(stay.most, touch.chance or 0.0)
        stay.large |= touch.share is None or touch.track is not None or touch.share >= LEAST_SHARE
        stay.evidence.add(touch.evidence)
        if touch.facing is not None:
            stay.facings[touch.facing] = stay.facings.get(touch.facing, 0) + 1

    def _reach(self, stay: Stay, cut_right: bool) -> Reach:
        return Reach(
            zone=self._zone,
            facing=stay.facing,
            start_s=stay.start_s,
            end_s=stay.last_s,
            evidence=stay.witnesses,
            censored=Censored.of(stay.cut_left, cut_right),
            track=stay.track,
            confidence=stay.confidence,
        )
