"""One person and one floor: a state machine as a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from edge_agent.observations import Censored, Doings, Visit


class State(Enum):
    """Where a person stands with one floor."""

    OUTSIDE = auto()
    ENTERING = auto()  # on it, provisionally: may be flicker
    FALTERING = auto()  # was on it provisionally, now is not
    INSIDE = auto()  # a visit
    AWAY = auto()  # a visit, interrupted: off the floor or unseen


class Sight(Enum):
    """What one analysed frame says about it."""

    ON = auto()  # seen on the floor
    HELD = auto()  # seen on the floor, while a visit next door may still go on
    OFF = auto()  # seen, not on the floor
    UNSEEN = auto()  # not seen
    EXPIRED = auto()  # off or unseen for longer than the gap that is bridged
    TAKEN = auto()  # has become a visitor of another floor


# Whatever is missing here leaves the state as it is. A visit is confirmed by its second detection
# (held: only when it has lasted) and back-dated to its first; it is over, at the last second seen,
# when the gap is too long.
TRANSITIONS: dict[tuple[State, Sight], State] = {
    (State.OUTSIDE, Sight.ON): State.ENTERING,
    (State.OUTSIDE, Sight.HELD): State.ENTERING,
    (State.ENTERING, Sight.ON): State.INSIDE,
    (State.ENTERING, Sight.OFF): State.FALTERING,
    (State.ENTERING, Sight.UNSEEN): State.FALTERING,
    (State.ENTERING, Sight.TAKEN): State.OUTSIDE,
    (State.FALTERING, Sight.ON): State.INSIDE,
    (State.FALTERING, Sight.HELD): State.ENTERING,
    (State.FALTERING, Sight.EXPIRED): State.OUTSIDE,
    (State.FALTERING, Sight.TAKEN): State.OUTSIDE,
    (State.INSIDE, Sight.OFF): State.AWAY,
    (State.INSIDE, Sight.UNSEEN): State.AWAY,
    (State.AWAY, Sight.ON): State.INSIDE,
    (State.AWAY, Sight.EXPIRED): State.OUTSIDE,
    (State.AWAY, Sight.TAKEN): State.OUTSIDE,
}
# One detection may be flicker.
LEAST_SEEN = 2
VISITING = frozenset({State.INSIDE, State.AWAY})


@dataclass(slots=True)
class Presence:
    """The stay of one person on one floor, while it lasts.

    Args:
        zone: the zone's name.
        enter_s: when the floor was first reached, back-dated to the border where it was crossed.
        last_s: last seen on the floor.
        cut_left: the person was there already when observation began.
        did: what the person's hands did at the zone's shelf so far.
    """

    zone: str
    enter_s: float
    last_s: float
    cut_left: bool = False
    state: State = State.OUTSIDE
    leave_s: float | None = None
    bridged_s: float = 0.0
    seen: int = 0
    did: Doings = field(default_factory=Doings)

    def see(self, sight: Sight) -> None:
        """Take one step through the table."""
        self.state = TRANSITIONS.get((self.state, sight), self.state)

    def on(self, t: float, held: bool) -> None:
        """The person is seen on the floor at t; held = a visit next door may still go on."""
        if self.state in (State.AWAY, State.FALTERING):
            self.bridged_s += t - self.last_s
        self.last_s = t
        self.leave_s = None
        self.seen += 1
        self.see(Sight.HELD if held else Sight.ON)

    def off(self, leave_s: float | None) -> None:
        """The person is unseen (None), or seen elsewhere after crossing the border at leave_s."""
        if self.leave_s is None:
            self.leave_s = leave_s
        self.see(Sight.UNSEEN if leave_s is None else Sight.OFF)

    @property
    def stayed_s(self) -> float:
        """Seconds from first to last seen on the floor so far."""
        return self.last_s - self.enter_s

    @property
    def counts(self) -> bool:
        """Whether it is a visit, were it over now: two detections, however short."""
        return self.seen >= LEAST_SEEN

    @property
    def end_s(self) -> float:
        """Its end, were it over now: the border, or the last second seen."""
        return self.last_s if self.leave_s is None else self.leave_s

    def visit(self, cut_right: bool) -> Visit:
        """The stay as an event."""
        censored = Censored.of(self.cut_left, cut_right)
        return Visit(self.zone, self.enter_s, self.end_s, self.bridged_s, censored, did=self.did)
