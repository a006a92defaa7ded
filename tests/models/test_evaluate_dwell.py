"""`models evaluate dwell`: pairing by hand, and the real pipeline on a real recording."""

from __future__ import annotations

import argparse
import json

import pytest

from edge_agent.config import parse_site
from edge_agent.errors import InputError
from edge_agent.observations import Censored, Visit
from models.evaluate import dwell
from models.evaluate.dwell import Truth, load_truth, pair_visits, score, site_for

FLOOR = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]


def visit(enter, leave, zone="table", censored=Censored.NONE):
    return Visit(zone, enter, leave, censored=censored)


def compared(found, true, tmp_path):
    site = parse_site(
        {"unit": {"id": "u"}, "zones": [{"name": "table", "floor": FLOOR}]}, "s", tmp_path
    )
    return score([(found, Truth(tmp_path, tuple(true), {}, tmp_path), site)])


def test_visits_pair_by_the_time_they_share():
    found = [visit(0, 4), visit(5, 20), visit(30, 40), visit(0, 50, "shelf")]
    true = [visit(1, 19), visit(31, 39), visit(60, 70)]
    assert pair_visits(found, true) == [(1, 0), (2, 1)]
    assert pair_visits([], true) == []


def test_a_visit_cut_in_two_is_one_match_and_one_extra(tmp_path):
    told = compared([visit(0, 8), visit(9, 20)], [visit(0, 20)], tmp_path)
    assert (told["visits"], told["matched"], told["missed"], told["extra"]) == (1, 1, 0, 1)
    assert told["pass_bys_error"] == 1
    assert (told["dwell_error_s"], told["dwell_bias_s"]) == (9, -9)
    assert told["dwell_error"] == pytest.approx(9 / 20)


def test_a_stop_too_many_or_too_few_is_told(tmp_path):
    told = compared([visit(0, 4), visit(10, 20)], [visit(0, 6), visit(10, 20)], tmp_path)
    assert (told["stops"], told["stops_error"], told["pass_bys_error"]) == (2, -1, 0)


def test_visits_that_the_recording_cuts_off_are_counted_not_timed(tmp_path):
    cut = Censored.RIGHT
    told = compared(
        [visit(0, 9), visit(20, 31)], [visit(0, 10), visit(20, 40, censored=cut)], tmp_path
    )
    assert (told["matched"], told["judged"], told["dwell_error_s"]) == (2, 1, 1)


def test_with_nothing_found_there_is_no_dwell_error(tmp_path):
    told = compared([], [visit(0, 10)], tmp_path)
    assert (told["missed"], told["dwell_error_s"], told["dwell_error"]) == (1, None, None)


@pytest.mark.parametrize(
    "text",
    ["{", "{}", '{"clip": "a", "visits": [{"zone": "t"}]}', "[]", '{"clip": 1, "visits": 2}'],
)
def test_what_is_no_truth_is_told(tmp_path, text):
    (tmp_path / "truth.json").write_text(text)
    with pytest.raises(InputError, match=r"truth\.json"):
        load_truth(tmp_path)


def test_the_site_is_the_one_beside_the_truth_else_made_of_its_zones(tmp_path):
    values = {"clip": "clip.mp4", "visits": [], "zones": [{"name": "a", "floor": FLOOR}]}
    (tmp_path / "truth.json").write_text(json.dumps(values))
    assert [zone.name for zone in site_for(load_truth(tmp_path), None).zones] == ["a"]
    beside = f"unit: {{id: u}}\nzones: [{{name: b, floor: {FLOOR}}}]\n"
    (tmp_path / "site.yaml").write_text(beside)
    assert [zone.name for zone in site_for(load_truth(tmp_path), None).zones] == ["b"]


def test_the_visits_to_the_table_through_the_shipping_pipeline(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SHELFLIGHT_MODELS", str(data / "models"))
    parser = argparse.ArgumentParser()
    dwell.add_arguments(parser)
    truth = str(data / "footage" / "table-visits.truth.json")
    words = ["yolox-nano", "--truth", truth, "--fps", "1", "--json"]
    assert dwell.main(parser.parse_args(words)) == 0
    (row,) = json.loads(capsys.readouterr().out.splitlines()[-1])["results"]
    assert (row["visits"], row["matched"], row["extra"], row["stops_error"]) == (3, 3, 0, 0)
    assert row["dwell_error_s"] < 1.5


def test_a_truth_that_tells_no_visits_has_no_dwell(tmp_path):
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"clip": "clip.mp4", "reaches": []}))
    parser = argparse.ArgumentParser()
    dwell.add_arguments(parser)
    with pytest.raises(InputError, match="tells no visits"):
        dwell.main(parser.parse_args(["shelflight-nano", "--truth", str(path)]))
