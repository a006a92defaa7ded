"""A JSON Schema as a check that a unit can afford: what is not told to fit does not.

Only the keywords that the telemetry's schemas use are known; a schema with another is refused when
it is read, so that nothing is let through for want of a rule.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

Schema = Mapping[str, Any]
# What is wrong with a decoded value, by its path; None when it fits.
Check = Callable[[Any], str | None]

_SILENT = frozenset({"$schema", "$id", "$defs", "title", "description"})
_KNOWN = _SILENT | {
    "$ref", "additionalProperties", "anyOf", "const", "enum", "exclusiveMinimum", "items",
    "maxItems", "maximum", "minItems", "minimum", "pattern", "properties", "required", "type",
    "uniqueItems",
}  # fmt: skip


@cache
def check_of(leaf: str) -> Check:
    """The check of one leaf of a unit's topics, from the schema that ships with this release."""
    path = resources.files("edge_agent") / "schemas" / f"{leaf}.schema.json"
    return closed(json.loads(path.read_text(encoding="utf-8")))


def closed(schema: Schema) -> Check:
    """Compile a schema.

    Raises:
        ValueError: it uses a keyword that is not known here, or leaves an object or a text open.
    """
    return _compile(schema, schema.get("$defs", {}))


def _compile(schema: Schema, defs: Mapping[str, Schema]) -> Check:
    unknown = sorted(schema.keys() - _KNOWN)
    if unknown:
        raise ValueError(f"schema: {', '.join(unknown)}: no rule of these is known here")
    if "$ref" in schema:
        return _compile(defs[schema["$ref"].removeprefix("#/$defs/")], defs)
    if "anyOf" in schema:
        return _any([_compile(each, defs) for each in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return _one_of(schema.get("enum", [schema.get("const")]))
    told = schema["type"]
    kinds = sorted([told] if isinstance(told, str) else told, key=lambda kind: kind != "null")
    return _any([_KINDS[kind](schema, defs) for kind in kinds])


def _any(checks: list[Check]) -> Check:
    """One of them has to fit; what is told is what the last of them says: null comes first."""
    if len(checks) == 1:
        return checks[0]

    def check(value: Any) -> str | None:
        wrong = None
        for each in checks:
            wrong = each(value)
            if wrong is None:
                return None
        return wrong

    return check


def _one_of(allowed: list[Any]) -> Check:
    # 1 and True are the same to Python, and are not to JSON.
    known = {(type(each), each) for each in allowed}

    def check(value: Any) -> str | None:
        fits = isinstance(value, str | int | float) and (type(value), value) in known
        return None if fits else f" is none of {', '.join(map(str, allowed))}"

    return check


def _null(_schema: Schema, _defs: Mapping[str, Schema]) -> Check:
    return lambda value: None if value is None else " is not null"


def _boolean(_schema: Schema, _defs: Mapping[str, Schema]) -> Check:
    return lambda value: None if isinstance(value, bool) else " is neither true nor false"


def _number(schema: Schema, _defs: Mapping[str, Schema]) -> Check:
    # The type is "integer", or a list that holds it.
    kinds: tuple[type, ...] = (int,) if "integer" in schema["type"] else (int, float)
    most, above = schema["maximum"], schema.get("exclusiveMinimum")
    least = schema["minimum"] if above is None else above

    def check(value: Any) -> str | None:
        if type(value) not in kinds:
            return " is no whole number" if kinds == (int,) else " is no number"
        # NaN compares as False with everything.
        fits = least <= value <= most and value != above
        return None if fits else f" is not within {least} to {most}"

    return check


def _string(schema: Schema, _defs: Mapping[str, Schema]) -> Check:
    pattern = schema["pattern"]
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise ValueError(f"schema: the pattern {pattern} is open at an end")
    # As in ECMA 262: digits are 0 to 9, and $ is the end, not before a last newline.
    fitting = re.compile(pattern[1:-1], re.ASCII)

    def check(value: Any) -> str | None:
        fits = isinstance(value, str) and fitting.fullmatch(value)
        return None if fits else " is no such text as is configured or drawn"

    return check


def _array(schema: Schema, defs: Mapping[str, Schema]) -> Check:
    each = _compile(schema["items"], defs)
    least, most = schema.get("minItems", 0), schema["maxItems"]
    unique = schema.get("uniqueItems", False)

    def check(value: Any) -> str | None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            return f" is no list of {least} to {most}"
        for place, item in enumerate(value):
            wrong = each(item)
            if wrong is not None:
                return f"/{place}{wrong}"
        return " has something twice" if unique and len(set(value)) < len(value) else None

    return check


def _object(schema: Schema, defs: Mapping[str, Schema]) -> Check:
    if schema["additionalProperties"] is not False:
        raise ValueError("schema: an object is open")
    checks = {name: _compile(each, defs) for name, each in schema["properties"].items()}
    required = frozenset(schema.get("required", ()))

    def check(value: Any) -> str | None:
        if not isinstance(value, dict):
            return " is no object"
        if not required <= value.keys():
            return f" lacks {', '.join(sorted(required - value.keys()))}"
        for name, inner in value.items():
            fitting = checks.get(name)
            wrong = " is no field" if fitting is None else fitting(inner)
            if wrong is not None:
                return f"/{name}{wrong}"
        return None

    return check


_KINDS: dict[str, Callable[[Schema, Mapping[str, Schema]], Check]] = {
    "array": _array,
    "boolean": _boolean,
    "integer": _number,
    "null": _null,
    "number": _number,
    "object": _object,
    "string": _string,
}
