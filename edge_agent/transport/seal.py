"""The one door: whatever the uplink hands to the MQTT client is made here, of records alone.

A topic follows from the unit and from what is told; a payload is a record's own encoding, as large
as a message may be, and fits the schema of its leaf. Nothing else can be sealed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from edge_agent.config import UnitConfig
from edge_agent.errors import RecordError
from edge_agent.outbox import Row
from edge_agent.records import MAX_PAYLOAD_BYTES, Health, State, decode_counts, encode, topic
from edge_agent.transport.closed import check_of

# A row of the outbox is counts, as they were encoded when they were stored.
Outgoing = Row | State | Health


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is published: where, what, how."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


def seal(unit: UnitConfig, what: Outgoing) -> Sealed:
    """Make what is published of what may leave.

    Args:
        unit: whose it is; it must say so itself.
        what: a stored row, a birth or will, or health.

    Raises:
        RecordError: it is of another unit, too large, not as records are encoded, or outside of
            the schema; the message says where.
        TypeError: it is no record.
    """
    # A subclass could hold more than its parent tells.
    if type(what) is Row:
        message = _read("counts", what.payload)
        _of(unit, message)
        _judge(what, message)
        return Sealed(_topic(unit, "counts"), what.payload, qos=1, retain=False)
    if type(what) is State:
        return Sealed(_topic(unit, "state"), _made(unit, "state", what), qos=1, retain=True)
    if type(what) is Health:
        # QoS 0: the next one makes a lost one good, and none may pile up.
        return Sealed(_topic(unit, "health"), _made(unit, "health", what), qos=0, retain=False)
    raise TypeError(f"{type(what).__name__} may not leave a unit: only records do")


def _made(unit: UnitConfig, leaf: str, record: State | Health) -> bytes:
    try:
        payload = encode(record)
    except (TypeError, ValueError) as error:
        raise RecordError(f"{leaf}: {error}") from None
    _of(unit, _read(leaf, payload))
    return payload


def _read(leaf: str, payload: Any) -> dict[str, Any]:
    """The message within, if it is one and nothing beside it."""
    if not isinstance(payload, bytes):
        raise RecordError(f"{leaf}: {type(payload).__name__} is no payload")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise RecordError(f"{leaf}: {len(payload)} bytes, at most {MAX_PAYLOAD_BYTES} may leave")
    try:
        message = json.loads(payload)
        again = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{leaf}: not JSON: {error}") from None
    if again != payload:
        # Room for a second value under the same key, for spaces that mean something.
        raise RecordError(f"{leaf}: not as records are encoded")
    wrong = check_of(leaf)(message)
    if wrong is not None:
        raise RecordError(f"{leaf}: {wrong.lstrip()}")
    return dict(message)


def _of(unit: UnitConfig, message: dict[str, Any]) -> None:
    if message["unit"] != unit.id:
        raise RecordError(f"a message of unit {message['unit']}, this is {unit.id}")


def _judge(row: Row, message: dict[str, Any]) -> None:
    """A row is counts that do not contradict themselves, under its own number."""
    decode_counts(row.payload)
    said = (message["boot"], message["seq"])
    if said != (row.key.boot, row.key.seq):
        raise RecordError(f"counts: boot {said[0]} seq {said[1]} stands under another number")


def _topic(unit: UnitConfig, leaf: str) -> str:
    return topic(unit.tenant, unit.store, unit.id, leaf)
