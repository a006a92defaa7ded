"""`models evaluate dwell-tracking`: dwell error by hand, one shop, and ByteTrack where it is."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import InputError
from edge_agent.observations import Visit
from models.evaluate import dwell_tracking
from models.evaluate.dwell_tracking import bytetracks, dwell_error_s, ours, shop_of
from models.scene.crowd import crowd

RIVALS = Path(".venv-rivals")


@pytest.fixture(scope="module")
def people():
    return crowd(4, 12.0, 30)


def run(*words):
    parser = argparse.ArgumentParser()
    dwell_tracking.add_arguments(parser)
    return dwell_tracking.main(parser.parse_args([str(word) for word in words]))


def test_missed_and_extra_visits_count_with_all_their_dwell():
    true = [Visit("a", 0, 10), Visit("a", 20, 24)]
    assert dwell_error_s(true, true) == 0
    assert dwell_error_s([Visit("a", 1, 10.5)], true) == pytest.approx(0.5 + 4)
    cut = [Visit("a", 0, 4), Visit("a", 5, 10), Visit("a", 20, 24)]
    assert dwell_error_s(cut, true) == pytest.approx(5 + 4)
    assert dwell_error_s([Visit("b", 0, 10)], true[:1]) == pytest.approx(20)
    assert dwell_error_s([], true) == 14


def test_a_crowd_has_a_floor_visits_and_boxes_in_the_picture(people):
    labels = people.labels
    assert people.zones[0]["name"]
    assert people.visits
    assert labels.frame.max() == people.frames - 1 == 359
    assert labels.boxes.min() >= 0
    assert labels.boxes.max() <= 1
    assert (labels.boxes[:, 2:] > labels.boxes[:, :2]).all()
    assert 0 < labels.visible.min() <= labels.visible.max() <= 1


def test_a_crowds_boxes_lie_where_the_rendered_ones_do(people, tmp_path):
    from models.evaluate.labels import load_labels
    from models.evaluate.recording import rendered

    drawn = load_labels(rendered(tmp_path / "4", 4.0, 5.0) / "labels.npz")
    whole = drawn.visible > 0.8
    apart = []
    for frame, box in zip(drawn.frame[whole], drawn.boxes[whole], strict=True):
        mine = people.labels.boxes[people.labels.frame == 6 * frame]
        apart.append(np.abs(mine - box).max(axis=1).min())
    assert np.median(apart) < 0.03


def test_boxes_that_tremble_cost_our_tracker_little_dwell_at_either_rate(people):
    shop = shop_of(people, "shop", 1)
    least = sum(len(seen.boxes) for seen in shop.frames) / len(people.labels.frame)
    assert 0.8 < least < 0.95
    for every in (1, 6):
        found = ours(shop, every)
        assert dwell_error_s(found, shop.visits) / len(shop.visits) < 0.6
    assert shop_of(people, "shop", 1).frames[7].boxes.tolist() == shop.frames[7].boxes.tolist()


def test_bytetracks_tracks_make_visits_on_the_same_floors(people):
    class Everybody:
        """A tracker's process that gives each box the identity that it came with."""

        def ask(self, do, name, **more):
            if do == "load":
                self.frames = more["frames"]
                assert (more["fps"], more["scale"]) == (5.0, people.size)
                return None
            return [[[i, *row[:4]] for i, row in enumerate(rows)] for rows in self.frames]

    labels, shop = people.labels, shop_of(people, "shop", 1)
    first = int(labels.person[labels.frame == 0][0])
    alone = labels.person == first
    boxes = [labels.boxes[alone & (labels.frame == i)] for i in range(people.frames)]
    for seen, mine in zip(shop.frames, boxes, strict=True):
        object.__setattr__(seen, "boxes", mine.astype(float))
        object.__setattr__(seen, "scores", np.full(len(mine), 0.9))
    theirs = bytetracks(shop, 6, Everybody())
    assert [v.zone for v in theirs] == [v.zone for v in ours(shop, 6)]
    assert dwell_error_s(theirs, ours(shop, 6)) < 0.5


def test_a_missing_environment_is_told_before_any_work(tmp_path):
    with pytest.raises(InputError, match="make bench"):
        run("--seeds", 4, "--rivals", tmp_path)


@pytest.mark.skipif(not RIVALS.exists(), reason="make bench installs ByteTrack")
def test_a_shop_is_judged_beside_bytetrack(capsys):
    assert run("--seeds", 4, "--seconds", 12, "--workers", 1, "--json") == 0
    figure, _, _, goal = json.loads(capsys.readouterr().out.splitlines()[-1])["results"]
    assert figure["ours_5"] < 0.6
    assert goal["of_bytetrack_5"] == 0.6
