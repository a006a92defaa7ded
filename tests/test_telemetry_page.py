"""The page about the telemetry says what the code does."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from cloud_sink.tables import LATER_COLUMNS
from edge_agent.config import parse_site
from edge_agent.records import EDGES, FacingCounts, VisitCounts, Window

PAGE = (Path(__file__).parents[1] / "docs" / "telemetry.md").read_text()


@pytest.mark.parametrize("kind", [Window, VisitCounts, FacingCounts])
def test_every_field_is_named(kind):
    names = {one.name for one in fields(kind)} - {"zone", "start", "clock"}
    assert {name for name in names if f"{name}`" not in PAGE and f"`{name}" not in PAGE} == set()


@pytest.mark.parametrize("name", EDGES)
def test_buckets_are_those_of_the_code(name):
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| `histograms.{name}` |")]
    assert ", ".join(map(str, EDGES[name])) in line


def test_the_sinks_new_columns_are_listed_in_their_order():
    listed = PAGE.split("New columns stand after", 1)[1].split(".", 1)[0]
    assert tuple(listed.split("`")[1::2]) == LATER_COLUMNS


def test_the_site_on_the_page_is_sound():
    block = PAGE.split("```\n")[1]
    floor = "[[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]]"
    values = {"unit": {"id": "u1"}, **yaml.safe_load(block.replace("[...]", floor))}
    site = parse_site(values, "telemetry.md", Path("."))
    assert site.zones[0].staff
    assert site.staff.put_backs == 4
