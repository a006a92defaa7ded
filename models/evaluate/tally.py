"""What a unit said of a recording beside what was so, as sums that can be added up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from edge_agent.bench.score import pair
from edge_agent.observations import (
    Censored,
    Handling,
    Move,
    Reach,
    ShelfEvent,
    Stock,
    Visit,
)

# A reach may be off by so much and still share time; a product's move may be told so late or
# early, seconds: hands and bodies hide it meanwhile.
REACH_S, MOVE_S = 0.5, 3.0
# Stock is asked so often, and not so soon before or after a change, seconds.
_STOCK_EVERY_S, _STOCK_CHANGE_S = 0.5, 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over recordings: what was so, what was said, what of it was right.

    Args:
        visits, visits_said: on floors.
        dwell_s, dwells: of true visits that no end cuts off.
        dwell_said_s, dwells_said: of those said.
        reaches, reaches_said, reaches_right: stays of a hand.
        picks, picks_said, picks_right: products gone.
        put_backs, put_backs_said, put_backs_right: products that came back.
        stock, stock_right: moments at which a facing was asked about, away from changes.
    """

    visits: float = 0
    visits_said: float = 0
    dwell_s: float = 0
    dwells: float = 0
    dwell_said_s: float = 0
    dwells_said: float = 0
    reaches: float = 0
    reaches_said: float = 0
    reaches_right: float = 0
    picks: float = 0
    picks_said: float = 0
    picks_right: float = 0
    put_backs: float = 0
    put_backs_said: float = 0
    put_backs_right: float = 0
    stock: float = 0
    stock_right: float = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def ratio(a: float, b: float) -> float:
    """A of b; NaN where there is nothing to judge."""
    return a / b if b else float("nan")


def f1(right: float, said: float, true: float) -> float:
    """The harmonic mean of precision and recall; NaN where nothing was true."""
    return ratio(2 * right, said + true) if true else float("nan")


def tally(said: Sequence[Visit | ShelfEvent], truth: dict[str, Any]) -> Tally:
    """Compare one recording's events with its truth file.

    Args:
        said: all that the unit said.
        truth: the file's values; what it has no key for is not judged.
    """
    return (
        _visits([one for one in said if isinstance(one, Visit)], truth)
        + _reaches([one for one in said if isinstance(one, Reach)], truth)
        + _moves([one for one in said if isinstance(one, Handling)], truth)
        + _stock([one for one in said if isinstance(one, Stock)], truth)
    )


def _visits(said: list[Visit], truth: dict[str, Any]) -> Tally:
    if "visits" not in truth:
        return Tally()
    true = truth["visits"]
    whole = [
        one["leave_s"] - one["enter_s"] for one in true if one.get("censored", "none") == "none"
    ]
    mine = [one.dwell_s for one in said if one.censored is Censored.NONE]
    return Tally(
        visits=len(true),
        visits_said=len(said),
        dwell_s=sum(whole),
        dwells=len(whole),
        dwell_said_s=sum(mine),
        dwells_said=len(mine),
    )


def _reaches(said: list[Reach], truth: dict[str, Any]) -> Tally:
    if "reaches" not in truth:
        return Tally()
    right = len(right_reaches(said, truth["reaches"]))
    return Tally(reaches=len(truth["reaches"]), reaches_said=len(said), reaches_right=right)


def right_reaches(said: Sequence[Reach], true: Sequence[dict[str, Any]]) -> list[int]:
    """Which of the reaches that were said are true, each true one once."""

    def shared(one: Reach, other: dict[str, Any]) -> float:
        if one.zone != other["zone"]:
            return 0.0
        start, end = float(other["start_s"]), float(other["end_s"])
        return max(0.0, min(one.end_s, end) - max(one.start_s, start) + REACH_S)

    return _paired(said, true, shared)


def _moves(said: list[Handling], truth: dict[str, Any]) -> Tally:
    if "events" not in truth:
        return Tally()
    counts: dict[str, float] = {}
    for move, name in ((Move.PICK, "picks"), (Move.PUT_BACK, "put_backs")):
        mine = [one for one in said if one.move is move]
        true = [one for one in truth["events"] if one["event"] == move.value]
        right = len(right_moves(mine, true))
        counts |= {name: len(true), f"{name}_said": len(mine), f"{name}_right": right}
    return Tally(**counts)


def right_moves(said: Sequence[Handling], true: Sequence[dict[str, Any]]) -> list[int]:
    """Which of the moves that were said are true; all are of one kind."""

    def near(one: Handling, other: dict[str, Any]) -> float:
        same = (one.zone, one.facing) == (other["zone"], other["facing"])
        return max(0.0, MOVE_S - abs(one.t_s - float(other["t_s"]))) if same else 0.0

    return _paired(said, true, near)


def _paired(
    said: Sequence[T], true: Sequence[dict[str, Any]], worth: Callable[[T, dict[str, Any]], float]
) -> list[int]:
    if not said or not true:
        return []
    worths = np.array([[worth(one, other) for other in true] for one in said])
    # How many pairs there are comes first, how good they are second.
    return [i for i, j in pair(np.where(worths > 0, 100 + worths, 0)) if worths[i, j] > 0]


def _stock(said: list[Stock], truth: dict[str, Any]) -> Tally:
    asked = right = 0
    for facing in truth.get("stock", ()):
        mine = [one for one in said if (one.zone, one.facing) == (facing["zone"], facing["facing"])]
        changes = [t for span in facing["present"] for t in span]
        for t in np.arange(0, truth["duration_s"], _STOCK_EVERY_S):
            if any(abs(t - change) < _STOCK_CHANGE_S for change in changes):
                continue
            present = any(start <= t <= end for start, end in facing["present"])
            last = max((one for one in mine if one.t_s <= t), key=lambda one: one.t_s, default=None)
            asked += 1
            right += last is not None and last.present == present
    return Tally(stock=asked, stock_right=right)
