"""Within v1 the telemetry only grows, and only by what may leave a unit.

tests/schemas_v1 holds the schemas as they were last released; who releases copies them there.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import edge_agent
from tests.schema_changes import breaking, unsound
from tests.schema_edits import ADDITIVE, BREAKING, RELEASED, edited

SHIPPED = Path(edge_agent.__file__).parent / "schemas"
LEAVES = sorted(path.name for path in RELEASED.glob("*.schema.json"))


@pytest.mark.parametrize("name", LEAVES)
def test_what_ships_may_follow_what_was_released(name):
    old, new = (json.loads((folder / name).read_text()) for folder in (RELEASED, SHIPPED))
    assert breaking(old, new) == []


def test_every_schema_that_ships_was_released_or_is_sound():
    shipped = {path.name for path in SHIPPED.glob("*.schema.json")}
    assert set(LEAVES) <= shipped
    for name in shipped:
        assert unsound(json.loads((SHIPPED / name).read_text())) == []


@pytest.mark.parametrize("name", ADDITIVE)
def test_an_additive_change_may_follow(name):
    assert edited(*ADDITIVE[name]) == []


@pytest.mark.parametrize("name", BREAKING)
def test_a_breaking_change_is_refused_and_told(name):
    leaf, edit, told = BREAKING[name]
    found = edited(leaf, edit)
    assert any(told in line for line in found), found


def test_a_schema_may_follow_itself():
    for name in LEAVES:
        known = json.loads((RELEASED / name).read_text())
        assert breaking(known, known) == []
