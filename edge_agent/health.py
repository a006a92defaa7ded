"""Small health files: each service writes its own, readers join them.

They belong in a RAM disk; a reader must expect one to be absent, old, or not whole.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable
from functools import reduce
from math import isfinite
from pathlib import Path

from edge_agent.errors import RecordError, StorageError
from edge_agent.records import MAX_PAYLOAD_BYTES, Health, decode_health, encode

SUFFIX = ".health.json"
# Services write every few seconds; one that has been silent for so long is told as unknown.
STALE_S = 60.0
_BOOT = re.compile(r"[0-9a-f]{16}")
_WHOLE = ("analysed", "waiting", "merged", "resets")


def write(path: Path, health: Health) -> None:
    """Replace the file in one step, so that a reader sees the old or the new, never a half.

    Raises:
        StorageError: the folder cannot be written.
    """
    aside = path.with_name(f".{path.name}.new")
    try:
        aside.write_bytes(encode(health))
        os.replace(aside, path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error


class HealthFile:
    """A service's own file. That it cannot be written is said once and stops nobody.

    Args:
        folder: where all services of the unit have theirs.
        service: its name.
        log: the service's.
    """

    def __init__(self, folder: Path, service: str, log: logging.Logger) -> None:
        self._path = folder / f"{service}{SUFFIX}"
        self._log = log
        self._failed = False

    def write(self, health: Health) -> None:
        """Replace what it says."""
        try:
            write(self._path, health)
        except StorageError as error:
            if not self._failed:
                self._log.warning("%s; counting goes on", error)
            self._failed = True
        else:
            self._failed = False


def read_all(folder: Path) -> list[Health]:
    """What each service in the folder says, in the order of their names; garbage is passed over."""
    found = (_read(path) for path in sorted(folder.glob(f"*{SUFFIX}")))
    return [health for health in found if health is not None]


def joined(healths: Iterable[Health], unit: str, now: float) -> Health | None:
    """One unit's services as one; None when none of them spoke of late.

    Args:
        healths: what `read_all` gave.
        unit: whose; others in the same folder are passed over.
        now: seconds since 1970.
    """
    fresh = [
        health for health in healths if health.unit == unit and abs(now - health.at) <= STALE_S
    ]
    fresh.sort(key=lambda health: health.at)
    return reduce(Health.join, fresh) if fresh else None


def _read(path: Path) -> Health | None:
    try:
        with path.open("rb") as file:
            health = decode_health(file.read(MAX_PAYLOAD_BYTES + 1))
    except (OSError, RecordError, RecursionError):
        return None
    return health if _sound(health) else None


def _sound(health: Health) -> bool:
    """Whether the types are right: what is joined and published comes from a file."""
    numbers = (health.at, health.uptime_s, 0.0 if health.fps is None else health.fps)
    counts = [getattr(health, name) for name in _WHOLE]
    return (
        isinstance(health.unit, str)
        and (health.boot is None or _BOOT.fullmatch(str(health.boot)) is not None)
        and all(isinstance(number, float | int) and isfinite(number) for number in numbers)
        and all(count is None or isinstance(count, int) for count in counts)
    )
