"""One span of time that is still being counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_agent.observations import Abstained, Handling, Reach, Visit
from edge_agent.stock import Stretch


@dataclass(slots=True)
class Span:
    """What was seen in it, of all zones, times being the source's.

    Args:
        watched: when frames were analysed.
        visits, reaches, handlings, abstained: what counts in it.
    """

    watched: list[Stretch] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    reaches: list[Reach] = field(default_factory=list)
    handlings: list[Handling] = field(default_factory=list)
    abstained: list[Abstained] = field(default_factory=list)

    @property
    def observed_s(self) -> float:
        """Seconds of it in which frames were analysed."""
        return sum(end - start for start, end in self.watched)

    def watch(self, start: float, end: float) -> None:
        """Frames were analysed from start to end; that comes in order of time."""
        if self.watched and self.watched[-1][1] == start:
            start = self.watched.pop()[0]
        self.watched.append((start, end))

    def of(self, zone: str) -> Span:
        """The part of one zone."""
        return Span(
            self.watched,
            [one for one in self.visits if one.zone == zone],
            [one for one in self.reaches if one.zone == zone],
            [one for one in self.handlings if one.zone == zone],
            [one for one in self.abstained if one.zone == zone],
        )
