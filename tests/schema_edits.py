"""Edits of the released schemas: what the gate must let pass, and what it must refuse."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.schema_changes import breaking

RELEASED = Path(__file__).parent / "schemas_v1"

Edit = Callable[[dict[str, Any]], None]


def released(leaf: str) -> Any:
    return json.loads((RELEASED / f"{leaf}.schema.json").read_text())


def edited(leaf: str, edit: Edit) -> list[str]:
    after = released(leaf)
    edit(after)
    assert after != released(leaf), "the edit changes nothing"
    return breaking(released(leaf), after)


def window(schema: dict[str, Any]) -> dict[str, Any]:
    return schema["$defs"]["window"]["properties"]


def add(name: str, node: dict[str, Any]) -> Edit:
    """A new field of a window."""
    return lambda schema: window(schema).update({name: node})


SHA = {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^[0-9a-f]{64}$"}]}
HEAD = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "required": ["seq"],
    "properties": {"seq": {"type": "integer", "minimum": 1, "maximum": 9}},
}
ADDITIVE: dict[str, tuple[str, Edit]] = {
    "an optional hash": ("counts", lambda s: s["properties"].update(prev=SHA)),
    "an optional number": ("counts", add("bound_s", {"$ref": "#/$defs/seconds"})),
    "an optional number or null": ("counts", add("more", {"$ref": "#/$defs/optional_number"})),
    "an optional object": ("health", lambda s: s["properties"].update(ledger=HEAD)),
    "another trouble": (
        "health", lambda s: s["properties"]["troubles"]["items"]["enum"].append("disk_worn"),
    ),
    "room for another trouble": (
        "health", lambda s: s["properties"]["troubles"].update(maxItems=15),
    ),
    "a wider range": ("health", lambda s: s["properties"]["fps"].update(maximum=2000)),
    "an open end closed at the same place": (
        "counts",
        lambda s: window(s).update(length_s={"type": "number", "minimum": 0, "maximum": 1e10}),
    ),
    "null where there was a number": (
        "health", lambda s: s["properties"]["uptime_s"].update(type=["number", "null"]),
    ),
    "other words about a field": ("state", lambda s: s["properties"]["online"].update(title="x")),
    "the same node by a reference": (
        "state",
        lambda s: (
            s.update({"$defs": {"unit": s["properties"]["unit"]}}),
            s["properties"].update(unit={"$ref": "#/$defs/unit"}),
        ),
    ),
    "names in a list": (
        "health",
        lambda s: s["properties"].update(
            carrying={
                "type": ["array", "null"],
                "maxItems": 64,
                "items": copy.copy(s["properties"]["unit"]),
            }
        ),
    ),
}  # fmt: skip

BREAKING: dict[str, tuple[str, Edit, str]] = {
    "a removed field": ("counts", lambda s: window(s).pop("abstained"), "abstained: is gone"),
    "a renamed field": (
        "counts", lambda s: window(s).update(stopped=window(s).pop("stops")), "stops: is gone",
    ),
    "a new required field": (
        "counts", lambda s: s["$defs"]["window"]["required"].append("staff"), "must be there now",
    ),
    "a required field made optional": (
        "state", lambda s: s["required"].remove("session"), "need not be there",
    ),
    "another type": (
        "counts", lambda s: s["$defs"]["number"].update(type="number"), "integer fits no more",
    ),
    "a type more": (
        "counts", lambda s: s["$defs"]["seconds"].update(type=["number", "string"]), "no reader",
    ),
    "null no more": (
        "health", lambda s: s["properties"]["waiting"].update(type="integer"), "null fits no more",
    ),
    "a lower maximum": (
        "health", lambda s: s["properties"]["fps"].update(maximum=120), "narrower than 1000",
    ),
    "a higher minimum": (
        "counts", lambda s: s["$defs"]["number"].update(minimum=1), "narrower than 0",
    ),
    "a closed end opened": (
        "counts",
        lambda s: s["$defs"]["seconds"].update(exclusiveMinimum=0),
        "exclusiveMinimum 0 is narrower",
    ),
    "an enum's value removed": (
        "counts", lambda s: window(s)["clock"]["enum"].remove("unsynced"), "'unsynced' fits",
    ),
    "another version": ("state", lambda s: s["properties"]["v"].update(const=2), "1 fits no more"),
    "two versions": (
        "state", lambda s: s["properties"].update(v={"enum": [1, 2]}), "no longer always 1",
    ),
    "a narrower name": (
        "state", lambda s: s["properties"]["unit"].update(pattern="^[a-z]{1,8}$"), "pattern",
    ),
    "a wider name": ("state", lambda s: s["properties"]["unit"].update(pattern="^.*$"), "fits"),
    "free text": ("state", lambda s: s["properties"]["unit"].pop("pattern"), "without a pattern"),
    "an opened object": ("counts", lambda s: s.pop("additionalProperties"), "open to other"),
    "an object opened inside": (
        "counts", lambda s: s["$defs"]["staff"].update(additionalProperties=True), "staff: is open",
    ),
    "an opened object to a type": (
        "counts", lambda s: s.update(additionalProperties={"type": "null"}), "open to other fields",
    ),
    "fewer windows": (
        "counts", lambda s: s["properties"]["windows"].update(maxItems=9), "than 1 to 1024",
    ),
    "another number of buckets": (
        "counts",
        lambda s: s["$defs"]["buckets_reaches"].update(minItems=7, maxItems=7),
        "narrower than 6 to 6",
    ),
    "troubles that may not stand twice": (
        "counts", lambda s: s["$defs"]["buckets_reaches"].update(uniqueItems=True), "stand twice",
    ),
    "a box": ("counts", add("box", {"$ref": "#/$defs/seconds"}), "no unit may send"),
    "a box by another name": (
        "counts",
        add("last_track_id", {"$ref": "#/$defs/optional_number"}),
        "no unit may send",
    ),
    "a new open object": ("counts", add("extra", {"type": "object", "properties": {}}), "is open"),
    "a new free text": ("counts", add("note", {"type": "string"}), "without a pattern"),
    "a new text long enough for a picture": (
        "counts", add("code", {"type": "string", "pattern": "^[A-Za-z0-9]*$"}), "fits",
    ),
    "a new number without an end": ("counts", add("sum", {"type": "number"}), "without an end"),
    "a new list of pixels": (
        "counts",
        add("heat", {"type": "array", "maxItems": 4096, "items": {"$ref": "#/$defs/number"}}),
        "could be a picture",
    ),
    "a new list without an end": (
        "counts", add("heat", {"type": "array", "items": {"$ref": "#/$defs/number"}}), "without",
    ),
    "a new field of any type": ("counts", add("anything", {}), "anything fits"),
    "a new enum of sentences": (
        "counts", add("said", {"enum": ["a man in a red coat"]}), "is no word",
    ),
    "a rule that the gate does not know": (
        "counts", lambda s: s.update(patternProperties={"^x": {}}), "knows no such rule",
    ),
    "a span of three": (
        "ack",
        lambda s: s["$defs"]["span"]["prefixItems"].append({"$ref": "#/$defs/seq"}),
        "of a kind of their own",
    ),
    "rows that count from two": (
        "ack", lambda s: s["$defs"]["seq"].update(minimum=2), "narrower than 1",
    ),
}  # fmt: skip
