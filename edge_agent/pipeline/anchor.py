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
# A bound is told anew where it is off by so much: each telling ends a window.
_TELL_S = 0.5
# Seconds that a clock nobody looks after goes wrong in a second: a board's quartz at its worst.
_DRIFT = 1e-4


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
        self._synced_s = clock.monotonic()

    @property
    def now(self) -> float:
        """The source's clock."""
        return self._clock.monotonic() - self._zero

    def look(self, told_s: float = 0.0) -> Epoch | None:
        """Another epoch, where the clocks say otherwise than before; None where they do not.

        Args:
            told_s: for so long windows left that are timed by the epoch until now, seconds.
        """
        if self.epoch.quality is Quality.RECORDING:
            return None
        if self._clock.synced():
            self._synced_s = self._clock.monotonic()
            epoch = believed(self.epoch, self._offset_s(), told_s)
        else:
            epoch = alone(self.epoch, self._offset_s(), self._clock.monotonic() - self._synced_s)
        if epoch == self.epoch:
            return None
        self.epoch = epoch
        return epoch

    def _offset_s(self) -> float:
        return self._clock.wall() - self.now


def believed(before: Epoch, offset_s: float, told_s: float = 0.0) -> Epoch:
    """The epoch by what a time server says now.

    Args:
        before: the epoch until now.
        offset_s: from the source's clock to the wall clock.
        told_s: as for `Anchor.look`.
    """
    step_s = offset_s - before.offset_s
    if before.quality is not Quality.SYNCED and not -told_s < step_s < 0:
        return Epoch(offset_s, Quality.SYNCED, SYNCED_S)
    if before.quality is not Quality.SYNCED:
        before = replace(before, quality=Quality.SYNCED)
    if step_s > _STEP_S:
        return Epoch(offset_s, Quality.SYNCED, SYNCED_S)
    return _bounded(before, SYNCED_S + (-step_s if step_s < -_STEP_S else 0.0))


def alone(before: Epoch, offset_s: float, since_s: float) -> Epoch:
    """The epoch while no time server says anything.

    Args:
        before: the epoch until now.
        offset_s: from the source's clock to the wall clock.
        since_s: since one did, seconds.
    """
    if before.quality is not Quality.SYNCED:
        return before
    if before.bound_s is None or abs(offset_s - before.offset_s) > max(_STEP_S, before.bound_s):
        # Somebody set it, or the board slept: nobody knows which of the clocks is right.
        return replace(before, bound_s=None)
    return _bounded(before, max(before.bound_s, SYNCED_S + _DRIFT * since_s))


def _bounded(before: Epoch, bound_s: float) -> Epoch:
    """With another bound, where it is worth telling."""
    if before.bound_s is not None and abs(bound_s - before.bound_s) < _TELL_S:
        return before
    return replace(before, bound_s=round(bound_s, 1))
