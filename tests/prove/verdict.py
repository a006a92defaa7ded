"""What the unit committed beside what the sink holds."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_Row = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong between them, in rows.

    Args:
        told: rows that were acknowledged to be durable.
        stored: rows that the sink holds.
        lost: acknowledged rows that the sink does not hold with the same bytes.
        doubled: (unit, boot, seq) or (boot, zone, start of a window) more than once in the sink.
        gaps: boots whose rows in the sink are not 1, 2, 3 and so on.
        visits: pass_bys of all rows in the sink.
    """

    told: int = 0
    stored: int = 0
    lost: tuple[_Row, ...] = ()
    doubled: tuple[tuple[Any, ...], ...] = ()
    gaps: tuple[str, ...] = field(default=())
    visits: int = 0

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(
            self.told + other.told,
            self.stored + other.stored,
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.gaps + other.gaps,
            self.visits + other.visits,
        )


def judge(acknowledged: Iterable[bytes], stored: Iterable[bytes]) -> Verdict:
    """Compare payloads of counts, byte for byte.

    The sink may hold more than was acknowledged: vision can be ended between a commit and its word.
    """
    told = {_row(json.loads(line)): line for line in acknowledged}
    held: dict[_Row, bytes] = {}
    times: Counter[tuple[Any, ...]] = Counter()
    visits = 0
    for line in stored:
        known = json.loads(line)
        held[_row(known)] = line
        times[_row(known)] += 1
        times.update((known["boot"], one["zone"], one["start"]) for one in known["windows"])
        visits += sum(one["pass_bys"] for one in known["windows"])
    return Verdict(
        told=len(told),
        stored=len(held),
        lost=tuple(row for row, line in told.items() if held.get(row) != line),
        doubled=tuple(key for key, often in times.items() if often > 1),
        gaps=_gaps(held),
        visits=visits,
    )


def _row(known: dict[str, Any]) -> _Row:
    return known["unit"], known["boot"], known["seq"]


def _gaps(rows: Iterable[_Row]) -> tuple[str, ...]:
    boots: dict[str, set[int]] = defaultdict(set)
    for _, boot, seq in rows:
        boots[boot].add(seq)
    return tuple(boot for boot, seqs in boots.items() if seqs != set(range(1, len(seqs) + 1)))
