"""Visits and events become windows of counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor

from edge_agent.aggregates.span import Span
from edge_agent.aggregates.tell import Place, tell
from edge_agent.config import Zone
from edge_agent.observations import Abstained, Handling, Reach, ShelfEvent, Visit
from edge_agent.records import Quality, Window
from edge_agent.stock import Facings

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
        self._zones = tuple(zones)
        self._window_s = window_s
        self._interval_s = interval_s
        self._hole_s = max(HOLE_S, 3 * interval_s)
        self._epoch = epoch
        self._spans: dict[int, Span] = {}
        self._facings = Facings()
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
            self._span(index).watch(start, end)
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
            elif isinstance(event, Abstained):
                self._at(event.t_s).abstained.append(event)
            else:
                self._facings.add(event)

    def cut(self) -> None:
        """Observation ends or pauses: what facings hold is not known until it is told again."""
        if self._last is not None:
            self._facings.cut(self._last)

    def _at(self, t: float) -> Span:
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

    def _span(self, index: int) -> Span:
        return self._spans.setdefault(index, Span())

    def _batch(self, index: int) -> Batch:
        span = self._spans.pop(index, Span())
        start = round(index * self._window_s, 3)
        place = Place(start, self._window_s, self._end(index), self._epoch.quality)
        batch = tuple(tell(zone, place, span, self._facings) for zone in self._zones)
        self._facings.forget(place.end)
        return batch
