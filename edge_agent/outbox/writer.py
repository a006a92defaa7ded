"""The writing side of the outbox, vision's."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from edge_agent.errors import RecordError, StorageDamaged, StorageError
from edge_agent.outbox.database import LAYOUT, commit, connect, count, identity, told
from edge_agent.records import MAX_PAYLOAD_BYTES, Counts, Window, decode_counts, encode, fold

_PARTS = ("", "-wal", "-shm")

_SCHEMA = """
CREATE TABLE rows (
    position INTEGER PRIMARY KEY,
    boot TEXT NOT NULL,
    seq INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE TABLE writer (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    boot TEXT NOT NULL,
    base INTEGER NOT NULL,
    seq INTEGER NOT NULL
);
INSERT INTO writer VALUES (1, '', 0, 0);
"""


class Outbox:
    """The writing side; one process, one thread.

    The newest row may be merged into (see `append`), so a row that was published must never be
    the newest of a full outbox. The uplink has at most ``max_unreceipted`` published rows in the
    file, receipted ones that are not yet purged included, and publishes from the oldest: with
    ``max_rows > max_unreceipted``, which the site file's check demands, that cannot happen.

    Attributes:
        merged: windows that went into an older row for want of room since `open`.
    """

    def __init__(
        self, database: sqlite3.Connection, path: Path, unit: str, boot: str, max_rows: int
    ) -> None:
        self._database = database
        self._path = path
        self._unit = unit
        self._boot = boot
        self._max_rows = max_rows
        self._files = _files(path)
        self.merged = 0

    @classmethod
    def open(cls, path: Path, unit: str, boot: str, max_rows: int) -> Outbox:
        """Open or make the file and check that it is sound.

        Args:
            path: of the database; its folder exists.
            unit: the unit's id.
            boot: 16 hex digits; the seq of a boot goes on where it was, a new one's starts at 1.
            max_rows: rows held before windows are merged, at least 1.

        Raises:
            StorageDamaged: the file is no sound outbox: set it aside, then open again.
            StorageFull: no room; try again later.
            StorageError: any other trouble with the file.
            ValueError: max_rows is below 1.
        """
        if max_rows < 1:
            raise ValueError(f"max_rows is {max_rows}, at least 1 row must fit")
        with told(path):
            database = connect(path)
            try:
                _prepare(database, path)
                _enter(database, boot)
            except BaseException:
                database.close()
                raise
            return cls(database, path, unit, boot, max_rows)

    def append(self, windows: tuple[Window, ...]) -> Counts:
        """Store windows in one commit, durable when this returns.

        They become the next row or, when ``max_rows`` are waiting, are merged zone by zone into
        the newest row if that is of this boot; a window that cannot be told together with one
        there stands beside it. Where even that does not fit into one message, a row is added.

        Returns:
            The row exactly as stored: after a merge an earlier seq with more in it.

        Raises:
            RecordError: the windows do not fit into one message.
            StorageFull, StorageError: nothing was stored; the same windows may be appended later.
            StorageDamaged: the file is damaged or gone; set it aside and open another.
        """
        if _files(self._path) != self._files:
            raise StorageDamaged(f"{self._path}: the file in use was removed or replaced")
        with told(self._path), commit(self._database):
            merged = self._merge(windows) if self._full() else None
            counts = merged or self._insert(windows)
        self.merged += len(windows) if merged else 0
        return counts

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _full(self) -> bool:
        first, last = self._database.execute(
            "SELECT (SELECT min(position) FROM rows), (SELECT max(position) FROM rows)"
        ).fetchone()
        # The span is at least the count and costs no scan; only a span that is full is counted.
        if first is None or last - first + 1 < self._max_rows:
            return False
        return count(self._database) >= self._max_rows

    def _insert(self, windows: tuple[Window, ...]) -> Counts:
        base, last = self._database.execute("SELECT base, seq FROM writer").fetchone()
        counts = Counts(self._unit, self._boot, last + 1, windows)
        payload = encode(counts)
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise RecordError(
                f"{len(windows)} windows make {len(payload)} bytes, one message holds at most "
                f"{MAX_PAYLOAD_BYTES}: a unit cannot have so many zones"
            )
        self._database.execute("UPDATE writer SET seq = ?", (counts.seq,))
        self._database.execute(
            "INSERT INTO rows VALUES (?, ?, ?, ?)",
            (base + counts.seq, counts.boot, counts.seq, payload),
        )
        return counts

    def _merge(self, windows: tuple[Window, ...]) -> Counts | None:
        position, boot, payload = self._database.execute(
            "SELECT position, boot, payload FROM rows ORDER BY position DESC LIMIT 1"
        ).fetchone()
        if boot != self._boot:
            return None
        newest = self._stored(payload)
        counts = replace(newest, windows=fold(newest.windows, windows))
        merged = encode(counts)
        if len(merged) > MAX_PAYLOAD_BYTES:
            return None
        self._database.execute("UPDATE rows SET payload = ? WHERE position = ?", (merged, position))
        return counts

    def _stored(self, payload: bytes) -> Counts:
        try:
            return decode_counts(payload)
        except RecordError as error:
            raise StorageDamaged(f"{self._path}: the newest row is damaged: {error}") from error


def set_aside(path: Path, stamp: int) -> Path:
    """Rename a damaged outbox with its log, so that a new one can be opened at ``path``.

    Args:
        path: of the outbox, closed by this process.
        stamp: becomes part of the name: seconds since 1970; counted up where that name is taken.

    Returns:
        Where the database is now; its ``-wal`` and ``-shm`` lie beside it.

    Raises:
        StorageError: it cannot be renamed.
    """
    while any(Path(f"{path}.damaged-{stamp}{end}").exists() for end in _PARTS):
        stamp += 1
    aside = Path(f"{path}.damaged-{stamp}")
    try:
        for end in _PARTS:
            part = Path(f"{path}{end}")
            if part.exists():
                part.rename(f"{aside}{end}")
    except OSError as error:
        raise StorageError(f"{path}: cannot be set aside: {error.strerror}") from error
    return aside


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new file; refuse one that is damaged or something else."""
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise StorageDamaged(f"{path}: {verdict}")
    (layout,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if layout == LAYOUT:
        return
    if layout or tables:
        raise StorageDamaged(f"{path}: a database, but no outbox of layout {LAYOUT}")
    with commit(database):
        for statement in _SCHEMA.split(";"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version={LAYOUT}")


def _enter(database: sqlite3.Connection, boot: str) -> None:
    """Note whose seq is counted from now on; a boot that is opened again goes on."""
    with commit(database):
        database.execute(
            "UPDATE writer SET base = base + seq, seq = 0, boot = ? WHERE boot != ?", (boot, boot)
        )


def _files(path: Path) -> tuple[tuple[int, ...] | None, ...]:
    """Which database and log these are: what goes to a removed file is lost on closing."""
    return identity(path), identity(Path(f"{path}-wal"))
