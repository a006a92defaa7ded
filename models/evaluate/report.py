"""What a score looks like: a table for people, one line of JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

Value = float | int | str | None
Row = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure that is told of each candidate.

    Args:
        key: of a row's value.
        heading: what it is called.
        form: how a number is written, as for format().
    """

    key: str
    heading: str
    form: str = ".3f"


def tell(title: str, rows: Sequence[Row], figures: Sequence[Figure], as_json: bool) -> None:
    """Print the candidates side by side; values without a figure are told in JSON only.

    Args:
        title: what was scored, on what.
        rows: one per candidate; ``name`` says which.
        figures: which, in this order.
        as_json: print one line of JSON, ``{"results": rows}``, instead of the table.
    """
    if as_json:
        print(json.dumps({"title": title, "results": [_rounded(row) for row in rows]}))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for row in rows:
        table.add_column(str(row["name"]), justify="right", overflow="fold")
    for figure in figures:
        table.add_row(figure.heading, *(_cell(row[figure.key], figure.form) for row in rows))
    console = Console()
    console.print(title, style="bold", highlight=False)
    console.print(table)


def _cell(value: Value, form: str) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else format(value, form)


def _rounded(row: Row) -> dict[str, Value]:
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}
