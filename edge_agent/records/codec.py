"""Records to JSON and back: the only way out of a unit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from enum import Enum
from typing import Any, TypeVar

from edge_agent.certainty import Estimate
from edge_agent.errors import RecordError
from edge_agent.records.details import Estimates, FacingCounts, Histograms, VisitCounts
from edge_agent.records.messages import Counts, Head, Health, Receipt, State, Trouble
from edge_agent.records.window import Definitions, Quality, Window

VERSION = 1
# A window that holds less is dropped by no one; a message larger than this is refused by the sink.
MAX_PAYLOAD_BYTES = 128 * 1024

# Where `encode` puts what is between; no name holds a quotation mark.
_WINDOWS, _PREV = b',"windows":', b',"prev":'

T = TypeVar("T")
Record = Counts | State | Health | Receipt


def encode(record: Record) -> bytes:
    """The record as compact JSON; the only thing that the uplink can publish."""
    return _json({"v": VERSION, **asdict(record)})


def digest(payload: bytes) -> str:
    """SHA-256 of a payload, 64 hex digits: what the next message's ``prev`` says."""
    return hashlib.sha256(payload).hexdigest()


def relink(payload: bytes, seq: int, prev: str | None) -> bytes:
    """The same counts under another number and after another payload.

    Windows are left as they are, for there may be thousands of messages.

    Raises:
        RecordError: it is no counts message of `encode`.
    """
    head, windows, rest = payload.partition(_WINDOWS)
    known, before, _ = rest.rpartition(_PREV)
    if not (windows and before):  # of an older release, without a chain
        return encode(replace(decode_counts(payload), seq=seq, prev=prev))
    top = json.loads(head + b"}")
    return b"".join([_json({**top, "seq": seq})[:-1], _WINDOWS, known, _PREV, _json(prev), b"}"])


def encode_windows(windows: tuple[Window, ...]) -> bytes:
    """Windows that stay on the unit for now, as compact JSON."""
    return _json([asdict(window) for window in windows])


def decode_windows(text: bytes) -> tuple[Window, ...]:
    """Read what `encode_windows` made.

    Raises:
        RecordError: it is not that.
    """
    try:
        known = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"windows: not JSON: {error}") from None
    if not isinstance(known, list):
        raise RecordError("windows: no list")
    return tuple(window_of(window) for window in known)


def decode_counts(payload: bytes) -> Counts:
    """Read a counts message.

    Raises:
        RecordError: not JSON, another version, a missing, unknown or impossible value.
    """
    known = _object(payload, "counts", Counts)
    windows = known.pop("windows", None)
    if not isinstance(windows, list):
        raise RecordError("counts: windows is no list")
    return _build(Counts, "counts", {**known, "windows": tuple(window_of(w) for w in windows)})


def decode_receipt(payload: bytes) -> Receipt:
    """Read a receipt.

    Raises:
        RecordError: as for `decode_counts`.
    """
    known = _object(payload, "receipt", Receipt)
    try:
        have = tuple((int(first), int(last)) for first, last in known.pop("have", ()))
    except (TypeError, ValueError, OverflowError) as error:
        raise RecordError(f"receipt: have is not a list of spans: {error}") from None
    return _build(Receipt, "receipt", {**known, "have": have})


def decode_state(payload: bytes) -> State:
    """Read a birth or will.

    Raises:
        RecordError: as for `decode_counts`.
    """
    return _build(State, "state", _object(payload, "state", State))


def decode_health(payload: bytes) -> Health:
    """Read a health message or file.

    Raises:
        RecordError: as for `decode_counts`.
    """
    known = _object(payload, "health", Health)
    try:
        known["clock"] = Quality(known.get("clock"))
        known["troubles"] = tuple(Trouble(name) for name in known.get("troubles", ()))
        shift = known.get("shift")
        known["shift"] = None if shift is None else (float(shift[0]), float(shift[1]))
        known["ledger"] = _if_told(known.get("ledger"), lambda told: Head(**told))
        known["carrying"] = _if_told(known.get("carrying"), tuple)
    except (IndexError, TypeError, ValueError) as error:
        raise RecordError(f"health: {error}") from None
    return _build(Health, "health", known)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=_plain, allow_nan=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} may not leave a unit")


def _object(payload: bytes, what: str, kind: type) -> dict[str, Any]:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise RecordError(f"{what}: {len(payload)} bytes, at most {MAX_PAYLOAD_BYTES} are allowed")
    try:
        known = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{what}: not JSON: {error}") from None
    if not isinstance(known, dict):
        raise RecordError(f"{what}: not a JSON object")
    version = known.pop("v", None)
    if version != VERSION:
        raise RecordError(f"{what}: version {version!r}, this speaks {VERSION}")
    unknown = sorted(set(known) - {f.name for f in fields(kind)})
    if unknown:
        raise RecordError(f"{what}: unknown field {', '.join(unknown)}")
    return known


def window_of(known: Any) -> Window:
    """A window from its decoded JSON; what a unit of an older release leaves out is None.

    Raises:
        RecordError: a missing, unknown or impossible value.
    """
    try:
        return Window(
            **{
                **known,
                "clock": Quality(known["clock"]),
                "definitions": Definitions(**known["definitions"]),
                "staff": _if_told(known.get("staff"), lambda told: VisitCounts(**told)),
                "histograms": _if_told(known.get("histograms"), _histograms),
                "facings": _if_told(known.get("facings"), _facings),
                "estimates": _if_told(known.get("estimates"), _estimates),
            }
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RecordError(f"counts: a window does not fit: {error}") from None


def _histograms(told: dict[str, Any]) -> Histograms:
    buckets: dict[str, Any] = {name: _if_told(each, tuple) for name, each in told.items()}
    return Histograms(**buckets)


def _facings(told: list[dict[str, Any]]) -> tuple[FacingCounts, ...]:
    return tuple(FacingCounts(**facing) for facing in told)


def _estimates(told: dict[str, Any]) -> Estimates:
    return Estimates(
        **{name: _if_told(known, lambda k: Estimate(**k)) for name, known in told.items()}
    )


def _if_told(value: Any, build: Callable[[Any], T]) -> T | None:
    return None if value is None else build(value)


def _build(kind: type[T], what: str, known: dict[str, Any]) -> T:
    try:
        return kind(**known)
    except TypeError as error:
        raise RecordError(f"{what}: {error}") from None
