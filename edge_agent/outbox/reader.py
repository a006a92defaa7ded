"""The reading and purging side of the outbox, the uplink's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import StorageDamaged
from edge_agent.outbox.database import (
    LAYOUT,
    Stage,
    commit,
    connect,
    count,
    identity,
    told,
    unpack,
)
from edge_agent.outbox.ledger import fold_old
from edge_agent.records import Head, digest

_NEXT = (
    "SELECT position, boot, seq, payload FROM waiting WHERE position > ? ORDER BY position LIMIT ?"
)
_LEAVE = "UPDATE rows SET stage = ? WHERE position = ? AND boot = ? AND seq = ?"
_HEAD = (
    "SELECT boot, seq, payload FROM rows WHERE stage = ?"
    " AND position < coalesce((SELECT min(position) FROM waiting), 9e18)"
    " ORDER BY position DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Key:
    """Which row: ``position`` orders rows across boots, (boot, seq) is what the sink knows."""

    position: int
    boot: str
    seq: int


@dataclass(frozen=True, slots=True)
class Row:
    """One message as it will be published."""

    key: Key
    payload: bytes


class OutboxReader:
    """The uplink's side: reads in order, notes what is done, follows the file.

    The file may be absent at first, and be replaced while this is used. Keys and the order of
    positions hold within one ``generation`` only.

    Attributes:
        generation: grows each time that another file is opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._identity: tuple[int, ...] | None = None
        self.generation = 0

    def rows_after(self, after: Key | None, limit: int) -> list[Row]:
        """The next rows in the order they were stored, boots after each other.

        Args:
            after: the last row known, None = from the oldest.
            limit: at most so many.

        Raises:
            StorageDamaged, StorageError: the file cannot be read now; vision will replace it.
        """
        with self._open() as database:
            if database is None:
                return []
            found = database.execute(
                _NEXT,
                (0 if after is None else after.position, limit),
            )
            return [
                Row(Key(position, boot, seq), _payload(packed))
                for position, boot, seq, packed in found
            ]

    def count(self) -> int:
        """How many rows wait for a receipt; 0 when there is no file.

        Raises:
            StorageDamaged, StorageError: as for `rows_after`.
        """
        with self._open() as database:
            return 0 if database is None else count(database)

    def head(self) -> Head | None:
        """The newest row that has left with all before it; None where none has.

        Raises:
            StorageDamaged, StorageError: as for `rows_after`.
        """
        with self._open() as database:
            if database is None:
                return None
            found = database.execute(_HEAD, (Stage.LEFT,)).fetchone()
            return None if found is None else Head(found[0], found[1], digest(unpack(found[2])))

    def forget(self, keys: Iterable[Key]) -> None:
        """Note in one commit that rows have left: they are entries of the ledger from now on.

        The oldest entries are folded away. A key of another file or noted already does no harm.

        Raises:
            StorageFull, StorageError: nothing was noted; try again later.
            StorageDamaged: as for `rows_after`.
        """
        with self._open() as database:
            if database is None:
                return
            with commit(database):
                database.executemany(
                    _LEAVE, [(Stage.LEFT, key.position, key.boot, key.seq) for key in keys]
                )
            # By itself: what has left has left, whatever the old ones are like.
            with commit(database):
                fold_old(database)

    def bar(self, key: Key) -> None:
        """Note that a row may not leave: it stays on the unit, and holds nothing up.

        Raises:
            StorageFull, StorageError, StorageDamaged: as for `forget`.
        """
        with self._open() as database:
            if database is not None:
                with commit(database):
                    database.execute(_LEAVE, (Stage.BARRED, key.position, key.boot, key.seq))

    def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        if self._database is not None:
            self._database.close()
        self._database = self._identity = None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        with told(self._path):
            there = identity(self._path)
            if there != self._identity:
                self.close()
                self._follow(there)
            yield self._database

    def _follow(self, there: tuple[int, ...] | None) -> None:
        if there is None:
            return
        database = connect(self._path, mode="rw")
        try:
            # Losing a purge in a power cut only means that rows are sent again.
            database.execute("PRAGMA synchronous=NORMAL")
            (layout,) = database.execute("PRAGMA user_version").fetchone()
            ready = layout == LAYOUT and identity(self._path) == there
        except BaseException:
            database.close()
            raise
        if not ready:  # vision is at work on it
            database.close()
            return
        self._database, self._identity = database, there
        self.generation += 1


def _payload(packed: bytes) -> bytes:
    """As it was stored; of a damaged row what is there, which is no message and will not leave."""
    try:
        return unpack(packed)
    except StorageDamaged:
        return packed
