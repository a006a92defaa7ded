"""Figures beside their goals."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.evaluate.goals import Measure, judged, missed, show

LOST = Measure("lost", "lost, at most", lambda s: s["lost"] / s["all"], most=0.1)
FEWER = Measure("fewer", "fewer, at least", lambda s: s["plain"] / s["ours"], least=5.0)
OPEN = Measure("open", "not judged", lambda s: float("nan") if s["all"] else 1.0)
ALL = (LOST, FEWER, OPEN)


def shop(lost, ours=1.0, plain=6.0):
    return {"lost": lost, "all": 10.0, "ours": ours, "plain": plain}


def test_a_figure_is_of_all_shops_together_between_its_ends_and_beside_its_goal():
    figure, low, high, goal = judged([shop(0), shop(2)] * 10, ALL)
    assert figure["lost"] == pytest.approx(0.1)
    assert low["lost"] < 0.1 < high["lost"]
    assert (goal["lost"], goal["fewer"], goal["open"]) == (0.1, 5.0, None)
    assert figure["open"] is low["open"] is None


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (shop(1), []),
        (shop(1.01), ["lost"]),
        (shop(0, plain=4.9), ["fewer"]),
        (shop(2, plain=0), ["lost", "fewer"]),
    ],
)
def test_what_is_over_a_most_or_under_a_least_misses_its_goal(one, names):
    assert missed(judged([one], ALL)[0], ALL) == names


def test_what_misses_is_told_and_drawn_and_json_is_the_last_line(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    rows = judged([shop(2), shop(4)], ALL)
    picture = tmp_path / "goals.png"
    show("three", rows, ALL, True, picture)
    out = capsys.readouterr()
    assert "lost 0.300 misses its goal 0.1" in out.err
    assert "fewer" not in out.err
    told = json.loads(out.out.splitlines()[-1])["results"]
    assert [row["name"] for row in told] == ["figure", "low", "high", "goal"]
    assert told[0]["lost"] == pytest.approx(0.3)
    assert picture.stat().st_size > 5_000


def test_a_share_of_a_goal_is_below_one_where_it_is_met():
    assert LOST.of_goal(0.05) == pytest.approx(0.5)
    assert FEWER.of_goal(10.0) == pytest.approx(0.5)
    assert np.isnan(FEWER.of_goal(None))
    assert FEWER.of_goal(0.0) == float("inf")
