"""Visits and events become windows of counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
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
# No window is shorter: starts and lengths are told to the millisecond.
_LEAST_S = 0.01


@dataclass(frozen=True, slots=True)
class Epoch:
    """What turns the source's seconds into the seconds of a window's start.

    Args:
        offset_s: added to a source's time.
        quality: how far the result can be trusted.
        bound_s: the result is that near to the truth, seconds; None = not known.
    """

    offset_s: float = 0.0
    quality: Quality = Quality.RECORDING
    bound_s: float | None = None


@dataclass(slots=True)
class _Open:
    """A window that is still being counted, from start to end on the source's clock."""

    start: float
    end: float
    epoch: Epoch
    span: Span = field(default_factory=Span)

    @property
    def place(self) -> Place:
        """Where it lies in time."""
        epoch = self.epoch
        start = max(0.0, round(self.start + epoch.offset_s, 3))
        length_s = round(self.end - self.start, 3)
        return Place(start, length_s, self.end, epoch.quality, epoch.bound_s)


class Aggregates:
    """Counts visits into windows, one after the other without a gap on the source's clock.

    They end at whole multiples of their length by the epoch's clock; the one in which that clock is
    set right is cut there, so that none is counted twice whatever the clock does. A visit counts
    in the window in which it ended, in that of its zone. A window is closed when no visit that
    ended in it can still be reported, also when nothing happened in it: a zero that was observed
    is not the same as nothing known.

    Args:
        zones: each gives a row in every window.
        window_s: length of a window, seconds.
        interval_s: seconds from one analysed frame to the next, as configured.
        epoch: what turns the source's time into that of a window.

    Attributes:
        epoch: the one of now.
    """

    def __init__(
        self, zones: Sequence[Zone], window_s: float, interval_s: float, epoch: Epoch
    ) -> None:
        self._zones = tuple(zones)
        self._window_s = window_s
        self._interval_s = interval_s
        self._hole_s = max(HOLE_S, 3 * interval_s)
        self.epoch = epoch
        self._open: deque[_Open] = deque()
        self._closed_s: float | None = None
        self._facings = Facings()
        self._last: float | None = None

    def observe(self, t: float) -> None:
        """A frame of time t was analysed: the time since the one before counts as observed.

        Time in which frames were missing is not: of a longer gap only one interval counts.
        """
        start = t if self._last is None else self._last
        if t - start > self._hole_s:
            start = t - self._interval_s
        self._last = t
        self._reach(t)
        while start < t:
            window = self._at(start)
            end = min(t, window.end)
            window.span.watch(start, end)
            start = end

    def add(self, visits: Iterable[Visit], events: Iterable[ShelfEvent] = ()) -> None:
        """Count what is over: visits and reaches by their end, products by when they moved."""
        for visit in visits:
            self._at(visit.leave_s).span.visits.append(visit)
        for event in events:
            if isinstance(event, Reach):
                self._at(event.end_s).span.reaches.append(event)
            elif isinstance(event, Handling):
                self._at(event.t_s).span.handlings.append(event)
            elif isinstance(event, Abstained):
                self._at(event.t_s).span.abstained.append(event)
            else:
                self._facings.add(event)

    def cut(self) -> None:
        """Observation ends or pauses: what facings hold is not known until it is told again."""
        if self._last is not None:
            self._facings.cut(self._last)

    def set_clock(self, epoch: Epoch, t: float) -> None:
        """The epoch's clock was set right at time t.

        Windows that no time server stood for yet are timed by the new epoch altogether; others
        keep theirs up to t.
        """
        before, self.epoch = self.epoch, epoch
        if (before.offset_s, before.quality) == (epoch.offset_s, epoch.quality):
            return  # only its bound is another, for the windows to come
        unsure = before.quality is Quality.UNSYNCED
        if self._closed_s is None and not self._open:
            return
        self._reach(t)
        for window in self._open:
            if unsure:
                window.epoch = epoch
        last = self._open[-1]
        if t - last.start >= _LEAST_S:
            last.end = t
        else:
            last.end, last.epoch = self._end_after(last.start), epoch

    def close(self, horizon: float) -> list[Batch]:
        """Close the windows that lie wholly before the horizon.

        Args:
            horizon: every visit and reach that ended before this has been added.

        Returns:
            A batch (one row a zone) for each, oldest first.
        """
        self._reach(horizon)
        batches = []
        while self._open and self._open[0].end <= horizon:
            batches.append(self._batch(self._open.popleft()))
        return batches

    def flush(self, t: float) -> list[Batch]:
        """Close everything, the window of time t included, which may be only partly observed."""
        batches = self.close(t)
        while self._open and self._open[-1].span == Span():
            self._open.pop()
        while self._open:
            batches.append(self._batch(self._open.popleft()))
        return batches

    def _at(self, t: float) -> _Open:
        """The window of time t; of one that has left the unit, the first that has not."""
        self._reach(t)
        while self._closed_s is None and t < self._open[0].start:
            start = self._open[0].start
            self._open.appendleft(_Open(start - self._window_s, start, self.epoch))
        return next((one for one in reversed(self._open) if one.start <= t), self._open[0])

    def _reach(self, t: float) -> None:
        """Have windows up to time t."""
        if not self._open:
            start = self._start_before(t) if self._closed_s is None else self._closed_s
            self._open.append(_Open(start, self._end_after(start), self.epoch))
        while (start := self._open[-1].end) <= t:
            self._open.append(_Open(start, self._end_after(start), self.epoch))

    def _start_before(self, t: float) -> float:
        offset_s = self.epoch.offset_s
        return floor((t + offset_s) / self._window_s) * self._window_s - offset_s

    def _end_after(self, start: float) -> float:
        end = self._start_before(start) + self._window_s
        # A border that rounding puts just before itself is the start of the window after it.
        return end if end - start >= _LEAST_S else end + self._window_s

    def _batch(self, window: _Open) -> Batch:
        self._closed_s = window.end
        batch = tuple(tell(zone, window.place, window.span, self._facings) for zone in self._zones)
        self._facings.forget(window.end)
        return batch
