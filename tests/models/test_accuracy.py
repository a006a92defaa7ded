"""`models evaluate accuracy`: figures, their intervals and floors; one rendered shop for real."""

from __future__ import annotations

import argparse
import json

import pytest

from edge_agent.errors import InputError
from models.evaluate import accuracy
from models.evaluate.accuracy import figures, read_floors
from models.evaluate.tally import Tally


def run(*words):
    parser = argparse.ArgumentParser()
    accuracy.add_arguments(parser)
    return accuracy.main(parser.parse_args([str(word) for word in words]))


def test_a_figure_is_of_all_recordings_together_and_its_interval_holds_it():
    many = [Tally(reaches=4, reaches_said=5, reaches_right=3), Tally(reaches=6, reaches_said=5)]
    figure, low, high = figures(many * 10)
    assert figure["reach_recall"] == pytest.approx(0.3)
    assert figure["reach_f1"] == pytest.approx(0.3)
    assert low["reach_f1"] < 0.3 < high["reach_f1"]
    assert figure["stock"] is low["stock"] is None


def test_equal_recordings_leave_no_doubt():
    figure, low, high = figures([Tally(visits=10, visits_said=9)] * 5)
    assert figure["visits"] == low["visits"] == high["visits"] == 0.9


def test_floors_are_names_and_numbers(tmp_path):
    path = tmp_path / "floors.txt"
    path.write_text("# as of today\nreach_f1 0.5\n\nvisits 0.03  # off by\n")
    assert read_floors(path) == {"reach_f1": 0.5, "visits": 0.03}


@pytest.mark.parametrize("line", ["reach_f1", "reach_f1 much", "beauty 0.5"])
def test_a_line_that_is_no_floor_is_told(tmp_path, line):
    path = tmp_path / "floors.txt"
    path.write_text(f"visits 0.1\n{line}\n")
    with pytest.raises(InputError, match="line 2"):
        read_floors(path)


def test_a_missing_floors_file_is_told(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_floors(tmp_path / "none.txt")


@pytest.mark.parametrize("words", [(), ("--seeds", "x"), ("--seeds", "9-3")])
def test_nothing_to_judge_is_told(words):
    with pytest.raises(InputError):
        run(*words)


def test_a_rendered_shop_is_judged_drawn_and_held_to_its_floors(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    floors = tmp_path / "floors.txt"
    floors.write_text("visits 0.0\nstock 1.1\n")
    words = ("--seeds", 1, "--seconds", 12, "--scenes", tmp_path, "--workers", 1, "--json")
    picture = tmp_path / "figures.png"
    assert run(*words, "--floors", floors, "--picture", picture) == 1
    out = capsys.readouterr()
    told = json.loads(out.out.splitlines()[-1])["results"]
    assert [row["name"] for row in told] == ["figure", "low", "high"]
    assert 0 <= told[0]["stock"] <= 1
    assert "stock" in out.err
    assert picture.stat().st_size > 5_000
    floors.write_text("stock 0.0\n")
    assert run(*words, "--floors", floors) == 0
