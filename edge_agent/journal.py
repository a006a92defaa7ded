"""Closed windows into durable rows, whatever happens to the disk.

No count is lost without being counted: on a full disk windows are held in RAM, merged into one per
zone, and written with the next; a damaged outbox is set aside and counting goes on under a new
boot id.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from edge_agent.errors import InputError, StorageDamaged, StorageError
from edge_agent.outbox import Outbox, set_aside
from edge_agent.records import Counts, Trouble, Window, encode, fold

log = logging.getLogger("shelflight.journal")


def new_boot() -> str:
    """A boot id: 64 random bits as 16 hex digits."""
    return os.urandom(8).hex()


class RecordsFile:
    """records.jsonl: the payloads exactly as published, one a line.

    Args:
        path: written anew.

    Raises:
        InputError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file: BinaryIO = path.open("wb")
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}") from None
        self._last: tuple[tuple[str, int], int] | None = None

    def write(self, counts: Counts) -> None:
        """Add a line; a row that took in more windows replaces its own."""
        try:
            self._write(counts)
        except OSError as error:
            # For the bench only: what a unit counts does not depend on it.
            log.error("%s: cannot be written any more: %s", self._path, error.strerror)

    def _write(self, counts: Counts) -> None:
        key = (counts.boot, counts.seq)
        if self._last is not None and self._last[0] == key:
            self._file.seek(self._last[1])
            self._file.truncate()
        self._last = (key, self._file.tell())
        self._file.write(encode(counts) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):  # told when it was written to
            self._file.close()


class Journal:
    """Writes batches of windows to the outbox.

    Args:
        path: the outbox.
        unit: the unit's id.
        max_rows: as for `Outbox`.
        wall: seconds since 1970, to name what is set aside.
        records: where each row is written too, for the bench.
    """

    def __init__(
        self,
        path: Path,
        unit: str,
        max_rows: int,
        wall: Callable[[], float],
        records: RecordsFile | None = None,
    ) -> None:
        self._path = path
        self._unit = unit
        self._max_rows = max_rows
        self._wall = wall
        self._records = records
        self._held: tuple[Window, ...] = ()
        self._outbox: Outbox | None = None
        self._merged = 0
        self._failed = False
        self.resets = 0
        self.boot = new_boot()
        self._attempt(self._open)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._held:
            self.write(())
        if self._held:
            windows = sum(window.merged for window in self._held)
            visits = sum(window.pass_bys for window in self._held)
            log.error(
                "the outbox could not be written: %d windows with %d visits are lost",
                windows, visits,
            )  # fmt: skip
        if self._outbox is not None:
            self._outbox.close()
        if self._records is not None:
            self._records.close()

    @property
    def merged(self) -> int:
        """Windows merged for want of room since start."""
        return self._merged + (0 if self._outbox is None else self._outbox.merged)

    @property
    def troubles(self) -> frozenset[Trouble]:
        """What is wrong with the storage now."""
        found = {Trouble.DISK_FULL} if self._held or self._outbox is None else set()
        found |= {Trouble.OUTBOX_RESET} if self.resets else set()
        found |= (
            {Trouble.OUTBOX_FULL} if self._outbox is not None and self._outbox.merged else set()
        )
        return frozenset(found)

    def write(self, batch: tuple[Window, ...]) -> None:
        """Make a batch durable, with whatever is still held; on trouble hold it too."""
        self._hold(batch)
        if self._held:
            self._attempt(self._append)

    def _hold(self, batch: tuple[Window, ...]) -> None:
        held = fold(self._held, batch)
        self._merged += len(self._held) + len(batch) - len(held)
        self._held = held

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            self._on_sound_file(action)
        except StorageError as error:
            if not self._failed:
                log.warning("%s; windows are held in memory until there is room", error)
            self._failed = True
        else:
            if self._failed:
                log.warning("the outbox can be written again; nothing was lost")
            self._failed = False

    def _on_sound_file(self, action: Callable[[], None]) -> None:
        try:
            action()
        except StorageDamaged as error:
            if self._outbox is not None:
                self._outbox.close()
                self._outbox = None
            aside = set_aside(self._path, int(self._wall()))
            self.resets += 1
            self.boot = new_boot()
            log.error("%s; set aside as %s, counting goes on as boot %s", error, aside, self.boot)
            action()

    def _open(self) -> None:
        if self._outbox is None:
            self._outbox = Outbox.open(self._path, self._unit, self.boot, self._max_rows)

    def _append(self) -> None:
        self._open()
        assert self._outbox is not None
        counts = self._outbox.append(self._held)
        self._held = ()
        if self._records is not None:
            self._records.write(counts)
