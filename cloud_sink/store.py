"""The SQLite store: takes in a batch of messages in one durable commit, each exactly once."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloud_sink import tables
from cloud_sink.errors import StoreError, UsageError
from cloud_sink.ingest import (
    Accepted,
    Address,
    Arrival,
    DeadLetter,
    Duplicate,
    HealthSeen,
    Outcome,
    StateSeen,
    decide,
)
from cloud_sink.receipts import Spans
from cloud_sink.rows import Rows
from cloud_sink.schema import Check
from edge_agent.records import Receipt

# Each holds at most records.MAX_PAYLOAD_BYTES, so 1.3 GB at the very worst.
MAX_DEAD_LETTERS = 10_000
# Boots whose spans are kept in memory (about 1 KB each); others are read when they speak again.
_MAX_BOOTS = 20_000

# Full, unwritable, locked or damaged; their siblings would be mistakes in our statements.
_DISK_ERRORS = (sqlite3.OperationalError, sqlite3.DatabaseError)

_Boot = tuple[Address, str]


@dataclass(frozen=True, slots=True)
class Committed:
    """What one commit did.

    Args:
        outcomes: how many messages by (outcome, reason); reason is empty but for dead letters.
        windows: how many windows were stored.
        receipts: what to tell each unit, one for each boot that the batch touched.
    """

    outcomes: Mapping[tuple[str, str], int]
    windows: int
    receipts: tuple[tuple[Address, Receipt], ...]


class Store:
    """The one writer of a database file.

    Args:
        path: the file; made if it is new.
        checks: the schemas, from `schema.checks`.
        max_dead_letters: how many dead letters are kept, > 0.

    Raises:
        UsageError: not a database of this sink, or another sink writes to it.
        StoreError: it cannot be opened now.
    """

    def __init__(
        self,
        path: Path,
        checks: Mapping[str, Check],
        max_dead_letters: int = MAX_DEAD_LETTERS,
    ) -> None:
        self.path = path
        self._checks = checks
        self._max_dead_letters = max_dead_letters
        self._lock = _lock(path)
        try:
            self._db = tables.open_writer(path)
        except BaseException:
            os.close(self._lock)
            raise
        self._rows = Rows(self._db)
        self._file = _identity(path)
        self._spans: dict[_Boot, Spans] = {}

    def name(self) -> str:
        """What this store calls itself at a broker: drawn once, so that its session is found again.

        Raises:
            StoreError: it cannot be written.
        """
        drawn = f"sink-{secrets.token_hex(4)}"
        try:
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('name', ?)", (drawn,))
            return str(self._db.execute("SELECT value FROM meta WHERE key = 'name'").fetchone()[0])
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from None

    def commit(self, arrivals: Sequence[Arrival]) -> Committed:
        """Judge and store messages; when this returns they are on the disk.

        Raises:
            StoreError: nothing of the batch was stored.
        """
        self._follow()
        batch = _Batch()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for arrival in arrivals:
                batch.add(arrival, self._take(arrival))
            self._write_touched(batch)
            self._db.execute("COMMIT")
        except BaseException as error:
            self._undo(batch)
            if type(error) in _DISK_ERRORS:
                raise StoreError(f"{self.path}: {error}") from None
            raise
        if _identity(self.path) != self._file:
            raise StoreError(f"{self.path}: was taken away while it was written to")
        receipts = tuple(
            (address, self._spans[address, boot].receipt(boot, seqs))
            for (address, boot), seqs in batch.rows.items()
        )
        self._bound_memory()
        return Committed(batch.outcomes, batch.windows, receipts)

    def probe(self) -> None:
        """Find out whether a commit is possible again.

        Raises:
            StoreError: it is not.
        """
        self._follow()
        try:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('probe', randomblob(16))")
        except _DISK_ERRORS as error:
            raise StoreError(f"{self.path}: {error}") from None

    def _follow(self) -> None:
        """A file that was deleted or replaced holds nothing: what goes there must not be receipted.

        Raises:
            StoreError: there is no writing to what lies at the path now.
        """
        if _identity(self.path) == self._file:
            return
        self._db.close()
        self._spans.clear()
        self._db = tables.open_writer(self.path)
        self._rows = Rows(self._db)
        self._file = _identity(self.path)

    def close(self) -> None:
        """Close the file; another sink may write to it then."""
        self._db.close()
        os.close(self._lock)

    def _take(self, arrival: Arrival) -> Outcome:
        outcome = decide(arrival, self._checks, self._rows)
        match outcome:
            case Accepted():
                self._rows.accept(arrival, outcome)
            case StateSeen():
                self._rows.state(arrival, outcome)
            case HealthSeen():
                self._rows.health(arrival, outcome.address)
            case DeadLetter():
                self._rows.put_aside(arrival, outcome)
            case Duplicate():
                pass
        return outcome

    def _write_touched(self, batch: _Batch) -> None:
        for (address, boot), seqs in batch.rows.items():
            spans = self._spans_of(address, boot)
            for seq in seqs:
                spans.add(seq)
            self._rows.write_spans(address, boot, batch.at, json.dumps(spans.pairs()))
        for address in batch.spoke:
            self._rows.seen(address, batch.at)
        if any(outcome == "dead" for outcome, _ in batch.outcomes):
            self._rows.forget_dead(self._max_dead_letters)

    def _spans_of(self, address: Address, boot: str) -> Spans:
        known = self._spans.get((address, boot))
        if known is None:
            written = self._rows.spans(address, boot)
            known = Spans((first, last) for first, last in json.loads(written or "[]"))
            self._spans[address, boot] = known
        return known

    def _undo(self, batch: _Batch) -> None:
        """What was not committed must not be receipted: forget spans that already say so."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        for boot in batch.rows:
            self._spans.pop(boot, None)

    def _bound_memory(self) -> None:
        while len(self._spans) > _MAX_BOOTS:
            del self._spans[next(iter(self._spans))]


class _Batch:
    """What a batch has touched so far."""

    def __init__(self) -> None:
        self.at = 0.0
        self.windows = 0
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.rows: dict[_Boot, list[int]] = {}
        self.spoke: set[Address] = set()

    def add(self, arrival: Arrival, outcome: Outcome) -> None:
        self.at = max(self.at, arrival.at)
        if isinstance(outcome, Accepted | Duplicate | DeadLetter) and outcome.key is not None:
            key = outcome.key
            self.rows.setdefault((key.address, key.boot), []).append(key.seq)
        match outcome:
            case Accepted():
                self.windows += len(outcome.windows)
                self._count("accepted", outcome.key.address)
            case Duplicate():
                self._count("duplicate", outcome.key.address)
            case StateSeen():
                # A will is the broker speaking, and what it had kept is old.
                spoke = outcome.online and not arrival.retained
                self._count("state", outcome.address if spoke else None)
            case HealthSeen():
                self._count("health", None if arrival.retained else outcome.address)
            case DeadLetter():
                self.outcomes["dead", outcome.reason.value] += 1

    def _count(self, outcome: str, spoke: Address | None) -> None:
        self.outcomes[outcome, ""] += 1
        if spoke is not None:
            self.spoke.add(spoke)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file lies at the path."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _lock(path: Path) -> int:
    """Keep a second sink off the file: both would take each other's session away."""
    if not path.parent.is_dir():
        raise UsageError(f"--db {path}: there is no folder {path.parent}; make it first")
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UsageError(f"--db {path}: {error}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise UsageError(
            f"--db {path}: another sink is writing to it; end that one first"
        ) from None
    return lock
