"""How long to wait before the next attempt to connect."""

from __future__ import annotations

from collections.abc import Callable

FIRST_S = 1.0


class Backoff:
    """Exponential with full jitter: units that lost one broker do not come back all at once.

    Args:
        most_s: the longest wait.
        uniform: draws between two numbers.
    """

    def __init__(self, most_s: float, uniform: Callable[[float, float], float]) -> None:
        self._most_s = most_s
        self._uniform = uniform
        self._failed = 0

    def next(self) -> float:
        """Seconds to wait after one more failure."""
        # The exponent is bounded: a float overflows after a thousand doublings.
        ceiling = min(self._most_s, FIRST_S * 2.0 ** min(self._failed, 32))
        self._failed += 1
        return self._uniform(0.0, ceiling)

    def reset(self) -> None:
        """The last connection served."""
        self._failed = 0
