"""The outbox's SQLite file: its tables, how it is opened, one transaction, its errors."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

from edge_agent.errors import StorageDamaged, StorageError, StorageFull

# The layout's number (PRAGMA user_version): the reader leaves a file with another alone, the writer
# brings an older one up.
LAYOUT = 2
# How long one process waits for the other's commit: an SD card's slow flush is about a second.
_BUSY_S = 5.0
# In pages of 4 KiB. A commit writes two pages to the log; every 100 pages the log is folded into
# the database, where a page counts once however often it changed.
_CHECKPOINT_PAGES = 100
_CACHE_KIB = 256
# What is left of the log after a purge or a long read made it grow.
_LOG_BYTES = 1024 * 1024
# Below this the file system is as good as full: SQLite then fails in the middle of its own files
# with "disk I/O error" or "unable to open", which alone says nothing.
_FULL_BYTES = 64 * 1024


class Stage(IntEnum):
    """Where a row is on its way."""

    WAITING = 0  # to be sent, or sent and without a receipt
    HELD = 1  # its time may yet be corrected: not to be sent
    LEFT = 2  # the sink has it: an entry of the ledger
    BARRED = 3  # it may not leave: of another unit, or no message; looked at again by each boot


_FIRST = """
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
PRAGMA user_version=1;
"""
# Rows stay as entries of the ledger when they have left; the oldest are folded into checkpoints, a
# line for each. Of the writer: the digest of the newest row, windows below k as JSON, and how many
# of the oldest rows may have been published. What waits (0 = Stage.WAITING) is a view: its index is
# used only where the very condition is asked.
_SECOND = """
ALTER TABLE rows ADD COLUMN stage INTEGER NOT NULL DEFAULT 0;
CREATE INDEX rows_waiting ON rows (position) WHERE stage = 0;
CREATE VIEW waiting AS SELECT * FROM rows WHERE stage = 0;
ALTER TABLE writer ADD COLUMN head TEXT;
ALTER TABLE writer ADD COLUMN carried BLOB NOT NULL DEFAULT '[]';
ALTER TABLE writer ADD COLUMN published INTEGER NOT NULL DEFAULT 0;
CREATE TABLE checkpoints (
    position INTEGER PRIMARY KEY,
    boot TEXT NOT NULL,
    seq INTEGER NOT NULL,
    digest TEXT NOT NULL,
    messages INTEGER NOT NULL,
    start REAL NOT NULL,
    end REAL NOT NULL
);
PRAGMA user_version=2;
"""
# From each layout to the next; a new file goes the same way.
STEPS = {0: _FIRST, 1: _SECOND}


# ... and a file or log that is shorter than it was.
_DAMAGED = (
    sqlite3.SQLITE_IOERR_CORRUPTFS,
    sqlite3.SQLITE_READONLY_DBMOVED,
    sqlite3.SQLITE_IOERR_SHORT_READ,
)


def pack(payload: bytes) -> bytes:
    """A payload as a row holds it: an eighth of its size, with a checksum of its own.

    A row of three zones then shares a page with five others, and a commit writes a third.
    """
    return zlib.compress(payload)


def unpack(packed: bytes) -> bytes:
    """The payload; rows of a former release hold it as it is.

    Raises:
        StorageDamaged: it is not as it was packed.
    """
    if packed[:1] == b"{":
        return packed
    try:
        return zlib.decompress(packed)
    except (TypeError, zlib.error) as error:
        raise StorageDamaged(f"a row of the outbox is damaged: {error}") from error


def connect(path: Path, mode: str = "rwc") -> sqlite3.Connection:
    """Open the file (mode rwc makes it, rw does not), sparing with memory and writes."""
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_S, isolation_level=None
    )
    try:
        database.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        # Some builds overwrite what is deleted with zeros; these are counts, and every write ages
        # the card.
        database.execute("PRAGMA secure_delete=OFF")
        database.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        database.execute(f"PRAGMA journal_size_limit={_LOG_BYTES}")
    except BaseException:
        database.close()
        raise
    return database


def share(path: Path) -> None:
    """Let the group write what SQLite made for its owner alone: the uplink purges, as another user.

    SQLite gives a log and an index that it makes later the rights of the database.
    """
    for end in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):  # not there, or another user's
            os.chmod(f"{path}{end}", 0o660)


@contextmanager
def commit(database: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of it is durable on leaving, or nothing of it after an error."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Tell SQLite's errors apart by what can be done about them."""
    try:
        yield
    except sqlite3.Error as error:
        code: int | None = getattr(error, "sqlite_errorcode", None)
        if code is None:  # not the file's fault: a mistake in this program
            raise
        raise _kind(code, path)(f"{path}: {error}") from error
    except UnicodeDecodeError as error:  # SQLite quotes a damaged schema, which is no text any more
        raise StorageDamaged(f"{path}: malformed database schema") from error


def _kind(code: int, path: Path) -> type[StorageError]:
    primary = code & 0xFF
    # SQLITE_ERROR: a table is missing, or the format is another; our statements do not change.
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
        return StorageDamaged
    if code in _DAMAGED:
        return StorageDamaged
    if primary == sqlite3.SQLITE_FULL:
        return StorageFull
    if primary in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _no_room(path.parent):
        return StorageFull
    return StorageError


def _no_room(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _FULL_BYTES
    except OSError:
        return False


def identity(path: Path) -> tuple[int, ...] | None:
    """Which file this is; None when there is none. An open file's number is not given again."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def count(database: sqlite3.Connection) -> int:
    """How many rows are without a receipt and may be sent."""
    (number,) = database.execute("SELECT count(*) FROM waiting").fetchone()
    return int(number)
