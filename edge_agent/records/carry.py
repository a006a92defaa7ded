"""Small counts: what is told of a zone has a base of 0 or at least k; the rest waits for more.

A base is visits, or reaches where a zone has no floor. What waits goes with the zone's next
windows until both come to k, over midnight and restarts too: every sum over what was released and
what waits is conserved. Where nothing waits a zero is told as the zero that it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from edge_agent.records.window import Quality, Window

Windows = tuple[Window, ...]
# As many as a unit can have; zones of former site files may wait beside.
_MOST_ZONES = 64


@dataclass(frozen=True, slots=True)
class Released:
    """What new windows came to.

    Args:
        told: what may be told now, one a zone but for leftovers of a larger k.
        waiting: what is below k.
    """

    told: Windows
    waiting: Windows


def release(waiting: Windows, new: Windows, k: int) -> Released:
    """Tell what may be told.

    Args:
        waiting: what was below k before; under another k, rules or clock perhaps.
        new: what came, oldest first.
        k: the least base that is told, >= 1; 1 tells everything.
    """
    told: list[Window] = []
    left = [_by(k, window) for window in waiting]
    for window in new:
        window = _by(k, window)
        for before in [one for one in left if _goes_with(one, window)]:
            left.remove(before)
            window = _together(before, window)
        (left if 0 < window.base < k else told).append(window)
    told = [window for window in left if window.base >= k] + told
    return Released(tuple(told), tuple(window for window in left if window.base < k))


def carrying(waiting: Iterable[Window]) -> tuple[str, ...]:
    """The zones of which something waits, by name; no more of them than a message may tell."""
    return tuple(sorted({window.zone for window in waiting}))[:_MOST_ZONES]


def _by(k: int, window: Window) -> Window:
    return replace(window, definitions=replace(window.definitions, k=k))


def _goes_with(before: Window, window: Window) -> bool:
    """Other rules are never added up; what another clock timed is, see `_together`."""
    recorded = Quality.RECORDING in (before.clock, window.clock)
    if recorded and before.clock is not window.clock:
        return False
    return before.kin == window.kin


def _together(before: Window, window: Window) -> Window:
    """Both as one.

    Times that no time server stands for cannot be compared: what waits is put right before the
    window then, and the result is no surer than the less sure of both.
    """
    if Quality.UNSYNCED not in (before.clock, window.clock) or before.end == window.start:
        return before.merge(window)
    start = max(0.0, round(window.start - before.length_s, 3))
    before = replace(before, start=start, clock=Quality.UNSYNCED, bound_s=None)
    return before.merge(replace(window, clock=Quality.UNSYNCED, bound_s=None))
