"""What was claimed, what it should be, what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One claim.

    Args:
        check: its name, by which a broken copy says what caught it.
        claim: what is promised.
        goal, figure: what was asked and what was found, as a reader wants it.
        met: whether the figure meets the goal.
    """

    check: str
    claim: str
    goal: str
    figure: str
    met: bool


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is tried: all of what is promised, or the shorter form that CI has time for."""

    short: bool = False

    def of(self, full: int, short: int) -> int:
        """A number of tries."""
        return short if self.short else full


Prove = Callable[[Scale, Path], Iterator[Row]]
