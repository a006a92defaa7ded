"""The only reader of time in the unit. Everything else is handed seconds."""

from __future__ import annotations

import ctypes
import os
import time
from datetime import datetime
from functools import cache
from typing import Protocol
from zoneinfo import ZoneInfo

# adjtimex(2): the return value TIME_ERROR means that the kernel's clock is not synchronized,
# whichever daemon (timesyncd, chrony, ntpd) looks after it.
_TIME_ERROR = 5
# struct timex is 208 bytes on 64-bit Linux; modes = 0 (all zero) only reads.
_TIMEX_BYTES = 512


@cache
def _libc() -> ctypes.CDLL:
    """Opened once: it is asked every second for years."""
    return ctypes.CDLL(None)


class Clock(Protocol):
    """What a service needs to know about time."""

    def monotonic(self) -> float:
        """Seconds that only ever grow; the zero is arbitrary."""

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC, as far as this machine knows."""

    def synced(self) -> bool:
        """True when the wall clock is disciplined by a time server."""

    def sleep(self, seconds: float) -> None:
        """Wait; a signal may end it early."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """Seconds since boot (CLOCK_MONOTONIC, the clock that camera timestamps use too)."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return time.time()

    def synced(self) -> bool:
        """Ask the kernel, so that any time daemon counts; False where it cannot say."""
        try:
            state: int = _libc().adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        except (AttributeError, OSError):
            return False
        return state not in (_TIME_ERROR, -1)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def time_of_day(wall_s: float, timezone: str) -> float:
    """What the clocks of a place show, as seconds since midnight.

    Args:
        wall_s: seconds since 1970-01-01 UTC.
        timezone: by name, e.g. Asia/Seoul.
    """
    there = datetime.fromtimestamp(wall_s, ZoneInfo(timezone))
    return there.hour * 3600 + there.minute * 60 + there.second + there.microsecond / 1e6


def process_age() -> float:
    """Seconds since this process was created (proc(5): field 22 of stat), to 0.01 s."""
    with open("/proc/self/stat", encoding="ascii") as stat:
        ticks = int(stat.read().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
