"""What facings held, and for how long that was seen. Pure."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf
from operator import itemgetter

from edge_agent.observations import Level, Stock

Stretch = tuple[float, float]
"""Start and end, seconds of the source's clock."""


class Held(Enum):
    """What one facing holds."""

    UNKNOWN = auto()
    FULL = auto()
    LOW = auto()
    EMPTY = auto()

    @classmethod
    def of(cls, stock: Stock) -> Held:
        """What an event says; what is there and not known to be little counts as full."""
        if not stock.present or stock.level is Level.EMPTY:
            return cls.EMPTY
        return cls.LOW if stock.level is Level.LOW else cls.FULL


@dataclass(frozen=True, slots=True)
class Figures:
    """One facing in one span of time.

    Args:
        known_s: watched seconds in which it was known what it held.
        empty_s, low_s: those in which it was empty, or held little.
        since_full_s: from when it was last known to be full to the end of the span, seconds;
            None = it never was.
    """

    known_s: float = 0.0
    empty_s: float = 0.0
    low_s: float = 0.0
    since_full_s: float | None = None


@dataclass(slots=True)
class _Story:
    """One facing's changes in the order of their time, and when it was full before them."""

    changes: list[tuple[float, Held]] = field(default_factory=lambda: [(-inf, Held.UNKNOWN)])
    full_s: float | None = None

    def stretches(self) -> Iterable[tuple[float, float, Held]]:
        ends = [t for t, _ in self.changes[1:]] + [inf]
        for (start, held), end in zip(self.changes, ends, strict=True):
            yield start, end, held

    def last_full(self, end: float) -> float | None:
        """When it was last known to be full, by then."""
        full = [min(e, end) for s, e, held in self.stretches() if held is Held.FULL and s < end]
        return max(full, default=self.full_s)


class Facings:
    """Follows what all facings of a unit hold.

    A change is told some time after it was: it counts from when it was, as long as the span of
    time that it lies in is still open (see `forget`).
    """

    def __init__(self) -> None:
        self._stories: dict[tuple[str, str], _Story] = {}

    def add(self, stock: Stock) -> None:
        """A facing is known to hold something from some time on."""
        story = self._stories.setdefault((stock.zone, stock.facing), _Story())
        insort(story.changes, (stock.t_s, Held.of(stock)), key=itemgetter(0))

    def cut(self, t: float) -> None:
        """Nobody looks from t on: nothing is known until it is told again."""
        for story in self._stories.values():
            if story.changes[-1][1] is not Held.UNKNOWN:
                insort(story.changes, (t, Held.UNKNOWN), key=itemgetter(0))

    def figures(self, zone: str, facing: str, watched: Sequence[Stretch], end: float) -> Figures:
        """What is known of one facing in a span of time.

        Args:
            zone: whose facing.
            facing: its name.
            watched: when somebody looked, within the span.
            end: of the span.
        """
        story = self._stories.get((zone, facing))
        if story is None:
            return Figures()
        seconds = dict.fromkeys(Held, 0.0)
        for start, stop, held in story.stretches():
            seconds[held] += _shared(start, stop, watched)
        full = story.last_full(end)
        return Figures(
            known_s=sum(seconds[held] for held in (Held.FULL, Held.LOW, Held.EMPTY)),
            empty_s=seconds[Held.EMPTY],
            low_s=seconds[Held.LOW],
            since_full_s=None if full is None else end - full,
        )

    def forget(self, before: float) -> None:
        """No figures of an earlier time will be asked for: a unit runs for years."""
        for story in self._stories.values():
            story.full_s = story.last_full(before)
            # The last of the earlier ones says what is held at first.
            earlier = sum(t <= before for t, _ in story.changes)
            del story.changes[: earlier - 1]


def _shared(start: float, end: float, watched: Sequence[Stretch]) -> float:
    """How much of what was watched lies between start and end."""
    return sum(max(0.0, min(end, e) - max(start, s)) for s, e in watched)
