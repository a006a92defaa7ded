"""What a running process takes: memory, file handles, threads; and how that goes with time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

# Student's t, two-sided 95 %, by degrees of freedom; above the last the normal distribution's.
_T = {
    1: 12.7, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23,
    12: 2.18, 15: 2.13, 20: 2.09, 30: 2.04,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a process.

    Args:
        at: seconds.
        memory_kb: what it wrote and nobody shares (Private_Dirty): all that it could leak. What it
            only reads is the machine's, and changes hands as other processes come and go.
        handles: open files.
        threads: of it.
    """

    at: float
    memory_kb: float
    handles: int
    threads: int


def read(pid: int, at: float) -> Reading:
    """Look at a process."""
    process = Path(f"/proc/{pid}")
    rollup = process.joinpath("smaps_rollup").read_text()
    memory = next(line for line in rollup.splitlines() if line.startswith("Private_Dirty:"))
    handles, threads = len(os.listdir(process / "fd")), len(os.listdir(process / "task"))
    return Reading(at, float(memory.split()[1]), handles, threads)


@dataclass(frozen=True, slots=True)
class Slope:
    """A straight line through readings.

    Args:
        each: change in a unit of time.
        margin: half of its 95 % interval.
    """

    each: float
    margin: float

    @property
    def flat(self) -> bool:
        """Whether 0 lies in the interval."""
        return abs(self.each) <= self.margin


def slope(times: list[float], values: list[float], blocks: int) -> Slope:
    """Least squares through the means of so many blocks.

    Neighbouring readings of one process are alike, so that each alone would count for too much and
    the interval would be too narrow; means of long blocks are nearly independent.
    """
    size = max(1, len(times) // blocks)
    xs = [_mean(times[i : i + size]) for i in range(0, len(times) - size + 1, size)]
    ys = [_mean(values[i : i + size]) for i in range(0, len(values) - size + 1, size)]
    x, y = _mean(xs), _mean(ys)
    spread = sum((one - x) ** 2 for one in xs)
    each = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / spread
    rest = sum((b - y - each * (a - x)) ** 2 for a, b in zip(xs, ys, strict=True))
    freedom = len(xs) - 2
    t = next((value for n, value in reversed(_T.items()) if n <= freedom), 1.96)
    return Slope(each, t * sqrt(rest / freedom / spread))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
