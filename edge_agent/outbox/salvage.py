"""What can still be read of a damaged outbox: its rows that the sink does not have yet."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edge_agent.errors import RecordError, StorageDamaged
from edge_agent.outbox.chain import Entry
from edge_agent.outbox.database import Stage, connect, unpack
from edge_agent.records import Window, decode_counts, decode_windows

_ROWS = "SELECT position, boot, seq, payload FROM rows WHERE stage != ? AND position > ?"
_FORWARD, _BACKWARD = f"{_ROWS} ORDER BY position", f"{_ROWS} ORDER BY position DESC"

# A file of a release that deleted what had left, as if all of its rows were staged.
_AS_IF = "CREATE TEMP VIEW rows AS SELECT *, 0 AS stage FROM main.rows"
# A header that asks for more is damaged itself.
_MOST_BYTES = 1 << 30


class Wreck:
    """A damaged outbox that was set aside; a context manager. Whatever cannot be read is left out.

    Args:
        path: where it lies now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Wreck:
        with contextlib.suppress(sqlite3.Error, OSError):
            _pad(self._path)
            self._database = connect(self._path, mode="rw")
            columns = self._database.execute("PRAGMA table_info(rows)").fetchall()
            if columns and all(column[1] != "stage" for column in columns):
                self._database.execute(_AS_IF)
            self._database.execute("PRAGMA query_only=ON")
        return self

    def __exit__(self, *_: object) -> None:
        if self._database is not None:
            self._database.close()

    def rows(self) -> Iterator[Entry]:
        """The sound ones without a receipt, oldest first: up to a damaged page, and behind it."""
        last, seen = 0, set[tuple[str, int]]()
        for row in self._found(_FORWARD, 0):
            last = row.position
            if (row.boot, row.seq) not in seen:  # a damaged index may lead to a page twice
                seen.add((row.boot, row.seq))
                yield row
        behind = [row for row in self._found(_BACKWARD, last) if (row.boot, row.seq) not in seen]
        yield from reversed(behind)

    def carried(self) -> tuple[Window, ...]:
        """What waited for more visitors."""
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error, RecordError, TypeError):
                (text,) = self._database.execute("SELECT carried FROM writer").fetchone()
                return decode_windows(text)
        return ()

    def _found(self, statement: str, after: int) -> Iterator[Entry]:
        if self._database is None:
            return
        with contextlib.suppress(sqlite3.Error):
            found = self._database.execute(statement, (Stage.LEFT, after))
            for position, boot, seq, payload in found:
                with contextlib.suppress(StorageDamaged, TypeError):
                    row = Entry(position, boot, seq, unpack(payload), Stage.WAITING)
                    if _is_sound(row):
                        yield row


def _pad(path: Path) -> None:
    """Give a file that was cut off its length again, in zeros: SQLite reads none that is too short.

    Its header holds the size of a page at byte 16 and their number at byte 28 (SQLite's file
    format, 1.3).
    """
    with path.open("r+b") as file:
        header = file.read(100)
        if not header.startswith(b"SQLite format 3\0"):
            return
        page, pages = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
        wanted = page * pages
        if file.seek(0, 2) < wanted <= _MOST_BYTES:
            file.truncate(wanted)


def _is_sound(row: Entry) -> bool:
    try:
        counts = decode_counts(row.payload)
    except (RecordError, TypeError):
        return False
    return (counts.boot, counts.seq) == (row.boot, row.seq)
