"""`models evaluate robustness`: the plain method chosen by hand, one rendered shop for real."""

from __future__ import annotations

import argparse
import json
from dataclasses import astuple

import pytest

from edge_agent.errors import InputError
from models.evaluate import robustness
from models.evaluate.given import Given, detections_of
from models.evaluate.goals import judged
from models.evaluate.labels import load_labels
from models.evaluate.recording import load_truth, rendered
from models.evaluate.robustness import MEASURES, PLAIN, Outcome, Trial, outcome, summed
from models.evaluate.tally import Tally

SEED, SECONDS, FPS = 12, 12.0, 5.0


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Folder of a rendered shop in which somebody reaches."""
    return rendered(tmp_path_factory.mktemp("shops") / str(SEED), SECONDS, FPS)


def reaches(right, said, true=10):
    return Tally(reaches=true, reaches_said=said, reaches_right=right)


def told(ours, plain, damaged=None):
    """One shop; the plain ways beside their tallies, all others find nothing."""
    ways = tuple(plain.get(i, reaches(0, 99)) for i in range(len(PLAIN)))
    one = Outcome(ours, damaged or ours, ours, ours, ways, ways)
    return [one, one]


def run(*words):
    parser = argparse.ArgumentParser()
    robustness.add_arguments(parser)
    return robustness.main(parser.parse_args([str(word) for word in words]))


def test_the_plain_method_is_the_one_that_finds_as_much_with_the_fewest_false():
    outcomes = told(reaches(8, 9), {0: reaches(10, 90), 3: reaches(8, 40), 4: reaches(8, 30)})
    shops, chosen = summed(outcomes)
    assert chosen == (4, 4)
    figure = judged(shops, MEASURES)[0]
    assert figure["recall"] == figure["recall_plain"] == pytest.approx(0.8)
    assert (figure["false"], figure["false_plain"]) == (2, 44)
    assert figure["times_fewer"] == pytest.approx(22)


def test_where_none_finds_as_much_the_nearest_is_taken_and_its_recall_told():
    shops, chosen = summed(told(reaches(9, 9), {7: reaches(6, 20), 8: reaches(5, 5)}))
    assert chosen == (7, 7)
    figure = judged(shops, MEASURES)[0]
    assert (figure["recall"], figure["recall_plain"]) == (pytest.approx(0.9), pytest.approx(0.6))
    assert figure["times_fewer"] == pytest.approx(28)  # of none of ours: at least so many


def test_points_lost_are_of_the_damaged_beside_the_true_joints():
    twenty = reaches(8 * 20, 10 * 20, 10 * 20)
    figure = judged(summed(told(reaches(9, 10), {}, twenty))[0], MEASURES)[0]
    assert figure["points_lost"] == pytest.approx(10)


def test_who_is_hidden_is_not_found_and_hidden_joints_are_guessed(shop):
    labels = load_labels(shop / "labels.npz")
    said = detections_of(labels, 60, 0.3)
    assert sum(len(one.boxes) for one in said) == (labels.visible > 0.25).sum()
    scores = {round(v, 1) for one in said for v in one.keypoints[..., 2].ravel().tolist()}
    assert scores == {0.0, 0.3, 0.9}
    assert said[50].t == pytest.approx(10.0)


def test_the_stand_in_tells_of_the_very_frame(shop):
    said = detections_of(load_labels(shop / "labels.npz"), 60, 0.3)

    class At:
        t = 10.4

    given = Given(said, FPS)
    found = given.decode(given.runtime(given.prepare(At())), At())
    assert found.boxes is said[52].boxes
    assert found.t == 10.4


def test_a_shop_is_played_in_all_ways_and_damage_is_done_by_seed(shop):
    truth = load_truth(shop)
    one, other = (outcome(truth, Trial(FPS, damages, 2)) for damages in (2, 1))
    assert one.clean == other.clean
    assert one.clean.reaches == len(truth.values["reaches"]) > 0
    assert one.damaged.reaches == 2 * other.damaged.reaches == 2 * one.clean.reaches
    assert one.clean.reaches_right > 0
    # Each damage is another one, and the first is the first again.
    twice = tuple(Tally(*(2 * value for value in astuple(some))) for some in other.plain_damaged)
    assert one.plain_damaged != twice
    assert outcome(truth, Trial(FPS, 1, 2)).damaged == other.damaged
    # A longer least run is said less often.
    assert one.plain[0].reaches_said >= one.plain[30].reaches_said


def test_a_shop_is_judged_and_told(shop, capsys):
    words = ("--seeds", SEED, "--scenes", shop.parent, "--damages", 1, "--workers", 1, "--json")
    assert run(*words) == 0
    figure, _, _, goal = json.loads(capsys.readouterr().out.splitlines()[-1])["results"]
    assert 0 < figure["f1_clean"] <= 1
    assert (goal["points_lost"], goal["times_fewer"], goal["nth_lost"]) == (5.0, 5.0, 0.02)


@pytest.mark.parametrize("words", [("--damages", 0), ("--every", 0), ("--seeds", "9-3")])
def test_what_makes_no_sense_is_told(words):
    with pytest.raises(InputError):
        run(*words)
