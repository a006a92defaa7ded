"""The session numbers of birth and will: a will that comes late must lose to a later birth."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger("shelflight.uplink")

# Numbers are noted ahead, so that a broker that is away for a week costs a few writes, not one for
# each attempt to connect; what a stop leaves unused is skipped.
_AHEAD = 64
# The largest number that every JSON reader keeps exact.
_MOST = 2**53 - 1


class Sessions:
    """Numbers that only grow, across restarts too.

    The first is above what the file says and at least the wall clock's seconds, so that it grows
    even where the file was lost.

    Args:
        path: of the file.
        wall: seconds since 1970.
    """

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        self._path = path
        self._noted = self._read()
        self._last = max(self._noted, int(wall()) - 1)

    def next(self) -> int:
        """The number of the next connection; noted on disk before it is used."""
        self._last += 1
        if self._last > self._noted:
            self._noted = self._last + _AHEAD
            self._write()
        return self._last

    def _read(self) -> int:
        try:
            number = int(self._path.read_text("ascii"))
        except (OSError, ValueError):
            return 0
        return number if 0 <= number < _MOST - _AHEAD else 0

    def _write(self) -> None:
        aside = self._path.with_name(f"{self._path.name}.new")
        try:
            with aside.open("w", encoding="ascii") as file:
                file.write(str(self._noted))
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, self._path)
            _sync_folder(self._path.parent)
        except OSError as error:
            # The wall clock still makes the next start's numbers grow.
            log.warning("%s: cannot be written: %s", self._path, error.strerror)


def _sync_folder(folder: Path) -> None:
    """Make a new name last: until then a power cut brings the old file back."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
