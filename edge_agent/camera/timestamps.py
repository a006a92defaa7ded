"""A recording's own clock, made to start at 0 and never to run back."""

from __future__ import annotations

from dataclasses import dataclass

# A container's time may be rounded to a millisecond (Matroska's default): the smallest step.
_STEP_S = 0.001
# No recording pauses for so long: a clock was set, and what lies between never was.
_LONGEST_PAUSE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Jump:
    """The recording's clock went from one second to another between two frames."""

    before: float
    after: float


class ClipTimes:
    """Times of a recording's frames from the stamps of its container.

    The first frame is at 0. A clock that steps back is re-based: time goes on one frame interval
    after the last frame, and so is one that leaps forward by more than an hour. A shorter step
    forward is believed. A frame without a stamp comes
    one interval after the last.

    Args:
        interval_s: seconds between two frames by the container, a first guess.
        jump_s: a step forward longer than this is told as a jump.
    """

    def __init__(self, interval_s: float, jump_s: float) -> None:
        self._interval_s = interval_s
        # A time-lapse is no series of jumps.
        self._jump_s = max(jump_s, 1.5 * interval_s)
        self._stamp: float | None = None
        self._offset = 0.0
        self._t = 0.0

    @property
    def interval_s(self) -> float:
        """Seconds between the last two frames that followed one another without a jump."""
        return self._interval_s

    def next(self, stamp: float | None) -> tuple[float, Jump | None]:
        """Time of the next frame, strictly growing from 0.

        Args:
            stamp: what the container says, seconds; None where it says nothing.

        Returns:
            The time in seconds, and the jump before it if there was one.
        """
        if self._stamp is None:
            self._stamp = stamp or 0.0
            self._offset = -self._stamp
            return 0.0, None
        if stamp is None or stamp == self._stamp:
            self._t += self._interval_s
            return self._t, None
        before, self._stamp = self._stamp, stamp
        if stamp < before or stamp - before > _LONGEST_PAUSE_S:
            self._t += self._interval_s
            self._offset = self._t - stamp
            return self._t, Jump(before, stamp)
        # Frames without a stamp may have been put later than the next stamp says.
        step = max(stamp + self._offset - self._t, _STEP_S)
        self._t += step
        if step > self._jump_s:
            return self._t, Jump(before, stamp)
        self._interval_s = step
        return self._t, None
