"""`models evaluate keypoints` on a small scene."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest
from evaluate_world import LOW, TALL, Points, Sees, candidate, joints, write_clip, write_scene

from edge_agent.errors import ModelError
from models.evaluate import keypoints


@pytest.fixture
def run(monkeypatch, capsys):
    known = {
        "one-for-both": (Sees(TALL, LOW, keypoints=np.array([joints(TALL), joints(LOW)])), None),
        "sees+points": (Sees(TALL, LOW), Points()),
        "sees+off": (Sees(TALL, LOW), Points(off=0.3)),
        "tall+points": (Sees(TALL), Points()),
        "boxes-only": (Sees(TALL), None),
    }
    monkeypatch.setattr(
        keypoints,
        "open_candidates",
        lambda names, *_: [candidate(name, *known[name]) for name in names],
    )

    def run(*words):
        parser = argparse.ArgumentParser()
        keypoints.add_arguments(parser)
        args = parser.parse_args([*map(str, words), "--json"])
        assert keypoints.main(args) == 0
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        return {row["name"]: row for row in told["results"]}

    return run


def test_a_model_for_both_and_a_pair_are_scored_alike(run, tmp_path):
    scores = run("one-for-both", "sees+points", "sees+off", "--scene", write_scene(tmp_path / "s"))
    for name in ("one-for-both", "sees+points"):
        assert scores[name]["pck"] == scores[name]["found"] == 1
        assert scores[name]["oks"] == pytest.approx(1)
        assert scores[name]["wrists"] == scores[name]["pck nose"] == 1
    assert scores["sees+off"]["pck"] == 0
    assert scores["sees+off"]["oks"] < 0.1


def test_the_joints_of_people_not_found_are_told_apart(run, tmp_path):
    row = run("tall+points", "--scene", write_scene(tmp_path / "s"))["tall+points"]
    assert (row["found"], row["pck"], row["pck_all"]) == (0.5, 1, 0.5)
    tall = run("tall+points", "--scene", tmp_path / "s", "--min-height", 20)["tall+points"]
    assert (tall["people"], tall["found"], tall["pck_all"]) == (6, 1, 1)


def test_people_without_a_torso_are_counted(run, tmp_path):
    hidden = np.array([joints(box) for _ in range(6) for box in (TALL, LOW)], np.float32)
    hidden[::2, 11:13, 2] = 0
    row = run("sees+points", "--scene", write_scene(tmp_path / "s", keypoints=hidden))[
        "sees+points"
    ]
    assert row["no_torso"] == 6
    assert row["pck"] == 1


def test_a_detector_alone_has_no_joints(run, tmp_path):
    with pytest.raises(ModelError, match=r"finds no joints; .* boxes-only\+movenet"):
        run("boxes-only", "--scene", write_scene(tmp_path / "s"))


def test_a_reference_pair_stands_in_for_the_truth(run, tmp_path):
    write_clip(tmp_path / "clip.mp4")
    words = ("--clip", tmp_path / "clip.mp4", "--reference", "sees+points")
    scores = run("sees+points", "sees+off", *words)
    assert (scores["sees+points"]["pck"], scores["sees+off"]["pck"]) == (1, 0)


def test_a_picture_is_drawn(run, tmp_path):
    pytest.importorskip("matplotlib")
    words = ("--scene", write_scene(tmp_path / "s"), "--picture", tmp_path / "pck.png")
    run("sees+points", *words)
    assert (tmp_path / "pck.png").read_bytes().startswith(b"\x89PNG")
