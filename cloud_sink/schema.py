"""The telemetry's JSON Schemas, compiled once: the same files that the unit is tested against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import orjson
from jsonschema_rs import Draft202012Validator

LEAVES = ("counts", "state", "health")
# An error's text can quote the whole message; a reader needs its beginning only.
_DETAIL = 300

# What is wrong with a decoded message, None when it fits.
Check = Callable[[Any], str | None]


def checks() -> Mapping[str, Check]:
    """One check for each leaf of a topic that the sink subscribes to."""
    return {leaf: _check(leaf) for leaf in LEAVES}


def _check(leaf: str) -> Check:
    path = resources.files("edge_agent") / "schemas" / f"{leaf}.schema.json"
    validator = Draft202012Validator(orjson.loads(path.read_bytes()))

    def check(message: Any) -> str | None:
        if validator.is_valid(message):
            return None
        error = next(iter(validator.iter_errors(message)))
        where = "/".join(str(step) for step in error.instance_path)
        return f"{where or 'message'}: {error.message}"[:_DETAIL]

    return check
