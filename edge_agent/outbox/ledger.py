"""The ledger: everything that left the unit, as rows of the outbox, and old ones as checkpoints."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.errors import StorageDamaged, StorageError
from edge_agent.outbox.chain import Entry, breaks
from edge_agent.outbox.database import LAYOUT, Stage, connect, told, unpack
from edge_agent.records import Window, decode_windows, digest

# A week of windows of 60 s stays readable. More are folded so many at a time, into one line.
ENTRIES, FOLDED = 10_080, 256
# Lines of checkpoints; of more than twice of it the older half becomes one.
_CHECKPOINTS = 512
# The digest of an entry that cannot be read any more: the chain is cut there, and says so.
_UNKNOWN = "0" * 64
_LEFT = (
    "SELECT position, boot, seq, payload FROM rows"
    " WHERE stage = ? AND position BETWEEN ? AND ? ORDER BY position"
)
_FORGET = "DELETE FROM rows WHERE stage = ? AND position BETWEEN ? AND ?"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is left of messages that were folded away.

    Args:
        position: of the last one.
        boot, seq: of the same.
        digest: SHA-256 of its payload: what the next message's ``prev`` says.
        messages: how many there were.
        start, end: of their windows, seconds on the windows' clock.
    """

    position: int
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
        if not self.checkpoints:
            return breaks(self.entries, None)
        last = self.checkpoints[-1]
        # What waits among messages that were folded away follows one of those.
        return breaks((row for row in self.entries if row.position > last.position), last.digest)


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
                    "SELECT position, boot, seq, digest, messages, start, end FROM checkpoints"
                    " ORDER BY position"
                )
            ),
            tuple(_entries(database)),
            decode_windows(carried[0]),
        )


def fold_old(database: sqlite3.Connection) -> None:
    """Fold the oldest entries that have left into a checkpoint where there are too many.

    Within the caller's transaction; what waits among them stays.
    """
    oldest, newest = database.execute(
        "SELECT min(position), (SELECT max(position) FROM rows) FROM rows WHERE stage = ?",
        (Stage.LEFT,),
    ).fetchone()
    # Positions have no gaps but where something was folded, and a span costs no scan.
    if oldest is not None and newest - oldest >= ENTRIES + FOLDED:
        _fold(database, oldest, oldest + FOLDED - 1)


def _fold(database: sqlite3.Connection, first: int, last: int) -> None:
    """Fold what has left of some positions; an entry that is damaged is counted all the same."""
    span = (Stage.LEFT, first, last)
    point = Checkpoint(0, "", 0, _UNKNOWN, 0, float("inf"), 0.0)
    # One at a time: hundreds of rows in memory at once would be what a process never gives back.
    for found in database.execute(_LEFT, span):
        point = _with(point, found)
    database.execute(_FORGET, span)
    database.execute(
        "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            point.position, point.boot, point.seq, point.digest, point.messages,
            min(point.start, point.end), point.end,
        ),
    )  # fmt: skip
    lines = [at for (at,) in database.execute("SELECT position FROM checkpoints ORDER BY position")]
    if len(lines) > 2 * _CHECKPOINTS:
        _fold_checkpoints(database, lines[_CHECKPOINTS])


def _with(point: Checkpoint, found: tuple[int, str, int, bytes]) -> Checkpoint:
    """One more message in a checkpoint."""
    position, boot, seq, packed = found
    more = replace(
        point, position=position, boot=boot, seq=seq, digest=_UNKNOWN, messages=point.messages + 1
    )
    with contextlib.suppress(StorageDamaged):
        row = Entry(position, boot, seq, unpack(packed), Stage.LEFT)
        windows = row.counts.windows
        return replace(
            more,
            digest=digest(row.payload),
            start=min(point.start, *(window.start for window in windows)),
            end=max(point.end, *(window.end for window in windows)),
        )
    return more


def _fold_checkpoints(database: sqlite3.Connection, upto: int) -> None:
    """All up to one position as one line, that of the last of them."""
    database.execute(
        "UPDATE checkpoints SET (messages, start, end) ="
        " (SELECT sum(messages), min(start), max(end) FROM checkpoints WHERE position <= ?)"
        " WHERE position = ?",
        (upto, upto),
    )
    database.execute("DELETE FROM checkpoints WHERE position < ?", (upto,))


def _entries(database: sqlite3.Connection) -> Iterator[Entry]:
    found = database.execute(
        "SELECT position, boot, seq, payload, stage FROM rows ORDER BY position"
    )
    for position, boot, seq, payload, stage in found:
        try:
            text = unpack(payload)
        except StorageDamaged:  # told as a cut, by whoever reads on
            text = payload if isinstance(payload, bytes) else b""
        yield Entry(position, boot, seq, text, Stage(stage))
