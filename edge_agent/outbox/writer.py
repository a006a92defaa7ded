"""The writing side of the outbox, vision's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.errors import RecordError, StorageDamaged
from edge_agent.outbox.chain import Entry, Halving, linked
from edge_agent.outbox.database import (
    Stage,
    commit,
    connect,
    count,
    identity,
    pack,
    told,
    unpack,
)
from edge_agent.outbox.salvage import Wreck
from edge_agent.outbox.soundness import look_at, prepare, size
from edge_agent.records import (
    MAX_PAYLOAD_BYTES,
    Counts,
    Quality,
    Window,
    carrying,
    decode_windows,
    digest,
    encode,
    encode_windows,
    release,
)

# The first row that cannot have been published: behind all that left or may not leave, and behind
# so many that wait.
_UNPUBLISHED = (
    "SELECT position FROM waiting"
    " WHERE position > coalesce((SELECT max(position) FROM rows WHERE stage IN (?, ?)), 0)"
    " ORDER BY position LIMIT 1 OFFSET ?"
)
# Rows in memory while many are written anew; a row is some kilobytes.
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Correction:
    """What a time server's word changes of windows that were timed without one.

    Args:
        by_s: seconds to add to their starts.
        bound_s: how near to the truth they are then, seconds.
    """

    by_s: float
    bound_s: float

    def of(self, window: Window, mixed: bool = False) -> Window:
        """The window where it belongs; one mixed with an earlier boot's stays uncertain."""
        if window.clock is not Quality.UNSYNCED:
            return window
        if mixed:
            return window.moved(self.by_s, Quality.UNSYNCED, None)
        return window.moved(self.by_s, Quality.SYNCED, self.bound_s)


class Outbox:
    """The writing side; one process, one thread.

    Rows that were published must never change. The uplink publishes from the oldest, at most
    ``published`` of those without a receipt (its ``max_unreceipted``), and none that is held: the
    others may be merged and numbered anew (see `append`, `correct`).

    Attributes:
        merged: windows that were merged with older ones for want of room since `open`.
        holding: whether new rows are held back, because their time may yet be corrected.
        carrying: zones of which fewer than k visits wait to be told.
        keeping: whether ``stored`` holds all rows that a call wrote, or the newest alone.
        stored: rows that the last call wrote, new or changed, oldest first.
    """

    def __init__(
        self,
        database: sqlite3.Connection,
        path: Path,
        unit: str,
        boot: str,
        max_rows: int,
        k: int,
        published: int,
    ) -> None:
        self._database = database
        self._path = path
        self._unit = unit
        self._boot = boot
        self._max_rows = max_rows
        self._k, self._published = k, published
        carried = self._carried()
        # What waited when this boot began, by zone, and windows told that hold some of it.
        self._inherited = {window.zone for window in carried}
        self._mixed: set[tuple[int, str]] = set()
        self._files = _files(path)
        self._bytes = size(path)
        self.merged = 0
        self.holding = False
        self.carrying = carrying(carried)
        self.keeping = False
        self.stored: list[Entry] = []

    @classmethod
    def open(
        cls, path: Path, unit: str, boot: str, max_rows: int, k: int = 1, published: int = 0
    ) -> Outbox:
        """Open or make the file and check that it is sound.

        Args:
            path: of the database; its folder exists.
            unit: the unit's id.
            boot: 16 hex digits; the seq of a boot goes on where it was, a new one's starts at 1.
            max_rows: rows held before windows are merged, at least 1.
            k: the least base of a zone's window that may be told, at least 1.
            published: of the oldest rows so many may have been published.

        Raises:
            StorageDamaged: the file is no sound outbox: set it aside, then open again.
            StorageFull: no room; try again later.
            StorageError: any other trouble with the file.
            ValueError: max_rows is below 1.
        """
        if max_rows < 1:
            raise ValueError(f"max_rows is {max_rows}, at least 1 row must fit")
        look_at(path)
        with told(path):
            database = connect(path)
            try:
                prepare(database, path)
                _enter(database, boot)
                most = _published(database, published)
                return cls(database, path, unit, boot, max_rows, k, most)
            except BaseException:
                database.close()
                raise

    def append(self, windows: tuple[Window, ...]) -> Counts | None:
        """Store windows in one commit, durable when this returns.

        What may be told of them, with what waited, becomes the next row; the rest waits in the
        same commit. When more than ``max_rows`` rows wait for the sink, the oldest that cannot
        have been published are merged in pairs, and those after them numbered anew.

        Returns:
            The newest row exactly as stored; None where nothing may be told yet.

        Raises:
            RecordError: the windows do not fit into one message.
            StorageFull, StorageError: nothing was stored; the same windows may be appended later.
            StorageDamaged: the file is damaged or gone; set it aside and open another.
        """
        with self._writing():
            released = release(self._carried(), windows, self._k)
            counts = self._insert_all(released.told)
            self._carry(released.waiting)
            self._inherited &= {window.zone for window in released.waiting}
            merged = 0 if counts is None else self._make_room()
            if merged:
                counts = self.stored[-1].counts
        self.merged += merged
        self.carrying = carrying(released.waiting)
        return counts

    def correct(self, correction: Correction) -> None:
        """Time the held rows, and what waits, anew in one commit, and let the rows go.

        Raises:
            StorageFull, StorageError, StorageDamaged: as for `append`.
        """
        with self._writing():
            self._rewrite(self._timed(row, correction) for row in self._taken(self._first_held()))
            self._carry(
                tuple(
                    correction.of(window, window.zone in self._inherited)
                    for window in self._carried()
                )
            )
        self.holding = False

    def _timed(self, row: Entry, correction: Correction) -> Entry:
        def of(window: Window) -> Window:
            return correction.of(window, (row.seq, window.zone) in self._mixed)

        return replace(row.timed(of), stage=Stage.WAITING)

    def adopt(self, wreck: Wreck) -> int:
        """Take over what a damaged outbox still holds, in one commit.

        Returns:
            How many rows those are.

        Raises:
            StorageFull, StorageError, StorageDamaged: as for `append`; nothing was taken over.
        """
        with self._writing():
            (position,) = self._database.execute(
                "SELECT coalesce(max(position), 0) FROM rows"
            ).fetchone()
            adopted = 0
            for row in wreck.rows():
                if not position and (prev := row.counts.prev) is not None:
                    _begin_chain(self._database, row, prev)
                position, adopted = position + 1, adopted + 1
                self._store(replace(row, position=position))
                self._database.execute(
                    "UPDATE writer SET base = ? - seq, head = ?", (position, digest(row.payload))
                )
            self._carry((*self._carried(), *wreck.carried()))
            self.carrying = carrying(self._carried())
            self._inherited = {window.zone for window in self._carried()}
        return adopted

    def let_go(self) -> None:
        """Let the held rows go as they are.

        Raises:
            StorageFull, StorageError, StorageDamaged: as for `append`.
        """
        with self._writing():
            _let_go(self._database)
        self.holding = False

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _insert_all(self, windows: tuple[Window, ...]) -> Counts | None:
        """Rows of windows: one, but where those that a smaller k freed come beside a full house."""
        if not windows:
            return None
        try:
            return self._insert(windows)
        except RecordError:
            zones = {window.zone for window in windows}
            if len(zones) == len(windows):  # not even one of each
                raise
        newest = {window.zone: window for window in windows}
        before = tuple(window for window in windows if newest[window.zone] is not window)
        self._insert_all(before)
        return self._insert(tuple(newest.values()))

    def _insert(self, windows: tuple[Window, ...]) -> Counts:
        base, last, head = self._database.execute("SELECT base, seq, head FROM writer").fetchone()
        counts = Counts(self._unit, self._boot, last + 1, windows, head or self._link())
        payload = encode(counts)
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise RecordError(
                f"{len(windows)} windows make {len(payload)} bytes, one message holds at most "
                f"{MAX_PAYLOAD_BYTES}: a unit cannot have so many zones"
            )
        self._mixed |= {(counts.seq, w.zone) for w in windows if w.zone in self._inherited}
        stage = Stage.HELD if self.holding else Stage.WAITING
        self._store(Entry(base + counts.seq, counts.boot, counts.seq, payload, stage))
        self._database.execute("UPDATE writer SET seq = ?, head = ?", (counts.seq, digest(payload)))
        return counts

    def _link(self) -> str | None:
        """The digest of the newest row, which an older release has not noted."""
        payload = self._newest()
        return None if payload is None else digest(payload)

    def _store(self, row: Entry) -> None:
        if not self.keeping:
            self.stored.clear()
        self.stored.append(row)
        self._database.execute(
            "INSERT INTO rows (position, boot, seq, payload, stage) VALUES (?, ?, ?, ?, ?)",
            (row.position, row.boot, row.seq, pack(row.payload), row.stage),
        )

    def _make_room(self) -> int:
        """Merge the older half of what cannot have been published; how many windows that took."""
        waiting = count(self._database)
        if waiting <= self._max_rows:
            return 0
        found = self._database.execute(
            _UNPUBLISHED, (Stage.LEFT, Stage.BARRED, self._published)
        ).fetchone()
        halving = Halving(waiting - self._published)
        if found is not None:
            self._rewrite(halving.of(self._taken(found[0])))
        return halving.merged

    def _rewrite(self, rows: Iterable[Entry]) -> None:
        """Put rows that were taken out back, numbered and chained anew."""
        last = None
        for row in linked(rows):
            self._store(row)
            last = row
        if last is not None:
            self._database.execute(
                "UPDATE writer SET base = ?, seq = ?, head = ?",
                (last.position - last.seq, last.seq, digest(last.payload)),
            )

    def _taken(self, position: int) -> Iterator[Entry]:
        """Take all rows from a position on out, a few at a time: there may be many.

        What is put back meanwhile must lie before those that are still to be taken.
        """
        while True:
            found = self._database.execute(
                "SELECT position, boot, seq, payload, stage FROM rows WHERE position >= ?"
                " ORDER BY position LIMIT ?",
                (position, _AT_ONCE),
            ).fetchall()
            if not found:
                return
            after = found[-1][0] + 1
            self._database.execute(
                "DELETE FROM rows WHERE position >= ? AND position < ?", (position, after)
            )
            for at, boot, seq, payload, stage in found:
                yield Entry(at, boot, seq, unpack(payload), Stage(stage))
            position = after

    def _first_held(self) -> int:
        """Held rows are the newest ones; where none is, a place after all rows."""
        (position,) = self._database.execute(
            "SELECT coalesce(min(position), 9000000000000000000) FROM rows WHERE stage = ?",
            (Stage.HELD,),
        ).fetchone()
        return int(position)

    def _newest(self) -> bytes | None:
        found = self._database.execute(
            "SELECT payload FROM rows ORDER BY position DESC LIMIT 1"
        ).fetchone()
        return None if found is None else unpack(found[0])

    def _carried(self) -> tuple[Window, ...]:
        (text,) = self._database.execute("SELECT carried FROM writer").fetchone()
        try:
            return decode_windows(text)
        except RecordError as error:
            raise StorageDamaged(f"{self._path}: what waits is damaged: {error}") from error

    def _carry(self, windows: tuple[Window, ...]) -> None:
        text = encode_windows(windows)
        self._database.execute("UPDATE writer SET carried = ? WHERE carried != ?", (text, text))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if _files(self._path) != self._files:
            raise StorageDamaged(f"{self._path}: the file in use was removed or replaced")
        if size(self._path) < self._bytes:  # it never shrinks by itself
            raise StorageDamaged(f"{self._path}: the file in use was cut off")
        self.stored = []
        with told(self._path), commit(self._database):
            yield
        self._bytes = size(self._path)


def _enter(database: sqlite3.Connection, boot: str) -> None:
    """Note whose seq is counted from now on; a boot that is opened again goes on.

    What another boot held back goes as it is: nobody knows any more how wrong its clock was.
    """
    with commit(database):
        (before,) = database.execute("SELECT boot FROM writer").fetchone()
        if before != boot:
            database.execute("UPDATE writer SET base = base + seq, seq = 0, boot = ?", (boot,))
            database.execute(
                "UPDATE rows SET stage = ? WHERE stage IN (?, ?)",
                (Stage.WAITING, Stage.HELD, Stage.BARRED),
            )


def _begin_chain(database: sqlite3.Connection, first: Entry, prev: str) -> None:
    """Note what the chain goes on from: messages that are in no file of this unit any more."""
    windows = first.counts.windows
    start = min(window.start for window in windows)
    database.execute(
        "INSERT INTO checkpoints VALUES (0, ?, ?, ?, 0, ?, ?)",
        (first.boot, first.seq - 1, prev, start, start),
    )


def _published(database: sqlite3.Connection, now: int) -> int:
    """How many of the oldest rows may have been published, by this site file or a former one."""
    with commit(database):
        (before,) = database.execute("SELECT published FROM writer").fetchone()
        most = max(now, before) if count(database) > now else now
        database.execute("UPDATE writer SET published = ? WHERE published != ?", (most, most))
    return most


def _let_go(database: sqlite3.Connection) -> None:
    database.execute("UPDATE rows SET stage = ? WHERE stage = ?", (Stage.WAITING, Stage.HELD))


def _files(path: Path) -> tuple[tuple[int, ...] | None, ...]:
    """Which database and log these are: what goes to a removed file is lost on closing."""
    return identity(path), identity(Path(f"{path}-wal"))
