"""Which rows of one boot are held, as few spans; from them the receipt that a unit waits for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from edge_agent.records import Receipt

# A receipt must stay small and a store's memory bounded. A boot's rows come nearly in order, so
# that more than a handful of gaps means a unit that misbehaves.
MAX_SPANS = 64


class Spans:
    """A set of row numbers, kept as ascending spans that neither touch nor overlap.

    It may forget the highest spans when there are more than ``limit``: a later receipt then claims
    less than is held, and rows sent again are duplicates that get a receipt of their own. It never
    claims a row that was not added.

    Args:
        spans: (first, last) pairs, ascending and apart, as `pairs` gave them.
        limit: how many spans are remembered, >= 1.
    """

    __slots__ = ("_firsts", "_lasts", "_limit")

    def __init__(self, spans: Iterable[tuple[int, int]] = (), limit: int = MAX_SPANS) -> None:
        held = list(spans)
        self._firsts = [first for first, _ in held]
        self._lasts = [last for _, last in held]
        self._limit = limit

    def add(self, seq: int) -> None:
        """Take in one row number, >= 1; adding it again changes nothing."""
        firsts, lasts = self._firsts, self._lasts
        after = bisect_right(firsts, seq)
        if after and seq <= lasts[after - 1]:
            return
        joins_left = after > 0 and lasts[after - 1] == seq - 1
        joins_right = after < len(firsts) and firsts[after] == seq + 1
        if joins_left and joins_right:
            lasts[after - 1] = lasts[after]
            del firsts[after], lasts[after]
        elif joins_left:
            lasts[after - 1] = seq
        elif joins_right:
            firsts[after] = seq
        else:
            firsts.insert(after, seq)
            lasts.insert(after, seq)
            del firsts[self._limit :], lasts[self._limit :]

    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Every span held as (first, last), ascending."""
        return tuple(zip(self._firsts, self._lasts, strict=True))

    def __contains__(self, seq: int) -> bool:
        after = bisect_right(self._firsts, seq)
        return after > 0 and seq <= self._lasts[after - 1]

    def receipt(self, boot: str, just_held: Iterable[int] = ()) -> Receipt:
        """What to tell the unit about this boot.

        Args:
            boot: the boot.
            just_held: rows that this receipt answers; they are named even if their span is
                one that did not find room, so that no unit sends a row for ever.
        """
        pairs = self._with([seq for seq in just_held if seq not in self]).pairs()
        if pairs and pairs[0][0] == 1:
            return Receipt(boot, pairs[0][1], pairs[1:])
        return Receipt(boot, 0, pairs)

    def _with(self, forgotten: list[int]) -> Spans:
        if not forgotten:
            return self
        more = Spans(self.pairs(), self._limit + len(forgotten))
        for seq in forgotten:
            more.add(seq)
        return more
