"""Visits become counts: the one stage that sees both what a unit saw and what may leave it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import floor

from edge_agent.config import Zone
from edge_agent.observations import Censored, Handling, Move, Reach, ShelfEvent, Visit
from edge_agent.records import Definitions, Quality, Window

Batch = tuple[Window, ...]
# Frames further apart than this (or 3 analysed frames) leave a hole in what was observed.
HOLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Epoch:
    """What turns the source's seconds into the seconds of a window's start.

    Args:
        offset_s: added to a source's time.
        quality: how far the result can be trusted.
    """

    offset_s: float = 0.0
    quality: Quality = Quality.RECORDING


@dataclass(slots=True)
class _Span:
    """One window that is still being counted."""

    observed_s: float = 0.0
    visits: list[Visit] = field(default_factory=list)
    reaches: list[Reach] = field(default_factory=list)
    handlings: list[Handling] = field(default_factory=list)


class Aggregates:
    """Counts visits into windows of fixed length, aligned to whole multiples of it.

    A visit counts in the window in which it ended, in that of its zone. A window is closed when no
    visit that ended in it can still be reported, also when nothing happened in it: a zero that was
    observed is not the same as nothing known.

    Args:
        zones: each gives a row in every window.
        window_s: length of a window, seconds.
        interval_s: seconds from one analysed frame to the next, as configured.
        epoch: what turns the source's time into that of a window.
    """

    def __init__(
        self, zones: Sequence[Zone], window_s: float, interval_s: float, epoch: Epoch
    ) -> None:
        self._zones = {zone.name: zone for zone in zones}
        self._definitions = {
            zone.name: Definitions(
                stop_s=zone.thresholds.stop_s,
                engage_s=zone.thresholds.engage_s,
                gap_s=zone.thresholds.gap_s,
            )
            for zone in zones
        }
        self._window_s = window_s
        self._interval_s = interval_s
        self._hole_s = max(HOLE_S, 3 * interval_s)
        self._epoch = epoch
        self._spans: dict[int, _Span] = {}
        self._next: int | None = None
        self._last: float | None = None

    def observe(self, t: float) -> None:
        """A frame of time t was analysed: the time since the one before counts as observed.

        Time in which frames were missing is not: of a longer gap only one interval counts.
        """
        start = t if self._last is None else self._last
        if t - start > self._hole_s:
            start = t - self._interval_s
        self._last = t
        self._open(t)
        while start < t:
            index = self._index(start)
            end = min(t, self._end(index))
            if end <= start:  # a border that rounding puts just below itself
                index += 1
                end = min(t, self._end(index))
            self._span(index).observed_s += end - start
            start = end

    def add(self, visits: Iterable[Visit], events: Iterable[ShelfEvent] = ()) -> None:
        """Count what is over: visits and reaches by their end, products by when they moved."""
        for visit in visits:
            self._at(visit.leave_s).visits.append(visit)
        for event in events:
            if isinstance(event, Reach):
                self._at(event.end_s).reaches.append(event)
            elif isinstance(event, Handling):
                self._at(event.t_s).handlings.append(event)

    def _at(self, t: float) -> _Span:
        index = self._index(t)
        # A window that has left the unit takes nothing any more; the count must not be lost.
        return self._span(index if self._next is None else max(index, self._next))

    def close(self, horizon: float) -> list[Batch]:
        """Close the windows that lie wholly before the horizon.

        Args:
            horizon: every visit and reach that ended before this has been added.

        Returns:
            A batch (one row a zone) for each, oldest first.
        """
        self._open(horizon)
        assert self._next is not None
        batches = []
        while self._end(self._next) <= horizon:
            batches.append(self._batch(self._next))
            self._next += 1
        return batches

    def flush(self, t: float) -> list[Batch]:
        """Close everything, the window of time t included, which may be only partly observed."""
        batches = self.close(t)
        assert self._next is not None
        last = max([self._next, *self._spans]) if self._spans else self._next - 1
        batches += [self._batch(index) for index in range(self._next, last + 1)]
        self._next = max(self._next, last + 1)
        return batches

    def _open(self, t: float) -> None:
        if self._next is None:
            self._next = min([self._index(t), *self._spans])

    def _index(self, t: float) -> int:
        return floor((t + self._epoch.offset_s) / self._window_s)

    def _end(self, index: int) -> float:
        return (index + 1) * self._window_s - self._epoch.offset_s

    def _span(self, index: int) -> _Span:
        return self._spans.setdefault(index, _Span())

    def _batch(self, index: int) -> Batch:
        span = self._spans.pop(index, _Span())
        return tuple(self._window(name, index, span) for name in self._zones)

    def _window(self, name: str, index: int, span: _Span) -> Window:
        definitions = self._definitions[name]
        visits = [visit for visit in span.visits if visit.zone == name]
        whole = [visit.dwell_s for visit in visits if visit.censored is Censored.NONE]
        moves = [one.move for one in span.handlings if one.zone == name]
        zone = self._zones[name]
        cut = [visit.dwell_s for visit in visits if visit.censored is not Censored.NONE]
        return Window(
            zone=name,
            start=round(index * self._window_s, 3),
            length_s=self._window_s,
            observed_s=min(round(span.observed_s, 3), self._window_s),
            clock=self._epoch.quality,
            definitions=definitions,
            pass_bys=len(visits),
            stops=sum(visit.dwell_s >= definitions.stop_s for visit in visits),
            engaged=sum(
                visit.dwell_s >= definitions.engage_s or visit.reaches > 0 for visit in visits
            ),
            reaches=_if(zone.shelf, sum(reach.zone == name for reach in span.reaches)),
            picks=_if(zone.facings, moves.count(Move.PICK)),
            put_backs=_if(zone.facings, moves.count(Move.PUT_BACK)),
            dwell_s=round(sum(whole), 3),
            bridged_s=round(sum(visit.bridged_s for visit in visits), 3),
            censored=len(cut),
            censored_dwell_s=round(sum(cut), 3),
        )


def _if(there: object, count: int) -> int | None:
    """The count where there is something to count at; None is not zero."""
    return count if there else None
