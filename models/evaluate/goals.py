"""Figures of some shops beside their goals, with how sure: the table, and the picture of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.evaluate.picture import bars
from models.evaluate.report import Figure, Row, tell
from models.evaluate.resample import ends, resampled

Sums = Mapping[str, float]
"""What one shop adds to each sum; all shops have the same names."""
# Goals missed by more than so many times are drawn there.
_WORST = 10.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of the sums of all shops.

    Args:
        name: as JSON says it.
        heading: as people read it.
        of: the figure; NaN = nothing to judge.
        form: how it is written.
        most, least: its goal, if it has one.
    """

    name: str
    heading: str
    of: Callable[[Sums], float]
    form: str = ".3f"
    most: float | None = None
    least: float | None = None

    @property
    def goal(self) -> float | None:
        """What it is to be at most, or at least."""
        return self.most if self.most is not None else self.least

    def of_goal(self, value: float | None) -> float:
        """A value as a share of the goal; 1 or less = met, NaN = not known."""
        if value is None or self.goal is None:
            return float("nan")
        if self.most is not None:
            return value / self.most
        return self.goal / value if value else float("inf")


def judged(shops: Sequence[Sums], measures: Sequence[Measure], seed: int = 0) -> list[Row]:
    """Of all shops together: each figure, the ends of its 95 % interval, and its goal.

    Args:
        shops: one or more.
        measures: which figures.
        seed: of the samples of shops that the interval is taken of.
    """
    names = list(shops[0])
    table = np.array([[shop[name] for name in names] for shop in shops], np.float64)
    samples = [dict(zip(names, row, strict=True)) for row in resampled(table, seed).tolist()]
    whole = dict(zip(names, table.sum(axis=0).tolist(), strict=True))
    sure = {one.name: ends([one.of(some) for some in samples]) for one in measures}
    figures = {one.name: one.of(whole) for one in measures}
    return [
        {"name": "figure", **{n: None if np.isnan(v) else v for n, v in figures.items()}},
        {"name": "low", **{name: low for name, (low, _) in sure.items()}},
        {"name": "high", **{name: high for name, (_, high) in sure.items()}},
        {"name": "goal", **{one.name: one.goal for one in measures}},
    ]


def show(
    title: str, rows: Sequence[Row], measures: Sequence[Measure], as_json: bool, file: Path | None
) -> None:
    """Print what was judged, tell what misses its goal on standard error, and draw the rest.

    Args:
        title: what was judged, on what.
        rows: as `judged` gives them.
        measures: as given to it.
        as_json: print one line of JSON.
        file: gets the figures as shares of their goals; left of 1 is met.
    """
    tell(title, rows, [Figure(one.name, one.heading, one.form) for one in measures], as_json)
    for name in missed(rows[0], measures):
        print(f"{name} {rows[0][name]:.3f} misses its goal {rows[3][name]:g}", file=sys.stderr)
    if file is not None:
        shares = {
            one.name: [min(one.of_goal(_number(row[one.name])), _WORST) for row in rows[:3]]
            for one in measures
            if one.goal is not None
        }
        drawn = {name: np.array([v, *sorted((a, b))]) for name, (v, a, b) in shares.items()}
        bars(file, f"{title}: shares of their goals", drawn)


def missed(figure: Row, measures: Sequence[Measure]) -> list[str]:
    """Names of the figures that miss their goal."""
    return [one.name for one in measures if one.of_goal(_number(figure[one.name])) > 1]


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None
