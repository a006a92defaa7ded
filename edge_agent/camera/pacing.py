"""Which frames are analysed, and when a recording's frames are handed over."""

from __future__ import annotations

import math

from edge_agent.clock import Clock


class Grid:
    """Thins a source out to a rate, by time and not by counting frames.

    A frame is due when its time reaches the next point of a grid of ``1 / fps`` that starts at
    the first frame. Half a source frame (and at most half a period) early counts as reached, so
    that 10 frames a second analysed at 5 give exactly every second one in spite of rounded
    timestamps. The grid does not drift: each frame takes the cell it falls in, and no cell is
    taken twice. Asked for more than the source has, every frame is due. Times given out grow
    strictly even where those handed in do not.

    Args:
        fps: analysed frames a second, > 0.
        interval_s: seconds between two frames of the source where it is known.
    """

    def __init__(self, fps: float, interval_s: float = math.inf) -> None:
        self.period_s = 1 / fps
        self._interval_s = interval_s
        self._start: float | None = None
        self._last = 0.0
        self._cell = 0

    def due(self, t: float) -> bool:
        """Whether the source's frame at ``t`` (seconds, growing) is analysed."""
        if self._start is None:
            self._start = self._last = t
        interval = min(t - self._last, self._interval_s, self.period_s)
        self._last = max(t, self._last)
        reached = t - self._start + max(interval, 0.0) / 2
        if reached < self._cell * self.period_s:
            return False
        cell = math.floor(reached / self.period_s)
        # The quotient may be rounded to just below a point that was reached all the same.
        self._cell = cell + (2 if reached >= (cell + 1) * self.period_s else 1)
        return True


class Pace:
    """Plays a recording by the clock.

    Args:
        clock: what time it is, and how to wait.
        pace: 1 = as it was filmed, N = N times faster, 0 = as fast as it goes.
    """

    def __init__(self, clock: Clock, pace: float) -> None:
        self._clock = clock
        self._pace = pace
        self._origin: float | None = None

    def wait(self, t: float) -> float:
        """Wait until the recording's second ``t`` has come.

        Returns:
            Seconds of the recording by which it is late already; 0 at pace 0.
        """
        if self._pace == 0:
            return 0.0
        now = self._clock.monotonic()
        if self._origin is None:
            self._origin = now - t / self._pace
        early = self._origin + t / self._pace - now
        if early > 0:
            self._clock.sleep(early)
        return max(0.0, -early * self._pace)

    def restart(self) -> None:
        """The next `wait` is for now: the recording's clock has jumped."""
        self._origin = None
