"""Rows as a chain: each says the digest of the payload before it, so that none can be slipped out.

The chain is the unit's ledger. It is checked here, merged where an outbox is full, and linked anew
where rows that have not left the unit change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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


def halved(rows: Sequence[Entry]) -> tuple[list[Entry], int]:
    """The older half of rows merged in pairs: the longer ago, the coarser.

    Rows of two boots never become one. Where no two of the older half can, the next pair does.

    Returns:
        The rows, with the same sums, and how many windows went into an older row.
    """
    older = max(2, len(rows) // 2)
    fewer: list[Entry] = []
    merged, free = 0, False
    for number, row in enumerate(rows):
        both = _merged(fewer[-1], row) if free and (number < older or not merged) else None
        if both is None:
            fewer.append(row)
        else:
            fewer[-1] = both
            merged += len(row.counts.windows)
        free = both is None
    return fewer, merged


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
        prev = row.counts.prev
        # Without any word of one before: made before there was a chain.
        if prev != before and (prev is not None or row.chained):
            broken.append(row)
        before = digest(row.payload)
    return broken
