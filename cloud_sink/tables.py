"""The database's tables, and how a connection to it is opened."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from cloud_sink.errors import StoreError, UsageError

# "SFLT": tells our file from any other SQLite database (pragma application_id).
_APPLICATION_ID = 0x53464C54
_VERSION = 3
# A reader waits so long for the writer's checkpoint, seconds.
_BUSY_S = 5.0
# Rows come nearly in order: of more pages only their number grows, for hours.
_CACHE_KIB = 512

WINDOW_COLUMNS = (
    "zone", "start", "length_s", "observed_s", "clock",
    "pass_bys", "stops", "engaged", "reaches", "picks", "put_backs",
    "dwell_s", "bridged_s", "censored", "censored_dwell_s", "merged",
)  # fmt: skip
RULE_COLUMNS = ("stop_s", "engage_s", "gap_s", "k", "definitions_version")
# What windows tell since definitions version 3, null in those of older units.
STAFF_COLUMNS = (
    "staff_pass_bys", "staff_stops", "staff_engaged", "staff_dwell_s", "staff_reached",
    "staff_reaches", "staff_picks", "staff_put_backs", "staff_empty_handed",
)  # fmt: skip
ESTIMATED = ("reaches", "picks", "put_backs")
ESTIMATE_COLUMNS = tuple(f"{name}_{end}" for name in ESTIMATED for end in ("low", "best", "high"))
# JSON as the unit wrote it: nothing is summed over these.
JSON_COLUMNS = ("histograms", "facings")
# What each store version brought; a column stands after those that were there.
_ADDED = {
    2: ("reached", "empty_handed", "abstained", *STAFF_COLUMNS, *ESTIMATE_COLUMNS, *JSON_COLUMNS),
    3: ("bound_s",),
}
LATER_COLUMNS = tuple(name for names in _ADDED.values() for name in names)

_SCRIPT = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- One row for each counts message, its payload byte for byte.
CREATE TABLE messages (
    tenant TEXT NOT NULL, store TEXT NOT NULL, unit TEXT NOT NULL, boot TEXT NOT NULL,
    seq INTEGER NOT NULL, received_at REAL NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (tenant, store, unit, boot, seq));
-- One row for each window of those messages.
CREATE TABLE windows (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL, store TEXT NOT NULL, unit TEXT NOT NULL, boot TEXT NOT NULL,
    seq INTEGER NOT NULL,
    zone TEXT NOT NULL, start REAL NOT NULL, length_s REAL NOT NULL, observed_s REAL NOT NULL,
    clock TEXT NOT NULL,
    pass_bys INTEGER NOT NULL, stops INTEGER NOT NULL, engaged INTEGER NOT NULL,
    reaches INTEGER, picks INTEGER, put_backs INTEGER,
    dwell_s REAL NOT NULL, bridged_s REAL NOT NULL, censored INTEGER NOT NULL,
    censored_dwell_s REAL NOT NULL, merged INTEGER NOT NULL,
    stop_s REAL NOT NULL, engage_s REAL NOT NULL, gap_s REAL NOT NULL, k INTEGER NOT NULL,
    definitions_version INTEGER NOT NULL);
CREATE INDEX windows_by_unit ON windows (unit, zone, start);
CREATE INDEX windows_by_start ON windows (start);
-- Which rows of a boot are held, as spans; in order of the boots' first arrival.
CREATE TABLE boots (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL, store TEXT NOT NULL, unit TEXT NOT NULL, boot TEXT NOT NULL,
    first_at REAL NOT NULL, spans TEXT NOT NULL,
    UNIQUE (tenant, store, unit, boot));
CREATE TABLE units (
    tenant TEXT NOT NULL, store TEXT NOT NULL, unit TEXT NOT NULL,
    session INTEGER, online INTEGER, state_at REAL, health TEXT, health_at REAL, last_seen REAL,
    PRIMARY KEY (tenant, store, unit)) WITHOUT ROWID;
-- What was refused; bounded, while dead_counts never forgets.
CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at REAL NOT NULL, topic TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    size INTEGER NOT NULL, payload BLOB NOT NULL,
    tenant TEXT, store TEXT, unit TEXT, boot TEXT, seq INTEGER);
CREATE INDEX dead_letters_by_row ON dead_letters (tenant, store, unit, boot, seq)
    WHERE seq IS NOT NULL;
CREATE TABLE dead_counts (reason TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = 1;
"""


def _kind(column: str) -> str:
    if column in JSON_COLUMNS:
        return "TEXT"
    return "REAL" if column in ESTIMATE_COLUMNS or column.endswith("_s") else "INTEGER"


def _brought_to(version: int) -> str:
    added = [f"ALTER TABLE windows ADD COLUMN {name} {_kind(name)};" for name in _ADDED[version]]
    return "".join(added) + f"PRAGMA user_version = {version};"


# From each store version to the next; a new file is made as the first one and goes the same way.
_STEPS = {0: _SCRIPT, **{version - 1: _brought_to(version) for version in _ADDED}}


def _as_if(version: int) -> str:
    """A reader changes nothing: to it an older file looks as if it had been brought up."""
    later = [name for added, names in _ADDED.items() if added > version for name in names]
    told = ", ".join(f"NULL AS {name}" for name in later)
    return " ".join(["CREATE TEMP VIEW windows AS SELECT *,", told, "FROM main.windows"])


def database_path(text: str) -> Path:
    """The file that ``--db`` names.

    Raises:
        UsageError: it is a URL.
    """
    if "://" in text:
        scheme = text.split("://", maxsplit=1)[0]
        raise UsageError(
            f"--db {scheme}://…: this form of the sink stores in SQLite; name a file, e.g. sink.db"
        )
    return Path(text)


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the file for the one writer, making the tables or bringing them up to date.

    Raises:
        UsageError: it is not a database of this sink, or of a newer one; its folder is missing.
    """
    if not path.parent.is_dir():
        raise UsageError(f"--db {path}: there is no folder {path.parent}; make it first")
    with _named(path):
        # One thread writes, but it is opened by another one than it is closed by.
        db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S, check_same_thread=False)
        _check(db, path, may_be_new=True)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        for version in range(_version(db), _VERSION):
            db.executescript(f"BEGIN IMMEDIATE;{_STEPS[version]}COMMIT;")
    return db


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees one moment of the store and cannot change it.

    Raises:
        UsageError: there is no such file, or it is not a database of this sink.
    """
    if not path.is_file():
        raise UsageError(f"--db {path}: there is no such file; `serve` makes it")
    with _named(path):
        db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S)
        try:
            db.execute("BEGIN")
            _check(db, path, may_be_new=False)
            if (version := _version(db)) < _VERSION:
                db.execute(_as_if(version))
            db.execute("PRAGMA query_only = ON")
            yield db
        finally:
            db.close()


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one that names the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path}: {error}") from None
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:
            raise
        raise UsageError(f"--db {path}: {error}; name another file or restore it") from None


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _check(db: sqlite3.Connection, path: Path, *, may_be_new: bool) -> None:
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = _version(db)
    empty = not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if empty and application == version == 0 and may_be_new:
        return
    if application != _APPLICATION_ID:
        raise UsageError(f"--db {path}: not a database of this sink; name another file")
    if not 1 <= version <= _VERSION:
        raise UsageError(
            f"--db {path}: made by a sink of store version {version}, this one reads {_VERSION}"
        )
