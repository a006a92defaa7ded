"""What was told, how surely, and where something may have been missed: so estimates are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.certainty import Kind
from edge_agent.observations import Handling, Move, Reach

MOVES = {Kind.PICKS: Move.PICK, Kind.PUT_BACKS: Move.PUT_BACK}


@dataclass(frozen=True, slots=True)
class Trials:
    """Events of one kind.

    Args:
        confidences: of each event told, 0..1.
        chances: where one could have been missed: for reaches, reaches told; for products,
            reaches told that moved none.
    """

    confidences: tuple[float, ...]
    chances: int


def trials(kind: Kind, reaches: Sequence[Reach], handlings: Sequence[Handling]) -> Trials:
    """The trials of one kind among all that was told at a zone."""
    if kind is Kind.REACHES:
        return Trials(tuple(reach.confidence for reach in reaches), len(reaches))
    told = [one.confidence for one in handlings if one.move is MOVES[kind]]
    return Trials(tuple(told), max(0, len(reaches) - len(handlings)))
