"""Rows as a chain: each says the digest of the payload before it, so that none can be slipped out.

The chain is the unit's ledger. It is checked here, merged where an outbox is full, and linked anew
where rows that have not left the unit change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from edge_agent.errors import RecordError, StorageDamaged
from edge_agent.outbox.database import Stage
from edge_agent.records import (
    MAX_PAYLOAD_BYTES,
    Counts,
    Window,
    decode_counts,
    digest,
    encode,
    fold,
    relink,
)

# Rows that are merged at a time, for vision counts nothing meanwhile and the watchdog waits half a
# minute: 20,000 rows of 3.7 kB, 4,096 of them merged, took 7 s of a shared x86 core.
_HALVED = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the outbox.

    Args:
        position: orders rows across boots.
        boot, seq: what the sink knows it by.
        payload: as it leaves or has left.
        stage: where it is on its way.
    """

    position: int
    boot: str
    seq: int
    payload: bytes
    stage: Stage

    @property
    def counts(self) -> Counts:
        """What it says.

        Raises:
            StorageDamaged: nothing that can be read.
        """
        try:
            return decode_counts(self.payload)
        except RecordError as error:
            raise StorageDamaged(f"row {self.seq} of boot {self.boot}: {error}") from error

    @property
    def chained(self) -> bool:
        """Whether it was made by a release that says what stands before a row."""
        return b',"prev":' in self.payload

    def timed(self, by: Callable[[Window], Window]) -> Entry:
        """With windows that are timed otherwise."""
        counts = self.counts
        return replace(
            self, payload=encode(replace(counts, windows=tuple(map(by, counts.windows))))
        )


def linked(rows: Iterable[Entry]) -> Iterator[Entry]:
    """Rows numbered and chained anew, without gaps, from the first one's own number and link."""
    position, seqs, prev = 0, dict[str, int](), None
    for row in rows:
        prev = row.counts.prev if not position else prev
        position = position + 1 if position else row.position
        seq = seqs.get(row.boot, row.seq)
        payload = relink(row.payload, seq, prev)
        seqs[row.boot], prev = seq + 1, digest(payload)
        yield replace(row, position=position, seq=seq, payload=payload)


@dataclass(slots=True)
class Halving:
    """Merges the older half of rows in pairs: the longer ago, the coarser.

    Rows of two boots never become one. Where no two of the older half can, the next pair does.

    Args:
        count: how many rows there are.

    Attributes:
        merged: windows that went into an older row.
    """

    count: int
    merged: int = 0

    def of(self, rows: Iterable[Entry]) -> Iterator[Entry]:
        """The rows, oldest first, as fewer with the same sums."""
        older = max(2, min(self.count // 2, _HALVED))
        last: Entry | None = None
        for number, row in enumerate(rows):
            wanted = last is not None and (number < older or not self.merged)
            both = _merged(last, row) if wanted and last is not None else None
            if both is not None:
                self.merged += len(row.counts.windows)
                yield both
            elif last is not None:
                yield last
            last = row if both is None else None
        if last is not None:
            yield last


def _merged(first: Entry, second: Entry) -> Entry | None:
    if first.boot != second.boot:
        return None
    counts = first.counts
    payload = encode(replace(counts, windows=fold(counts.windows, second.counts.windows)))
    return replace(first, payload=payload) if len(payload) <= MAX_PAYLOAD_BYTES else None


def breaks(entries: Iterable[Entry], before: str | None) -> list[Entry]:
    """The entries whose link is not the digest of what stands before them.

    Args:
        entries: the ledger's, oldest first.
        before: digest of what was folded away before the first; None = nothing was.
    """
    broken = []
    for row in entries:
        if not _follows(row, before):
            broken.append(row)
        before = digest(row.payload)
    return broken


def _follows(row: Entry, before: str | None) -> bool:
    try:
        prev = row.counts.prev
    except StorageDamaged:
        return False
    # Without any word of one before: made before there was a chain.
    return prev == before or (prev is None and not row.chained)
