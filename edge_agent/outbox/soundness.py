"""Whether a file is a sound outbox: what SQLite checks by itself, and what it does not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edge_agent.errors import StorageDamaged
from edge_agent.outbox.database import LAYOUT, STEPS, Stage, commit, share, unpack

_PAGE = 4096


def prepare(database: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new file, bring an older one up; refuse a damaged or foreign one.

    Raises:
        StorageDamaged: it is no sound outbox.
    """
    database.execute("PRAGMA journal_mode=WAL")
    share(path)
    database.execute("PRAGMA synchronous=FULL")
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise StorageDamaged(f"{path}: {verdict}")
    (layout,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if layout > LAYOUT or (tables and not layout):
        raise StorageDamaged(f"{path}: a database, but no outbox of layout {LAYOUT} or before")
    while layout < LAYOUT:
        with commit(database):
            for statement in STEPS[layout].split(";"):
                database.execute(statement)
        layout += 1
    _read_through(database, path)


def look_at(path: Path) -> None:
    """What shows from outside, and SQLite would take for a new file or fill with zeros.

    Raises:
        StorageDamaged: it is no database.
    """
    if path.is_file() and (size(path) == 0 or size(path) % _PAGE):
        raise StorageDamaged(f"{path}: {size(path)} bytes are no whole pages")


def _read_through(database: sqlite3.Connection, path: Path) -> None:
    """Read what SQLite's own check does not: whether the tables are ours, and rows to send whole.

    Raises:
        StorageDamaged: they are not.
    """
    for (packed,) in database.execute("SELECT payload FROM rows WHERE stage != ?", (Stage.LEFT,)):
        unpack(packed)
    writers = database.execute("SELECT boot, base, seq, head, carried FROM writer").fetchall()
    if len(writers) != 1:
        raise StorageDamaged(f"{path}: {len(writers)} writers")


def size(path: Path) -> int:
    """Bytes; 0 where there is no file."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
