"""Hands past the plane of one shelf, as a close look at each person told them."""

from __future__ import annotations

from collections.abc import Iterable

from edge_agent.observations import Hand

# The chance from which a person's hand is past the plane, and below which it is not any more.
# Chosen on rendered shops, with what `reaches` asks of a whole stay: low, for a stay is judged by
# its surest look, and how long it was by all of them.
_PAST, _BACK = 0.25, 0.12


class Looks:
    """Follows at one shelf who has a hand past its plane."""

    def __init__(self) -> None:
        self._in: set[int] = set()

    def update(self, hands: Iterable[Hand]) -> list[Hand]:
        """Take what was told of one frame; returns the hands past the plane."""
        past = [one for one in hands if one.chance >= (_BACK if one.track in self._in else _PAST)]
        self._in = {one.track for one in past}
        return past
