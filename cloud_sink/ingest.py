"""What to do with one message: a pure decision, so that every refusal can be tested as a value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Protocol

import orjson

from cloud_sink.schema import Check
from edge_agent.errors import RecordError
from edge_agent.records import EDGES, MAX_PAYLOAD_BYTES, VERSION, Window, is_name, window_of

# The largest integer that every JSON reader and SQLite hold exactly (RFC 8259, section 6).
_MAX_INTEGER = 2**53 - 1
_BOOT = re.compile(r"[0-9a-f]{16}")
_TOPIC_LEVELS = 6
# Topics whose parts are remembered; a fleet's own fit in.
_MAX_TOPICS = 8192
_COUNTS = ("pass_bys", "stops", "engaged", "reaches", "picks", "put_backs")


class Reason(Enum):
    """Why a message was put aside."""

    OVERSIZED = "oversized"
    NOT_JSON = "not_json"
    VERSION = "version"
    SCHEMA = "schema"
    IDENTITY = "identity"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as it came.

    Args:
        topic: its MQTT topic.
        payload: its bytes.
        at: when it came, seconds since 1970 UTC by the sink's clock.
        retained: True for what the broker had kept, which says nothing about now.
    """

    topic: str
    payload: bytes
    at: float
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Whose message it is, by its topic (which the broker's access rules vouch for)."""

    tenant: str
    store: str
    unit: str


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a counts message the same one.

    Tenant and store are part of it, so that no shop can occupy the rows of a unit of the same
    name elsewhere.
    """

    address: Address
    boot: str
    seq: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """New counts."""

    key: Key
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Held already, byte for byte; only a receipt is due."""

    key: Key


@dataclass(frozen=True, slots=True)
class StateSeen:
    """A birth or will."""

    address: Address
    session: int
    online: bool


@dataclass(frozen=True, slots=True)
class HealthSeen:
    """A unit's health, to be kept as it came."""

    address: Address


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that is put aside.

    Args:
        reason: why.
        detail: the same for a person.
        key: the row it stands for, None where that cannot be told. A row that is put aside whole
            is held: sending it again would mend nothing.
    """

    reason: Reason
    detail: str
    key: Key | None = None


Outcome = Accepted | Duplicate | StateSeen | HealthSeen | DeadLetter


class Held(Protocol):
    """What the decision asks the store."""

    def payload(self, key: Key) -> bytes | None:
        """The payload stored for that row, None if there is none."""

    def aside(self, key: Key, payload: bytes) -> bool:
        """Whether this very message lies among the dead letters."""


def decide(arrival: Arrival, checks: Mapping[str, Check], held: Held) -> Outcome:
    """Judge one message.

    Args:
        arrival: the message.
        checks: from `schema.checks`, by the topic's leaf.
        held: the store, as it is at this moment.
    """
    if len(arrival.payload) > MAX_PAYLOAD_BYTES:
        detail = f"{len(arrival.payload)} bytes, at most {MAX_PAYLOAD_BYTES} are allowed"
        return DeadLetter(Reason.OVERSIZED, detail)
    address, leaf = _address(arrival.topic)
    if address is None or leaf not in checks:
        return DeadLetter(Reason.IDENTITY, "the topic names no tenant, store and unit")
    try:
        message = orjson.loads(arrival.payload)
    except orjson.JSONDecodeError as error:
        return DeadLetter(Reason.NOT_JSON, str(error))
    outcome = _judge(leaf, message, address, checks[leaf])
    return _against_held(outcome, arrival.payload, held)


@lru_cache(maxsize=_MAX_TOPICS)
def _address(topic: str) -> tuple[Address | None, str]:
    levels = topic.split("/")
    if len(levels) != _TOPIC_LEVELS or not all(is_name(level) for level in levels[2:5]):
        return None, ""
    return Address(*levels[2:5]), levels[5]


def _judge(leaf: str, message: Any, address: Address, check: Check) -> Outcome:
    key = _key(message, address) if leaf == "counts" else None
    if isinstance(message, dict) and message.get("v") != VERSION:
        detail = f"version {message.get('v')!r:.40}, this sink speaks {VERSION}"
        return DeadLetter(Reason.VERSION, detail, key)
    wrong = check(message)
    if wrong is not None:
        return DeadLetter(Reason.SCHEMA, wrong, key)
    if message["unit"] != address.unit:
        return DeadLetter(Reason.IDENTITY, f"the payload says unit {message['unit']!r:.80}")
    if leaf == "state":
        return _state(message, address)
    if leaf == "health":
        return HealthSeen(address)
    return _counts(message, key)


def _key(message: Any, address: Address) -> Key | None:
    """The row that a message stands for, even one of another version; None if it cannot be told."""
    if not isinstance(message, dict) or message.get("unit") != address.unit:
        return None
    boot, seq = message.get("boot"), message.get("seq")
    if not isinstance(boot, str) or not _BOOT.fullmatch(boot):
        return None
    if type(seq) is not int or not 1 <= seq <= _MAX_INTEGER:
        return None
    return Key(address, boot, seq)


def _state(message: Any, address: Address) -> Outcome:
    session = message["session"]
    if type(session) is not int or abs(session) > _MAX_INTEGER:
        return DeadLetter(Reason.SCHEMA, "session: not an integer below 2^53")
    return StateSeen(address, session, message["online"])


def _counts(message: Any, key: Key | None) -> Outcome:
    if key is None:
        return DeadLetter(Reason.SCHEMA, "boot or seq: not 16 hex digits and an integer below 2^53")
    try:
        return Accepted(key, tuple(_window(window) for window in message["windows"]))
    except (RecordError, TypeError) as error:
        return DeadLetter(Reason.SCHEMA, str(error), key)


def _window(known: dict[str, Any]) -> Window:
    """Raises RecordError where numbers contradict each other: a schema cannot say that."""
    window = window_of(known)
    if not all(type(value) is int and value <= _MAX_INTEGER for value in _whole(window)):
        raise RecordError("window: a count is not an integer below 2^53")
    return window


def _whole(window: Window) -> Iterator[Any]:
    """What must be a whole number of it, where it is told at all."""
    yield from _told(window, *_COUNTS, "censored", "merged", "reached", "empty_handed", "abstained")
    yield from _told(window.staff, *_COUNTS, "reached", "empty_handed")
    for buckets in _told(window.histograms, *EDGES):
        yield from buckets
    for facing in window.facings or ():
        yield from _told(facing, "reaches", "picks", "put_backs")


def _told(value: object, *names: str) -> list[Any]:
    known = [] if value is None else [getattr(value, name) for name in names]
    return [one for one in known if one is not None]


def _against_held(outcome: Outcome, payload: bytes, held: Held) -> Outcome:
    """Tell new from known: the first message of a row stands, whatever comes later."""
    if not isinstance(outcome, Accepted | DeadLetter) or outcome.key is None:
        return outcome
    stored = held.payload(outcome.key)
    if stored == payload:
        return Duplicate(outcome.key)
    if stored is None and isinstance(outcome, Accepted):
        return outcome
    if held.aside(outcome.key, payload):
        return Duplicate(outcome.key)
    if stored is None:
        return outcome
    detail = f"row {outcome.key.seq} of boot {outcome.key.boot} is held with other content"
    return DeadLetter(Reason.CONFLICT, detail, outcome.key)
