"""How sure a figure of some shops is, and which shops: all that they share is their number."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from edge_agent.errors import InputError
from edge_agent.observations import Floats

SAMPLES = 1000
_SURE = (0.025, 0.975)


def resampled(table: Floats, seed: int = 0) -> Floats:
    """Sums over shops drawn with replacement (bootstrap), float64 [1000, columns].

    Args:
        table: one row a shop.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(table), size=(SAMPLES, len(table)))
    sums: Floats = table[chosen].sum(axis=1)
    return sums


def ends(values: Iterable[float]) -> tuple[float | None, float | None]:
    """Between which 95 % of them lie; those that are no number are left aside."""
    some = np.array(list(values), np.float64)
    some = some[np.isfinite(some)]
    if not len(some):
        return None, None
    low, high = np.quantile(some, _SURE).tolist()
    return low, high


def seeds_in(text: str | None) -> range:
    """A number, or FIRST-LAST; None = no shop.

    Raises:
        InputError: it is neither.
    """
    if text is None:
        return range(0)
    first, _, last = text.partition("-")
    try:
        seeds = range(int(first), int(last or first) + 1)
    except ValueError:
        raise InputError(f"--seeds {text}: wanted a number or FIRST-LAST") from None
    if not seeds:
        raise InputError(f"--seeds {text}: the last is before the first")
    return seeds
