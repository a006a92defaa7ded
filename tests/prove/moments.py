"""Many moments of one run: what both disks hold after a power cut, looked at without a service."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

from cloud_sink.errors import SinkError
from cloud_sink.export import export
from edge_agent.errors import StorageError
from edge_agent.outbox import OutboxReader
from edge_agent.records import Receipt
from tests.prove.disk import Disk, Fate
from tests.prove.take import Take

MOST_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Moments:
    """What was found at all of them.

    Args:
        looks: how many disks were looked at.
        rows: committed rows that had to be there, summed over the looks.
        missing: those that neither the unit nor the sink held.
        unkept: rows that the sink had receipted and did not hold.
        damaged: outboxes that could not be read.
    """

    looks: int = 0
    rows: int = 0
    missing: int = 0
    unkept: int = 0
    damaged: int = 0

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.looks + other.looks,
            self.rows + other.rows,
            self.missing + other.missing,
            self.unkept + other.unkept,
            self.damaged + other.damaged,
        )


def look(folder: Path, take: Take, count: int, draw: int) -> Moments:
    """Cut the power of unit and sink at so many moments, what was not synced dropped or scattered.

    Args:
        folder: for the disks, one after the other; gone afterwards.
        take: the run.
        count: of moments, drawn without repetition, at most as many as the run has notes.
        draw: seed of which they are and of what is kept by chance.
    """
    chance = Random(draw)
    numbers = range(1, len(take.notes) + 1)
    drawn = sorted(chance.sample(numbers, min(count, len(numbers))))
    found, disk, notes, before = Moments(), Disk(), iter(take.notes), 0
    for number, at in enumerate(drawn):
        for note in islice(notes, at - before):
            disk.take(note)
        before = at
        fate = (Fate.DROPPED, Fate.SCATTERED)[number % 2]
        try:
            found += _judge(folder, take, disk, fate, chance, take.promised(at))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return found


def lay_out(place: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder's files."""
    place.mkdir(parents=True)
    for name, content in files.items():
        (place / name).write_bytes(content)


def lines(files: Mapping[str, bytes]) -> list[bytes]:
    """Whole lines of all of them."""
    return [line for content in files.values() for line in content.split(b"\n")[:-1]]


def _judge(
    place: Path, take: Take, disk: Disk, fate: Fate, chance: Random, promised: list[Receipt]
) -> Moments:
    for source in (take.state, take.store):
        lay_out(place / source.name, disk.files(source, fate, chance))
    told = lines(disk.files(take.told, Fate.KEPT, chance))
    stored = _stored(place / take.store.name)
    waiting = _waiting(place / take.state.name)
    held = {*stored, *(waiting or ())}
    kept = set(map(_row, stored))
    return Moments(
        looks=1,
        rows=len(told),
        missing=sum(line not in held for line in told),
        unkept=sum(row not in kept for row in _covered(told, promised)),
        damaged=int(waiting is None),
    )


def _waiting(state: Path) -> list[bytes] | None:
    """What the outbox holds; None = it cannot be read."""
    reader = OutboxReader(state / "outbox.db")
    try:
        return [row.payload for row in reader.rows_after(None, MOST_ROWS)]
    except StorageError:
        return None
    finally:
        reader.close()


def _stored(store: Path) -> list[bytes]:
    out = store / "export"
    try:
        export(store / "sink.db", "jsonl", out)
    except SinkError:  # there is none yet; whatever it had promised is missing then
        return []
    return out.read_bytes().splitlines()


def _covered(told: Iterable[bytes], promised: Iterable[Receipt]) -> Iterator[tuple[str, int]]:
    """Rows that vision told of and the sink receipted."""
    last = {receipt.boot: receipt for receipt in promised}
    for boot, seq in map(_row, told):
        if boot in last and last[boot].covers(seq):
            yield boot, seq


@cache
def _row(line: bytes) -> tuple[str, int]:
    """Which row it is; the same lines come up at every moment."""
    known = json.loads(line)
    return known["boot"], known["seq"]
