"""The unit's own reading of the schemas: as strict as the sink's, and blind to no keyword."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from edge_agent.transport.closed import check_of, closed
from tests.prove.mutations import LEAVES, Mutant, drawn, example, fits, mutants

WHOLE = {"type": "integer", "minimum": 1, "maximum": 9}


def decoded(mutant: Mutant) -> Any:
    return json.loads(mutant.payload)


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_message_that_tells_everything_fits(leaf: str) -> None:
    assert check_of(leaf)(example(leaf)) is None


@pytest.mark.parametrize("leaf", LEAVES)
def test_what_the_sinks_validator_refuses_at_any_field_is_refused_here(leaf: str) -> None:
    refused = 0
    for mutant in mutants(leaf, every=False):
        if not mutant.path or fits(leaf, mutant.payload):
            continue  # bytes that are no JSON are the seal's business
        assert check_of(leaf)(decoded(mutant)) is not None, mutant
        refused += 1
    assert refused > 100


@given(drawn())
@settings(max_examples=300)
def test_both_validators_agree_on_whatever_is_drawn(mutant: Mutant) -> None:
    if not fits(mutant.leaf, mutant.payload):
        assert check_of(mutant.leaf)(decoded(mutant)) is not None


@pytest.mark.parametrize(
    ("schema", "fitting", "not_fitting"),
    [
        (WHOLE, [1, 9], [0, 10, 1.0, True, "1", None, float("nan")]),
        (
            {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 2},
            [None, 1, 0.5, 2],
            [0, -1, 2.1, float("nan"), float("inf"), False, "1"],
        ),
        ({"type": "boolean"}, [True, False], [0, 1, None, "true"]),
        ({"const": 1}, [1], [True, 1.0, "1", None, [1], {}]),
        ({"enum": ["a", "b"]}, ["a", "b"], ["c", "", "a\n", None, ["a"]]),
        (
            {"type": "string", "pattern": r"^[\d]{2}$"},
            ["12"],
            ["12\n", "123", "\u0661\u0662", 12, None],
        ),
        (
            {"type": "array", "items": WHOLE, "maxItems": 2, "uniqueItems": True},
            [[], [1], [1, 2]],
            [[1, 1], [1, 2, 3], [0], "12", {}, None],
        ),
        ({"anyOf": [{"type": "null"}, WHOLE]}, [None, 3], ["3", 0, [], False]),
        (
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["a"],
                "properties": {"a": WHOLE, "b": {"$ref": "#/$defs/b"}},
                "$defs": {"b": {"type": "null"}},
            },
            [{"a": 1}, {"a": 1, "b": None}],
            [{}, {"b": None}, {"a": 1, "b": 1}, {"a": 1, "c": 1}, [], "a", None],
        ),
    ],
)
def test_each_keyword(schema: dict[str, Any], fitting: list[Any], not_fitting: list[Any]) -> None:
    check = closed(schema)
    assert [check(value) for value in fitting] == [None] * len(fitting)
    assert all(check(value) for value in not_fitting)


def test_a_refusal_tells_where_and_quotes_nothing() -> None:
    message = example("counts")
    message["windows"][0]["facings"][0]["name"] = "a man in a red coat"
    wrong = check_of("counts")(message)
    assert wrong == "/windows/0/facings/0/name is no such text as is configured or drawn"


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "integer", "multipleOf": 2}, "multipleOf"),
        ({"type": "string", "pattern": "^a", "format": "date"}, "format"),
        ({"type": "string", "pattern": "^a"}, "open at an end"),
        ({"type": "object", "properties": {}, "additionalProperties": True}, "object is open"),
    ],
)
def test_a_schema_that_cannot_be_held_is_refused_when_it_is_read(
    schema: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        closed(schema)


@pytest.mark.parametrize(
    "schema", [{"type": "number"}, {"type": "string"}, {"type": "object", "properties": {}}, {}]
)
def test_a_schema_without_bounds_is_refused_when_it_is_read(schema: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        closed(schema)
