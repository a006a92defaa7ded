"""A request's parameters as one frozen question, checked; every refusal names its parameter."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from cloud_sink.errors import QueryError
from edge_agent.records import is_name

MAX_LIMIT = 10_000
_LIMIT = 1_000
_PARAMETERS = ("tenant", "store", "unit", "zone", "from", "to", "by", "limit", "cursor", "format")
_NAMES = ("tenant", "store", "unit", "zone")


class By(Enum):
    """How counts are told: window by window, or summed."""

    WINDOW = "window"
    HOUR = "hour"  # of UTC
    TOTAL = "total"


Cursor = tuple[float | str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """Which counts are asked for.

    Args:
        names: what tenant, store, unit or zone must be, by column; others are free.
        start: windows that start at or after it, seconds since 1970 UTC; None = any.
        end: windows that start before it; None = any.
        by: how they are summed.
        limit: at most so many rows, 1..`MAX_LIMIT`.
        after: the order key of the last row of the page before; None = from the beginning.
    """

    names: Mapping[str, str]
    start: float | None = None
    end: float | None = None
    by: By = By.WINDOW
    limit: int = _LIMIT
    after: Cursor | None = None


def parse_question(given: Mapping[str, str]) -> Question:
    """Read query parameters; an empty one counts as not given.

    Raises:
        QueryError: one is unknown or out of range.
    """
    for parameter in given:
        if parameter not in _PARAMETERS:
            raise QueryError(parameter, f"unknown; there are {', '.join(_PARAMETERS)}")
    known = {parameter: text for parameter, text in given.items() if text}
    start, end = _time(known, "from"), _time(known, "to")
    if start is not None and end is not None and start > end:
        raise QueryError("to", "lies before from")
    by = _by(known.get("by", By.WINDOW.value))
    return Question(_names(known), start, end, by, _limit(known), _after(known, by))


def encode_cursor(key: Cursor) -> str:
    """A page's last order key as an opaque text that is safe in an address."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _names(known: Mapping[str, str]) -> Mapping[str, str]:
    names = {parameter: known[parameter] for parameter in _NAMES if parameter in known}
    for parameter, text in names.items():
        if not is_name(text):
            raise QueryError(parameter, "letters, digits, '_', '.' and '-' are allowed, 64 at most")
    return names


def _time(known: Mapping[str, str], parameter: str) -> float | None:
    text = known.get(parameter)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return _iso(text, parameter)
    if not math.isfinite(seconds):
        raise QueryError(parameter, "not a finite number of seconds")
    return seconds


def _iso(text: str, parameter: str) -> float:
    allowed = "seconds since 1970 UTC, or ISO 8601 with an offset, e.g. 2026-03-01T09:00:00Z"
    if " " in text:
        raise QueryError(parameter, f"{allowed}; write a + in an address as %2B")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(parameter, allowed) from None
    if moment.tzinfo is None:
        raise QueryError(parameter, f"has no offset from UTC; {allowed}")
    return moment.timestamp()


def _by(text: str) -> By:
    try:
        return By(text)
    except ValueError:
        raise QueryError("by", f"one of {', '.join(by.value for by in By)}") from None


def _limit(known: Mapping[str, str]) -> int:
    text = known.get("limit", str(_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_LIMIT):
        raise QueryError("limit", f"a whole number, 1 to {MAX_LIMIT}")
    return int(text)


# What the order keys of counts.py hold, part by part: a text, or a number.
_CURSOR_KINDS: Mapping[By, str] = {
    By.WINDOW: "nn",
    By.HOUR: "nsssssnnnnn",
    By.TOTAL: "sssssnnnnn",
}
# Every integer up to it is exact in JSON and in SQLite.
_EXACT = 2**53


def _after(known: Mapping[str, str], by: By) -> Cursor | None:
    text = known.get("cursor")
    if text is None:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        key = None
    kinds = _CURSOR_KINDS[by]
    if not isinstance(key, list) or "".join(map(_kind, key)) != kinds:
        raise QueryError("cursor", "give the `next` of the page before, with the same `by`")
    return tuple(key)


def _kind(part: Any) -> str:
    if isinstance(part, str):
        return "s"
    return "n" if type(part) in (int, float) and abs(part) <= _EXACT else "?"
