"""Answers from the store: windows, their sums, the units, and what was put aside."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cloud_sink.ledger import Unit, compare
from cloud_sink.questions import By, Cursor, Question
from cloud_sink.tables import (
    ESTIMATE_COLUMNS,
    ESTIMATED,
    LATER_COLUMNS,
    STAFF_COLUMNS,
)
from edge_agent.records import Estimate

_PLACE = ("tenant", "store", "unit", "zone")
RULES = ("stop_s", "engage_s", "gap_s", "k", "definitions_version")
SUMS = (
    "observed_s", "pass_bys", "stops", "engaged", "reaches", "picks", "put_backs",
    "dwell_s", "bridged_s", "censored", "censored_dwell_s", "merged",
)  # fmt: skip
# Later columns come last: who reads CSV by position goes on reading it.
WINDOW = (*_PLACE, "start", "length_s", "clock", *SUMS, *RULES, "boot", "seq", *LATER_COLUMNS)
LATER_SUMS = ("reached", "empty_handed", "abstained", *STAFF_COLUMNS)
# Sums never mix clocks, nor counts that were made by different rules.
_GROUP = (*_PLACE, "clock", *RULES)
_RATES = ("stop_rate", "engagement_rate", "mean_dwell_s", "reach_rate")
# Squares are roots again in Python: SQLite is not always built with mathematics.
_ESTIMATES = [
    f"SUM({name}_best) AS {name}_best, "
    f"SUM(({name}_high - {name}_best) * ({name}_high - {name}_best)) AS {name}_squares"
    for name in ESTIMATED
]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One page.

    Args:
        columns: the names in order, the same for each row.
        rows: the values by name; None is what was never measured or cannot be told. Histograms
            and facings are JSON texts.
        last: the order key of the last row if there is more, else None.
    """

    columns: Sequence[str]
    rows: Sequence[Row]
    last: Cursor | None


def ask(db: sqlite3.Connection, question: Question) -> Answer:
    """Answer a question about counts."""
    if question.by is By.WINDOW:
        return _windows(db, question)
    return _sums(db, question)


def units(db: sqlite3.Connection) -> list[Row]:
    """Every unit that ever spoke: its state, when it last did, its latest health, its ledger."""
    rows = _rows(
        db.execute(
            "SELECT tenant, store, unit, online, session, state_at, last_seen, health_at, health"
            " FROM units ORDER BY tenant, store, unit"
        )
    )
    for row in rows:
        row["online"] = None if row["online"] is None else bool(row["online"])
        row["health"] = None if row["health"] is None else json.loads(row["health"])
        verdict = compare(db, Unit(row["tenant"], row["store"], row["unit"]), row["health"])
        row["ledger"] = None if verdict is None else verdict.value
    return rows


def dead_letters(db: sqlite3.Connection) -> Row:
    """How many messages were ever put aside by reason, and how many of them are still kept."""
    reasons = dict(db.execute("SELECT reason, count FROM dead_counts ORDER BY reason"))
    kept = db.execute("SELECT count(*) FROM dead_letters").fetchone()[0]
    return {"reasons": reasons, "total": sum(reasons.values()), "kept": kept}


def _windows(db: sqlite3.Connection, question: Question) -> Answer:
    where, values = _where(question)
    if question.after is not None:
        where, values = [*where, "(start, id) > (?, ?)"], [*values, *question.after]
    statement = _select((*WINDOW, "id"), where, ["ORDER BY start, id LIMIT ?"])
    rows = _rows(db.execute(statement, [*values, question.limit + 1]))
    return _page(WINDOW, rows, question.limit, ("start", "id"))


def _sums(db: sqlite3.Connection, question: Question) -> Answer:
    hourly = question.by is By.HOUR
    key = ("hour", *_GROUP) if hourly else _GROUP
    hour = ["CAST(start / 3600 AS INTEGER) * 3600 AS hour"] if hourly else []
    where, values = _where(question)
    tail = [f"GROUP BY {', '.join(key)}"]
    if question.after is not None:
        tail.append(f"HAVING ({', '.join(key)}) > ({', '.join('?' * len(key))})")
        values = [*values, *question.after]
    tail.append(f"ORDER BY {', '.join(key)} LIMIT ?")
    # SUM leaves NULL out and is NULL where nothing was measured: never 0 for that.
    sums = [f"SUM({name}) AS {name}" for name in (*SUMS, *LATER_SUMS)]
    columns = [*hour, *_GROUP, "count(*) AS windows", *sums, *_ESTIMATES]
    rows = _rows(db.execute(_select(columns, where, tail), [*values, question.limit + 1]))
    for row in rows:
        row.update(_rates(row) | _estimates(row))
    names = (*key, "windows", *SUMS, *_RATES, *LATER_SUMS, *ESTIMATE_COLUMNS)
    return _page(names, rows, question.limit, key)


def _where(question: Question) -> tuple[list[str], list[float | str]]:
    where = [f"{column} = ?" for column in question.names]
    values: list[float | str] = list(question.names.values())
    for condition, bound in (("start >= ?", question.start), ("start < ?", question.end)):
        if bound is not None:
            where.append(condition)
            values.append(bound)
    return where, values


def _select(columns: Sequence[str], where: Sequence[str], tail: Sequence[str]) -> str:
    """Every part is a constant of this module; what was asked for goes in as values."""
    condition = ["WHERE", " AND ".join(where)] if where else []
    return " ".join(["SELECT", ", ".join(columns), "FROM windows", *condition, *tail])


def _rows(found: sqlite3.Cursor) -> list[Row]:
    names = [column[0] for column in found.description]
    return [dict(zip(names, values, strict=True)) for values in found]


def _page(columns: Sequence[str], rows: list[Row], limit: int, key: Sequence[str]) -> Answer:
    page = rows[:limit]
    last = tuple(page[-1][name] for name in key) if len(rows) > limit else None
    return Answer(columns, [{name: row[name] for name in columns} for row in page], last)


def _rates(row: Row) -> Row:
    """By the contract's words; None where there is nothing to divide by."""
    uncut, reached = row["pass_bys"] - row["censored"], row["reached"]
    return {
        "stop_rate": row["stops"] / row["pass_bys"] if row["pass_bys"] else None,
        "engagement_rate": row["engaged"] / row["pass_bys"] if row["pass_bys"] else None,
        "mean_dwell_s": row["dwell_s"] / uncut if uncut > 0 else None,
        "reach_rate": reached / row["stops"] if reached is not None and row["stops"] else None,
    }


def _estimates(row: Row) -> Row:
    """As `records` merges windows: what is most likely adds up, half widths add as squares do."""
    told: Row = dict.fromkeys(ESTIMATE_COLUMNS)
    for name in ESTIMATED:
        best, squares = row[f"{name}_best"], row[f"{name}_squares"]
        if best is not None:
            guess = Estimate.about(best, math.sqrt(squares))
            told |= {f"{name}_{end}": value for end, value in asdict(guess).items()}
    return told
