"""The ledger: everything that left the unit, as rows of the outbox, and old ones as checkpoints."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import StorageError
from edge_agent.outbox.chain import Entry, breaks
from edge_agent.outbox.database import LAYOUT, Stage, connect, told, unpack
from edge_agent.records import Window, decode_windows, digest

# A week of windows of 60 s stays readable. More are folded so many at a time, into one line.
ENTRIES, FOLDED = 10_080, 256
# Lines of checkpoints; of more than twice of it the older half becomes one.
_CHECKPOINTS = 512


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is left of messages that were folded away.

    Args:
        boot, seq: of the last one.
        digest: SHA-256 of its payload: what the next message's ``prev`` says.
        messages: how many there were.
        start, end: of their windows, seconds on the windows' clock.
    """

    boot: str
    seq: int
    digest: str
    messages: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """What an outbox file tells of what left the unit.

    Args:
        checkpoints: what was folded away, oldest first.
        entries: what has left, and what waits or is on its way, oldest first.
        carried: windows below k that wait for more.
    """

    checkpoints: tuple[Checkpoint, ...]
    entries: tuple[Entry, ...]
    carried: tuple[Window, ...]

    def broken(self) -> list[Entry]:
        """Entries whose link to the one before does not hold."""
        return breaks(self.entries, self.checkpoints[-1].digest if self.checkpoints else None)


def read_ledger(path: Path) -> Ledger:
    """Read the file as it is at this moment, also while the services work on it.

    Raises:
        StorageError: there is none, or it cannot be read.
        StorageDamaged: it is no outbox, or a row cannot be read.
    """
    if not path.is_file():
        raise StorageError(f"{path}: no outbox there; name the folder with --state")
    with told(path), closing(connect(path, mode="ro")) as database:
        (layout,) = database.execute("PRAGMA user_version").fetchone()
        if layout != LAYOUT:
            raise StorageError(f"{path}: of another release (layout {layout}); start vision once")
        database.execute("BEGIN")
        carried = database.execute("SELECT carried FROM writer").fetchone()
        return Ledger(
            tuple(
                Checkpoint(*line)
                for line in database.execute(
                    "SELECT boot, seq, digest, messages, start, end FROM checkpoints"
                    " ORDER BY position"
                )
            ),
            tuple(_entries(database)),
            decode_windows(carried[0]),
        )


def fold_old(database: sqlite3.Connection) -> None:
    """Fold the oldest entries that have left into a checkpoint where there are too many.

    Within the caller's transaction; entries behind one that waits are left alone.
    """
    oldest, newest = database.execute(
        "SELECT (SELECT min(position) FROM rows), (SELECT max(position) FROM rows)"
    ).fetchone()
    # Positions have no gaps, and a span costs no scan.
    if oldest is None or newest - oldest < ENTRIES + FOLDED:
        return
    old = list(_entries(database, FOLDED))
    if all(row.stage is Stage.LEFT for row in old):
        _fold(database, old)


def _fold(database: sqlite3.Connection, old: list[Entry]) -> None:
    windows = [window for row in old for window in row.counts.windows]
    last = old[-1]
    database.execute("DELETE FROM rows WHERE position <= ?", (last.position,))
    database.execute(
        "INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            last.position, last.boot, last.seq, digest(last.payload), len(old),
            min(window.start for window in windows), max(window.end for window in windows),
        ),
    )  # fmt: skip
    lines = [at for (at,) in database.execute("SELECT position FROM checkpoints ORDER BY position")]
    if len(lines) > 2 * _CHECKPOINTS:
        _fold_checkpoints(database, lines[_CHECKPOINTS])


def _fold_checkpoints(database: sqlite3.Connection, upto: int) -> None:
    """All up to one position as one line, that of the last of them."""
    database.execute(
        "UPDATE checkpoints SET (messages, start, end) ="
        " (SELECT sum(messages), min(start), max(end) FROM checkpoints WHERE position <= ?)"
        " WHERE position = ?",
        (upto, upto),
    )
    database.execute("DELETE FROM checkpoints WHERE position < ?", (upto,))


def _entries(database: sqlite3.Connection, limit: int = -1) -> Iterator[Entry]:
    found = database.execute(
        "SELECT position, boot, seq, payload, stage FROM rows ORDER BY position LIMIT ?", (limit,)
    )
    for position, boot, seq, payload, stage in found:
        yield Entry(position, boot, seq, unpack(payload), Stage(stage))
