"""The schemas describe exactly what can leave a unit, and leave no place for anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from window_world import NAMES, estimates, facings, histograms, visit_counts

import edge_agent
from edge_agent.config import MAX_FACINGS
from edge_agent.records import (
    EDGES,
    Counts,
    Definitions,
    Estimate,
    Estimates,
    FacingCounts,
    Head,
    Health,
    Histograms,
    Quality,
    Receipt,
    Record,
    State,
    Trouble,
    VisitCounts,
    Window,
    decode_counts,
    encode,
    topic,
)

FOLDER = Path(edge_agent.__file__).parent / "schemas"
SCHEMAS: dict[str, dict[str, Any]] = {
    name: json.loads((FOLDER / f"{name}.schema.json").read_text())
    for name in ("counts", "state", "health", "ack")
}
VALIDATORS = {name: Draft202012Validator(schema) for name, schema in SCHEMAS.items()}
# The sink's validator: both read the same files the same way.
FAST = {name: jsonschema_rs.validator_for(schema) for name, schema in SCHEMAS.items()}
ASYNCAPI = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text())


def fits(name: str, message: object) -> bool:
    verdicts = {VALIDATORS[name].is_valid(message), FAST[name].is_valid(message)}
    assert len(verdicts) == 1, message
    return verdicts.pop()


numbers = st.integers(0, 2**53 - 1)
seconds = st.floats(0, 1e10, allow_subnormal=False)
names = NAMES
boots = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)
maybe = st.none() | numbers
clocks = st.sampled_from(Quality)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    length_s = draw(st.floats(1e-3, 1e10))
    pass_bys = draw(numbers)
    of_them = st.integers(0, pass_bys)
    stops = draw(of_them)
    return Window(
        zone=draw(names),
        start=draw(seconds),
        length_s=length_s,
        observed_s=draw(st.floats(0, length_s)),
        clock=draw(clocks),
        definitions=Definitions(
            draw(seconds), draw(seconds), draw(seconds), draw(st.integers(1, 1000))
        ),
        pass_bys=pass_bys,
        stops=stops,
        engaged=draw(of_them),
        reaches=draw(maybe),
        picks=draw(maybe),
        put_backs=draw(maybe),
        dwell_s=draw(seconds),
        bridged_s=draw(seconds),
        censored=draw(of_them),
        censored_dwell_s=draw(seconds),
        merged=draw(st.integers(1, 2**53 - 1)),
        reached=draw(st.none() | st.integers(0, stops)),
        empty_handed=draw(st.none() | of_them),
        abstained=draw(maybe),
        staff=draw(st.none() | visit_counts(pass_bys, numbers, seconds)),
        histograms=draw(st.none() | histograms(numbers)),
        facings=draw(facings(numbers, seconds)),
        estimates=draw(st.none() | estimates(st.floats(0, 2**53 - 1))),
        bound_s=draw(st.none() | seconds),
    )


digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
counts = st.builds(
    Counts,
    names,
    boots,
    st.integers(1, 2**53 - 1),
    st.lists(windows(), min_size=1).map(tuple),
    st.none() | digests,
)
states = st.builds(State, names, st.integers(1, 2**53 - 1), st.booleans())
healths = st.builds(
    Health,
    unit=names,
    at=seconds,
    uptime_s=seconds,
    clock=clocks,
    boot=st.none() | boots,
    analysed=maybe,
    fps=st.none() | st.floats(0, 1000),
    waiting=maybe,
    merged=maybe,
    resets=maybe,
    troubles=st.sets(st.sampled_from(Trouble)).map(tuple),
    ledger=st.none() | st.builds(Head, boots, st.integers(1, 2**53 - 1), digests),
    carrying=st.none() | st.sets(names, max_size=64).map(lambda found: tuple(sorted(found))),
)
spans = st.lists(st.tuples(st.integers(1, 2**53 - 1), st.integers(1, 2**53 - 1))).map(tuple)
receipts = st.builds(Receipt, boots, numbers, spans)
records = st.one_of(
    st.tuples(st.just("counts"), counts),
    st.tuples(st.just("state"), states),
    st.tuples(st.just("health"), healths),
    st.tuples(st.just("ack"), receipts),
)

PLAIN = Window("table", 0.0, 60.0, 59.5, Quality.RECORDING, Definitions(5, 15, 2), 3, 2, 1)
# Everything that a window can tell is told in it.
TELLING = replace(
    PLAIN,
    staff=VisitCounts(1, 1, 1, 30.0, 1, 2, 1, 1, 1),
    histograms=Histograms(*(tuple(range(len(edges))) for edges in EDGES.values())),
    facings=(FacingCounts("A", "acme", 2, 1, 1, 50.0, 10.0, 5.0, 3.5),),
    estimates=Estimates(*(Estimate(0.0, 1.5, 3.25) for _ in range(3))),
    bound_s=1.0,
)
SAMPLES: dict[str, Record] = {
    "counts": Counts("shelf-0042", "00000000000000aa", 1, (TELLING,), "0f" * 32),
    "state": State("shelf-0042", 1_700_000_000, True),
    "health": Health(
        "shelf-0042",
        1.7e9,
        5.0,
        Quality.SYNCED,
        troubles=(Trouble.DISK_FULL,),
        ledger=Head("00000000000000aa", 5, "0f" * 32),
        carrying=("table",),
    ),
    "ack": Receipt("00000000000000aa", 5, ((7, 9), (11, 11))),
}


# What units told in windows before definitions version 3 did not have.
LATER = {
    "reached", "empty_handed", "abstained", "staff", "histograms", "facings", "estimates",
    "bound_s",
}  # fmt: skip


def sample(name: str) -> Any:
    return json.loads(encode(SAMPLES[name]))


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value within a message."""
    yield path
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def at(message: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        message = message[key]
    return message


EVERYWHERE = [(name, path) for name in SAMPLES for path in places(sample(name))]
OBJECTS = [(name, path) for name, path in EVERYWHERE if isinstance(at(sample(name), path), dict)]
VALUES = [(name, path) for name, path in EVERYWHERE if path]


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@given(records)
@settings(max_examples=200)
def test_everything_that_can_be_encoded_fits(record: tuple[str, Record]) -> None:
    name, value = record
    assert fits(name, json.loads(encode(value)))


@pytest.mark.parametrize(("name", "path"), OBJECTS)
def test_a_field_added_anywhere_does_not_fit(name: str, path: tuple[str | int, ...]) -> None:
    message = sample(name)
    assert fits(name, message)
    at(message, path)["track"] = 7
    assert not fits(name, message)


@pytest.mark.parametrize(("name", "path"), VALUES)
@pytest.mark.parametrize(
    "value",
    [
        "a man in a red coat",
        "",
        "table\n",
        "x" * 65,
        -1,
        1e300,
        [],
        {"x": 0.4, "y": 0.7},
        [0.25, 0.5, 0.25, 0.5],
        "data:image/jpeg;base64,/9j/4AAQ",
    ],
)
def test_free_text_coordinates_and_impossible_numbers_fit_nowhere(
    name: str, path: tuple[str | int, ...], value: object
) -> None:
    message = sample(name)
    at(message, path[:-1])[path[-1]] = value
    allowed_empty = value == [] and path in {("troubles",), ("have",), ("carrying",)}
    # `jsonschema` matches $ before a last newline too, which ECMA 262 and the sink's validator
    # do not.
    assert FAST[name].is_valid(message) == allowed_empty
    if value != "table\n":
        assert VALIDATORS[name].is_valid(message) == allowed_empty


@pytest.mark.parametrize(("name", "path"), [(n, p) for n, p in VALUES if isinstance(p[-1], str)])
def test_a_missing_field_does_not_fit(name: str, path: tuple[str | int, ...]) -> None:
    message = sample(name)
    del at(message, path[:-1])[path[-1]]
    later = name == "counts" and len(path) == 3 and path[-1] in LATER
    since = {("have",), ("shift",), ("prev",), ("ledger",), ("carrying",)}
    assert fits(name, message) == (later or path in since)


def test_a_message_of_an_older_unit_still_fits_and_reads() -> None:
    message = sample("counts")
    (window,) = message["windows"]
    message["windows"] = [{key: told for key, told in window.items() if key not in LATER}]
    assert fits("counts", message)
    assert decode_counts(json.dumps(message).encode()).windows == (PLAIN,)


def test_the_buckets_are_those_of_the_records() -> None:
    for name, edges in EDGES.items():
        buckets = SCHEMAS["counts"]["$defs"][f"buckets_{name}"]
        assert buckets["minItems"] == buckets["maxItems"] == len(edges)
        assert f"begin at {', '.join(map(str, edges))};" in buckets["description"]


def test_a_schema_holds_as_many_facings_as_a_unit_may_have() -> None:
    facings = SCHEMAS["counts"]["$defs"]["window"]["properties"]["facings"]
    assert facings["anyOf"][1]["maxItems"] == MAX_FACINGS


def schema_objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from schema_objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from schema_objects(inner)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_object_is_closed_every_string_a_pattern_every_number_bounded(name: str) -> None:
    for schema in schema_objects(SCHEMAS[name]):
        kind = schema.get("type", ())
        if isinstance(kind, dict):  # a property that is called type
            continue
        kinds = {kind} if isinstance(kind, str) else set(kind)
        if "properties" in schema and isinstance(schema["properties"], dict):
            assert schema["additionalProperties"] is False
        if "string" in kinds:
            assert schema["pattern"].startswith("^")
            assert schema["pattern"].endswith("$")
        if kinds & {"integer", "number"}:
            assert {"minimum", "exclusiveMinimum"} & schema.keys()
            assert "maximum" in schema
        if "array" in kinds:
            assert "items" in schema
            assert "maxItems" in schema or schema["items"] is False


@pytest.mark.parametrize(
    ("name", "enum", "path"),
    [
        ("health", Trouble, ("troubles", "items")),
        ("health", Quality, ("clock",)),
        ("counts", Quality, ("clock",)),
    ],
)
def test_the_enums_are_those_of_the_records(name: str, enum: Any, path: tuple[str, ...]) -> None:
    schema = SCHEMAS[name]
    properties = schema["$defs"]["window"] if name == "counts" else schema
    assert set(at(properties["properties"], path)["enum"]) == {each.value for each in enum}


def resolved(reference: dict[str, str]) -> Any:
    return at(ASYNCAPI, tuple(reference["$ref"].removeprefix("#/").split("/")))


def test_the_asyncapi_document_names_every_topic_with_its_schema() -> None:
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    told = {}
    for operation in ASYNCAPI["operations"].values():
        channel = resolved(operation["channel"])
        (message,) = (resolved(each) for each in channel["messages"].values())
        payload = message["payload"]
        assert payload["schemaFormat"] == "application/schema+json;version=draft-2020-12"
        file = FOLDER / payload["schema"]["$ref"]
        assert file.is_file()
        mqtt = operation["bindings"]["mqtt"]
        address = channel["address"].format(tenant="demo", store="store-1", unit="shelf-0042")
        told[address] = (operation["action"], file.name, mqtt["qos"], mqtt["retain"])
        assert {resolved(each)["description"] for each in channel["parameters"].values()}
    assert told == {
        topic("demo", "store-1", "shelf-0042", leaf): rest
        for leaf, rest in {
            "counts": ("send", "counts.schema.json", 1, False),
            "state": ("send", "state.schema.json", 1, True),
            "health": ("send", "health.schema.json", 0, False),
            "cmd/ack": ("receive", "ack.schema.json", 1, False),
        }.items()
    }
