"""When to believe the wall clock: how the source's seconds become times of day, and how surely.

The source's seconds come from a clock that only grows, and windows follow each other on it; the
wall clock only says where they lie. It is believed when a time server has set it, followed when it
is set forward, and never followed back: hours that were told once are not told again. How far off
that leaves a window is its bound.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.aggregates import Epoch
from edge_agent.clock import Clock
from edge_agent.records import Quality

# A clock that a time server looks after is right to a fraction of this, seconds; it is slewed, not
# set, where it is off by less than half of it (as systemd-timesyncd and chrony do from 0.4 and
# 0.1 s on).
SYNCED_S = 1.0
_STEP_S = 0.5


class Anchor:
    """Holds the source's clock and the wall clock together.

    Args:
        clock: both.
        zero: what the monotonic clock says when the source's does 0, seconds.
        recorded: a recording's seconds have no place in today's time.

    Attributes:
        epoch: what is believed now.
    """

    def __init__(self, clock: Clock, zero: float = 0.0, recorded: bool = False) -> None:
        self._clock = clock
        self._zero = zero
        self.epoch = Epoch()
        if not recorded:
            synced = clock.synced()
            quality = Quality.SYNCED if synced else Quality.UNSYNCED
            self.epoch = Epoch(self._offset_s(), quality, SYNCED_S if synced else None)

    @property
    def now(self) -> float:
        """The source's clock."""
        return self._clock.monotonic() - self._zero

    def look(self) -> Epoch | None:
        """Another epoch, where the clocks say otherwise than before; None where they do not."""
        if self.epoch.quality is Quality.RECORDING or not self._clock.synced():
            return None
        epoch = believed(self.epoch, self._offset_s())
        if epoch == self.epoch:
            return None
        self.epoch = epoch
        return epoch

    def _offset_s(self) -> float:
        return self._clock.wall() - self.now


def believed(before: Epoch, offset_s: float) -> Epoch:
    """The epoch by what a time server says now.

    Args:
        before: the epoch until now.
        offset_s: from the source's clock to the wall clock.
    """
    if before.quality is not Quality.SYNCED:
        return Epoch(offset_s, Quality.SYNCED, SYNCED_S)
    step_s = offset_s - before.offset_s
    if step_s > _STEP_S:
        return Epoch(offset_s, Quality.SYNCED, SYNCED_S)
    bound_s = SYNCED_S + (round(-step_s, 1) if step_s < -_STEP_S else 0.0)
    return replace(before, bound_s=bound_s)
