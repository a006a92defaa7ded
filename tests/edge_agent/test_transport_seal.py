"""What can be sealed leaves under its own topic; all else cannot be handed to the broker."""

from __future__ import annotations

import inspect
import json
import typing
from dataclasses import replace
from typing import Any

import pytest
from outbox_world import BOOT, NEXT_BOOT, UNIT, window

from edge_agent.config import UnitConfig
from edge_agent.errors import RecordError
from edge_agent.outbox import Key, Row
from edge_agent.records import (
    MAX_PAYLOAD_BYTES,
    Counts,
    Health,
    Quality,
    Receipt,
    State,
    Trouble,
    encode,
)
from edge_agent.transport.link import Link
from edge_agent.transport.seal import Outgoing, Sealed, seal

HERE = UnitConfig(UNIT, "acme", "store-7")
TOPIC = f"shelflight/v1/acme/store-7/{UNIT}"
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
HEALTH = Health(UNIT, 1.7e9, 5.0, Quality.SYNCED, BOOT, 7, 4.9, troubles=(Trouble.DISK_FULL,))


def row(counts: Counts | None = None, payload: Any = None) -> Row:
    counts = counts or Counts(UNIT, BOOT, 3, (window(0), window(0, "other")))
    return Row(Key(9, BOOT, 3), encode(counts) if payload is None else payload)


def message() -> Any:
    return json.loads(row().payload)


def compact(known: Any) -> bytes:
    return json.dumps(known, separators=(",", ":")).encode()


def test_a_stored_row_leaves_byte_for_byte_as_counts() -> None:
    assert seal(HERE, row()) == Sealed(f"{TOPIC}/counts", row().payload, 1, False)


def test_a_row_of_an_older_release_leaves_as_it_was_stored() -> None:
    older = message()
    for known in older["windows"]:
        for name in ("reached", "staff", "histograms", "facings", "estimates"):
            del known[name]
    assert seal(HERE, row(payload=compact(older))).payload == compact(older)


def test_states_are_retained_and_healths_may_be_lost() -> None:
    state = State(UNIT, 5, True)
    assert seal(HERE, state) == Sealed(f"{TOPIC}/state", encode(state), 1, True)
    assert seal(HERE, HEALTH) == Sealed(f"{TOPIC}/health", encode(HEALTH), 0, False)


class Laden(State):
    """A state with more to it."""


@pytest.mark.parametrize(
    "what",
    [
        JPEG,
        "free text",
        {"box": [1, 2, 3, 4]},
        None,
        Receipt(BOOT, 3),
        Counts(UNIT, BOOT, 3, (window(0),)),
        window(0),
        row().payload,
        Laden(UNIT, 1, True),
    ],
    ids=lambda what: type(what).__name__,
)
def test_what_is_no_record_of_the_unit_is_refused_at_run_time(what: Any) -> None:
    with pytest.raises(TypeError, match="may not leave"):
        seal(HERE, what)


def test_a_link_takes_rows_states_and_healths_by_its_types() -> None:
    """What else is handed over, mypy refuses (`make prove PARTS=telemetry` asks it)."""
    assert set(typing.get_args(Outgoing)) == {Row, State, Health}
    assert set(inspect.signature(Link.publish).parameters) == {"self", "what"}
    assert typing.get_type_hints(Link.publish)["what"] == Outgoing


def twice(known: bytes) -> bytes:
    """The same with a first value under a key, which readers of JSON pass over."""
    return known.replace(b'{"v":1', b'{"v":"a man in a red coat","v":1', 1)


SOUND = row().payload


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (JPEG, "not JSON"),
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (SOUND + JPEG, "not JSON"),
        (SOUND.decode(), "str is no payload"),
        (SOUND + b" ", "not as records are encoded"),
        (twice(SOUND), "not as records are encoded"),
        (SOUND.replace(b'"unit"', b'"\\u0075nit"'), "not as records are encoded"),
        (SOUND.replace(b"7.5", b"7.50"), "not as records are encoded"),
        (SOUND.replace(b"7.5", b"NaN"), "not JSON"),
        (SOUND.replace(b"7.5", b"1e999"), "not JSON"),
        (SOUND.replace(b"7.5", b'"7.5"'), "/windows/0/dwell_s is no number"),
        (SOUND.replace(b'"zone":"table"', b'"zone":"a table"'), "/windows/0/zone is no such"),
        (SOUND.replace(b'"seq"', b'"box":[0.1,0.2,0.3,0.4],"seq"'), "/box is no field"),
        (SOUND.replace(b'"v":1', b'"v":2'), "/v is none of 1"),
        (b"[" + SOUND + b"]", "is no object"),
        (b'"' + b"/9j/" * 100 + b'"', "is no object"),
        (SOUND.replace(b'"stops":1', b'"stops":2'), "more stops"),
        (SOUND[:-1] + b',"x":"' + b"a" * MAX_PAYLOAD_BYTES + b'"}', "at most"),
    ],
)
def test_a_row_that_is_no_counts_message_stays(payload: Any, told: str) -> None:
    with pytest.raises(RecordError, match=told):
        seal(HERE, row(payload=payload))


def test_a_refusal_never_repeats_what_it_refuses() -> None:
    """It is logged, and logs are read by more people than counts are."""
    for text in ("a man in a red coat", "/9j/4AAQSkZJRgABAQ"):
        known = message()
        known["windows"][0]["zone"] = text
        with pytest.raises(RecordError) as refusal:
            seal(HERE, row(payload=compact(known)))
        assert text not in str(refusal.value)


def test_a_row_under_another_number_stays() -> None:
    for key in (Key(9, BOOT, 4), Key(9, NEXT_BOOT, 3)):
        with pytest.raises(RecordError, match="under another number"):
            seal(HERE, replace(row(), key=key))


@pytest.mark.parametrize(
    "what",
    [
        row(Counts("another", BOOT, 3, (window(0),))),
        State("another", 1, True),
        replace(HEALTH, unit="another"),
    ],
    ids=["counts", "state", "health"],
)
def test_what_is_of_another_unit_stays(what: Outgoing) -> None:
    with pytest.raises(RecordError, match="of unit another, this is shelf-0042"):
        seal(HERE, what)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"unit": "a man in a red coat"}, "/unit"),
        ({"at": float("nan")}, "not JSON compliant"),
        ({"at": 1e11}, "/at"),
        ({"fps": -1.0}, "/fps"),
        ({"analysed": True}, "/analysed"),
        ({"waiting": 2**53}, "/waiting"),
        ({"boot": "short"}, "/boot"),
        ({"shift": (0.1, 0.2, 0.3, 0.4)}, "/shift"),
        ({"shift": (7.0, 0.0)}, "/shift/0"),
        ({"troubles": ("camera sees a red coat",)}, "/troubles/0"),
        ({"troubles": (JPEG,)}, "bytes may not leave"),
        ({"clock": JPEG}, "bytes may not leave"),
    ],
)
def test_a_health_that_says_more_than_its_schema_stays(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(RecordError, match=told):
        seal(HERE, replace(HEALTH, **changes))
