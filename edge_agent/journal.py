"""Closed windows into durable rows, whatever happens to the disk.

No count is lost without being counted: on a full disk windows are held in RAM, merged into one per
zone, and written with the next; a damaged outbox is set aside and counting goes on under a new
boot id. While the clock is not to be trusted rows are held back, so that they can be timed anew.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge_agent.errors import InputError, StorageDamaged, StorageError
from edge_agent.outbox import (
    Correction,
    Outbox,
    Wreck,
    set_aside,
    set_aside_before,
    taken_over,
)
from edge_agent.records import Trouble, Window, fold

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
        self._places: dict[tuple[str, int], int] = {}

    def write(self, boot: str, seq: int, payload: bytes) -> None:
        """Add a row's line; a row that was written before is replaced, with all after it."""
        try:
            self._write((boot, seq), payload)
        except OSError as error:
            # For the bench only: what a unit counts does not depend on it.
            log.error("%s: cannot be written any more: %s", self._path, error.strerror)

    def _write(self, key: tuple[str, int], payload: bytes) -> None:
        place = self._places.get(key)
        if place is not None:
            self._file.seek(place)
            self._file.truncate()
            self._places = {one: at for one, at in self._places.items() if at < place}
        self._places[key] = self._file.tell()
        self._file.write(payload + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):  # told when it was written to
            self._file.close()


@dataclass(frozen=True, slots=True)
class Terms:
    """What an outbox goes by: whose it is, and the rest as for `Outbox.open`."""

    unit: str
    max_rows: int
    k: int = 1
    published: int = 0


class Journal:
    """Writes batches of windows to the outbox.

    Args:
        path: the outbox.
        terms: what it goes by.
        wall: seconds since 1970, to name what is set aside.
        records: where each row is written too, for the bench.
        holding: whether rows are held back until `correct` or `let_go`.
    """

    def __init__(
        self,
        path: Path,
        terms: Terms,
        wall: Callable[[], float],
        records: RecordsFile | None = None,
        holding: bool = False,
    ) -> None:
        self._path = path
        self._terms = terms
        self._wall = wall
        self._records = records
        self._holding = holding
        self._due: list[Callable[[Outbox], None]] = []
        self._wrecks: list[Path] = []
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

    @property
    def carrying(self) -> tuple[str, ...]:
        """Zones of which fewer than k visits wait to be told."""
        return () if self._outbox is None else self._outbox.carrying

    @property
    def holding(self) -> bool:
        """Whether rows are held back."""
        return self._holding

    def correct(self, by_s: float, bound_s: float) -> None:
        """A time server spoke: time what is held anew, by so many seconds, and let it go."""
        correction = Correction(by_s, bound_s)
        self._held = tuple(correction.of(window) for window in self._held)
        self._release(lambda outbox: outbox.correct(correction))

    def let_go(self) -> None:
        """Nobody will tell the time soon: let go what is held as it is."""
        self._release(lambda outbox: outbox.let_go())

    def _release(self, action: Callable[[Outbox], None]) -> None:
        self._holding = False
        self._due.append(action)
        self._attempt(self._catch_up)

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
                self._merged += self._outbox.merged
                self._outbox.close()
                self._outbox = None
            aside = set_aside(self._path, int(self._wall()))
            self.resets += 1
            self.boot = new_boot()
            log.error("%s; set aside as %s, counting goes on as boot %s", error, aside, self.boot)
            action()

    def _adopt(self, outbox: Outbox) -> None:
        """Take over what can still be read of damaged outboxes; counting goes on without it too."""
        while self._wrecks:
            aside = self._wrecks[0]
            try:
                with Wreck(aside) as wreck:
                    rows = outbox.adopt(wreck)
                taken_over(aside)
            except StorageError as error:
                log.error("%s: nothing was taken over yet: %s", aside, error)
                return
            log.warning("%s: %d rows that the sink does not have are taken over", aside, rows)
            del self._wrecks[0]

    def _open(self) -> None:
        if self._outbox is None:
            terms = self._terms
            self._outbox = Outbox.open(
                self._path, terms.unit, self.boot, terms.max_rows, terms.k, terms.published
            )
            self._wrecks = set_aside_before(self._path)
            self._outbox.holding = self._holding or bool(self._due)
            self._outbox.keeping = self._records is not None

    def _catch_up(self) -> None:
        """Do what is due since the storage failed."""
        self._open()
        assert self._outbox is not None
        self._adopt(self._outbox)
        while self._due:
            self._due[0](self._outbox)
            del self._due[0]
            self._note()

    def _append(self) -> None:
        self._catch_up()
        assert self._outbox is not None
        self._outbox.append(self._held)
        self._held = ()
        self._note()

    def _note(self) -> None:
        """Write new rows where the bench wants them, and those that changed once more."""
        assert self._outbox is not None
        if self._records is not None:
            for row in self._outbox.stored:
                self._records.write(row.boot, row.seq, row.payload)
