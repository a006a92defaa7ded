"""What must not leave, tried at every field of every message, and what is made of it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import jsonschema_rs
from hypothesis import strategies as st

from edge_agent.config import UnitConfig
from edge_agent.errors import RecordError
from edge_agent.outbox import Key, Row
from edge_agent.records import (
    Counts,
    State,
    decode_health,
    decode_state,
    encode,
    window_of,
)
from edge_agent.transport.seal import Outgoing, seal

LEAVES = ("counts", "state", "health")
Path = tuple[str | int, ...]

JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + bytes(range(256)) + b"\xff\xd9"
PICTURE = base64.b64encode(JPEG).decode()
_ABSENT = object()
# Of no field's type, or of its type and beyond what it may say.
HOSTILE: dict[str, Any] = {
    "null": None,
    "yes": True,
    "no": False,
    "a number as text": "1",
    "a part": 0.5,
    "a whole number as a fraction": 1.0,
    "nothing in a list": [],
    "nothing in an object": {},
    "a box": [0.25, 0.5, 0.375, 0.75],
    "a point": {"x": 0.4, "y": 0.7},
    "a point in a list": [[0.4, 0.7]],
    "a place on earth": "37.5665,126.9780",
    "a picture as text": PICTURE,
    "a picture as an address": f"data:image/jpeg;base64,{PICTURE}",
    "a picture as numbers": list(JPEG),
    "a picture as Latin-1": JPEG.decode("latin-1"),
    "the beginning of a picture": "/9j/4AAQSkZJRgABAQ",
    "free text": "a man in a red coat",
    "no text": "",
    "a name and a line": "table\n",
    "a name too long": "x" * 65,
    "a name of other letters": "t\u00e4ble",
    "digits of another script": "\u0660\u0661\u0662\u0663" * 4,
    "a track": "track#7",
    "an address": "http://198.51.100.7/",
    "below nothing": -1,
    "a little below nothing": -1e-9,
    "beyond exact numbers": 2**53,
    "far beyond": 10**30,
    "a year far away": 1e11,
    "as large as it gets": 1.7e308,
    "no number": float("nan"),
    "without an end": float("inf"),
    "below everything": float("-inf"),
}
# What the records' own types, their codec and the link refuse with; all else is a mistake here.
_REFUSED = (
    RecordError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError,
    RecursionError,
)  # fmt: skip
_EXTRA_KEYS = (
    "track",
    "box",
    "picture",
    "x",
    "note",
    "Unit",
    "unit ",
    "",
    "__class__",
    "t\u00e4ble",
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One message that is not quite one.

    Args:
        leaf: of which topic.
        path: where it was changed.
        how: in words.
        payload: its bytes.
    """

    leaf: str
    path: Path
    how: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something handed to the link.

    Args:
        what: a row or a record.
        payload: what would be published of it.
        built: whether the records' own types were asked, and let it be.
    """

    what: Outgoing
    payload: bytes
    built: bool


@cache
def schema(leaf: str) -> Any:
    """As it ships."""
    path = resources.files("edge_agent") / "schemas" / f"{leaf}.schema.json"
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def _validator(leaf: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema(leaf))


def fits(leaf: str, payload: bytes) -> bool:
    """Whether a payload is JSON that its schema takes, by the sink's validator."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        return _validator(leaf).is_valid(json.loads(payload, parse_constant=refuse))
    except (ValueError, RecursionError):
        return False


def example(leaf: str) -> Any:
    """A message that tells everything its schema knows; the caller's own."""
    return json.loads(_compact(_made(leaf)))


@cache
def _made(leaf: str) -> Any:
    return _example(schema(leaf), schema(leaf).get("$defs", {}))


def fields(leaf: str, every: bool = True) -> list[Path]:
    """Where a value stands in the example: every property of the schema, and within it.

    Args:
        leaf: of which topic.
        every: each item of a list, not the first alone.
    """
    found = [path for path in places(_made(leaf)) if path]
    return [path for path in found if every or not any(type(s) is int and s for s in path)]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every value within a message."""
    yield path
    pairs: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        pairs = enumerate(value)
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def mutants(leaf: str, every: bool = True) -> Iterator[Mutant]:
    """Every hostile value at every field, fields too many and too few, and what is no message."""
    for path in fields(leaf, every):
        for how, value in HOSTILE.items():
            yield _mutant(leaf, path, how, value)
        yield _mutant(leaf, path, "missing", _ABSENT)
    for path in places(_made(leaf)):
        if isinstance(_at(_made(leaf), path), dict):
            for key in _EXTRA_KEYS:
                for value in (1, PICTURE):
                    yield _mutant(leaf, (*path, key), "a field more", value)
    yield from _wrapped(leaf)


@st.composite
def drawn(draw: st.DrawFn) -> Mutant:
    """Any JSON at any field, or under any key."""
    leaf = draw(st.sampled_from(LEAVES))
    path = draw(st.sampled_from(fields(leaf)))
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    lists = st.recursive(
        scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
    )
    if isinstance(path[-1], str) and draw(st.booleans()):
        path = (*path[:-1], draw(st.text()))
    return _mutant(leaf, path, "drawn", draw(lists))


def attempts(mutant: Mutant) -> Iterator[Attempt]:
    """Every way there is to bring it to the link."""
    if mutant.leaf == "counts":
        yield Attempt(_stored(mutant.payload), mutant.payload, built=False)
    for make in _BUILT[mutant.leaf]:
        try:
            made = make(mutant.payload)
            payload = made.payload if isinstance(made, Row) else encode(made)
        except _REFUSED:
            continue
        yield Attempt(made, payload, built=True)


def sealed(attempt: Attempt, leaf: str) -> bytes | None:
    """What is published of it, None where it is refused."""
    try:
        return seal(UnitConfig(_made(leaf)["unit"]), attempt.what).payload
    except _REFUSED:
        return None


def _stored(payload: bytes) -> Row:
    """As it lies in the outbox, under the number that it says."""
    sound = _made("counts")
    try:
        said = json.loads(payload)
        key = Key(1, said["boot"], said["seq"])
    except (ValueError, KeyError, TypeError, RecursionError):
        key = Key(1, sound["boot"], sound["seq"])
    return Row(key, payload)


def _built(payload: bytes) -> Row:
    """Built of the records' own types by somebody who does not decode."""
    known = json.loads(payload)
    known.pop("v", None)
    known["windows"] = tuple(window_of(window) for window in known["windows"])
    return _stored(encode(Counts(**known)))


def _state(payload: bytes) -> State:
    known = json.loads(payload)
    known.pop("v", None)
    return State(**known)


_BUILT: dict[str, tuple[Callable[[bytes], Any], ...]] = {
    "counts": (_built,),
    "state": (_state, decode_state),
    "health": (decode_health,),
}


def _mutant(leaf: str, path: Path, how: str, value: Any) -> Mutant:
    message = example(leaf)
    inner = _at(message, path[:-1])
    if value is _ABSENT:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return Mutant(leaf, path, how, _compact(message))


def _wrapped(leaf: str) -> Iterator[Mutant]:
    """Bytes that are no message, or a message and something with it."""
    sound = _compact(example(leaf))
    beside = {
        "a picture": JPEG,
        "a picture as text": json.dumps(PICTURE).encode(),
        "a picture behind it": sound + JPEG,
        "a picture before it": JPEG + sound,
        "spaces behind it": sound + b" " * 64,
        "spaces within it": sound.replace(b",", b", "),
        "a key that stands twice": sound.replace(b"{", b'{"v":"a man in a red coat",', 1),
        "escaped letters": sound.replace(b'"unit"', b'"\\u0075nit"'),
        "a mark before it": b"\xef\xbb\xbf" + sound,
        "other bytes for the same": json.dumps(example(leaf)).encode("utf-16"),
        "a list": b"[" + sound + b"]",
        "lists without an end": b"[" * 100_000,
        "more than a message holds": sound[:-1] + b',"x":"' + b"a" * 200_000 + b'"}',
        "nothing": b"",
    }
    for how, payload in beside.items():
        yield Mutant(leaf, (), how, payload)


def _compact(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def _at(message: Any, path: Path) -> Any:
    for key in path:
        message = message[key]
    return message


def _example(node: Any, defs: Any) -> Any:
    """The smallest values that contradict nothing: one of everything, a second long."""
    if "$ref" in node:
        return _example(defs[node["$ref"].removeprefix("#/$defs/")], defs)
    if "anyOf" in node:
        return _example(next(each for each in node["anyOf"] if each.get("type") != "null"), defs)
    if "enum" in node or "const" in node:
        return node.get("enum", [node.get("const")])[0]
    kinds = [node["type"]] if isinstance(node["type"], str) else node["type"]
    return _OF[next(kind for kind in kinds if kind != "null")](node, defs)


def _text(node: Any, _defs: Any) -> str:
    for text in ("0123456789abcdef" * 4, "0123456789abcdef", "table"):
        if re.fullmatch(node["pattern"], text):
            return text
    raise ValueError(f"no example fits the pattern {node['pattern']}: add one here")


def _object(node: Any, defs: Any) -> dict[str, Any]:
    return {name: _example(each, defs) for name, each in node["properties"].items()}


_OF: dict[str, Callable[[Any, Any], Any]] = {
    "array": lambda node, defs: [_example(node["items"], defs)] * max(1, node.get("minItems", 1)),
    "boolean": lambda _node, _defs: True,
    "integer": lambda _node, _defs: 1,
    "number": lambda _node, _defs: 1.0,
    "object": _object,
    "string": _text,
}
