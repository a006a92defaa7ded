"""`models evaluate detection` on a small scene, and on MOT sequences."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest
from evaluate_world import LOW, SIZE, TALL, Sees, candidate, write_clip, write_labels, write_scene

from edge_agent.errors import InputError, ModelError
from edge_agent.manifest import load
from models.evaluate import detection
from models.evaluate.candidate import open_candidates
from models.evaluate.labels import Filter, load_labels, mot_pairs

ELSEWHERE = (0.8, 0.1, 0.9, 0.9)


@pytest.fixture
def run(monkeypatch, capsys):
    """The command with stand-ins for models; the JSON that it prints, by name."""
    known = {
        "both": Sees(TALL, LOW),
        "tall": Sees(TALL),
        "wild": Sees(TALL, ELSEWHERE, scores=[0.9, 0.4]),
        "shy": Sees(TALL, scores=[0.2]),
    }
    monkeypatch.setattr(
        detection,
        "open_candidates",
        lambda names, *_: [candidate(name, known[name]) for name in names],
    )

    def run(*words):
        parser = argparse.ArgumentParser()
        detection.add_arguments(parser)
        args = parser.parse_args([*map(str, words), "--json"])
        assert detection.main(args) == 0
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        return {row["name"]: row for row in told["results"]}

    return run


def test_candidates_are_scored_side_by_side(run, tmp_path):
    scores = run("both", "tall", "--scene", write_scene(tmp_path / "s"))
    assert scores["both"]["recall"] == scores["both"]["precision"] == scores["both"]["ap"] == 1
    assert scores["tall"]["people"] == 12
    assert scores["tall"]["recall"] == 0.5
    assert scores["tall"]["precision"] == 1
    assert scores["tall"]["ap50"] == pytest.approx(51 / 101, abs=1e-4)


def test_people_too_low_are_neither_missed_nor_false(run, tmp_path):
    scene = write_scene(tmp_path / "s")
    scores = run("both", "tall", "wild", "--scene", scene, "--min-height", 20)
    assert scores["both"]["people"] == 6
    for name in ("both", "tall"):
        assert scores[name]["recall"] == scores[name]["precision"] == 1
    assert scores["wild"]["precision"] == 0.5


def test_people_too_hidden_are_too(run, tmp_path):
    visible = np.tile(np.array([1, 0.3], np.float32), 6)
    scene = write_scene(tmp_path / "s", visible=visible)
    assert run("tall", "--scene", scene, "--min-visible", 0.4)["tall"]["recall"] == 1


def test_the_working_threshold_decides_recall_and_precision_not_ap(run, tmp_path):
    scene = write_scene(tmp_path / "s")
    low = run("shy", "wild", "--scene", scene, "--min-height", 20)
    assert (low["shy"]["recall"], low["shy"]["precision"], low["shy"]["ap"]) == (0, None, 1)
    assert (
        run("wild", "--scene", scene, "--min-height", 20, "--score", 0.5)["wild"]["precision"] == 1
    )


def test_every_nth_frame(run, tmp_path):
    assert (
        run("tall", "--scene", write_scene(tmp_path / "s"), "--every", 3)["tall"]["pictures"] == 2
    )


def test_without_truth_a_reference_stands_in(run, tmp_path):
    write_clip(tmp_path / "clip.mp4")
    scores = run("tall", "wild", "--clip", tmp_path / "clip.mp4", "--reference", "both")
    assert scores["tall"]["recall"] == 0.5
    assert scores["wild"]["precision"] == 0.5


def test_a_picture_is_drawn(run, tmp_path):
    pytest.importorskip("matplotlib")
    run("wild", "--scene", write_scene(tmp_path / "s"), "--picture", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.part"))


def test_without_matplotlib_the_picture_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"pip install 'shelflight\[train\]'"):
        run("tall", "--scene", write_scene(tmp_path / "s"), "--picture", tmp_path / "curve.png")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["tall"], "name what to score on"),
        ([], "name a detector"),
        (["tall", "--images", "."], "name a model with --reference"),
        (["tall", "--images", "nowhere", "--reference", "both"], "nowhere: cannot be read"),
        (["tall", "--scene", ".", "--min-visible", "2"], "is 0..1"),
        (["tall", "--scene", ".", "--every", "0"], "--every is 0"),
    ],
)
def test_a_call_that_cannot_be_scored_says_why(run, words, says):
    with pytest.raises(InputError, match=says):
        run(*words)


def test_a_folder_without_pictures_or_with_a_broken_one_is_told(run, tmp_path):
    with pytest.raises(InputError, match="holds no pictures"):
        run("tall", "--images", tmp_path, "--reference", "both")
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a\.jpg: is no picture"):
        run("tall", "--images", tmp_path, "--reference", "both")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"boxes": np.zeros((3, 4))}, r"boxes is \[3, 4\], \[12, 4\] is wanted"),
        ({"keypoints": None}, "keypoints"),
    ],
)
def test_labels_of_another_form_are_told(tmp_path, changes, says):
    write_labels(tmp_path / "labels.npz", **changes)
    with pytest.raises(InputError, match=says):
        load_labels(tmp_path / "labels.npz")


def test_broken_labels_are_told(tmp_path):
    (tmp_path / "labels.npz").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(InputError, match="cannot be read as labels"):
        load_labels(tmp_path / "labels.npz")


def test_labels_of_another_clip_are_told(run, tmp_path):
    scene = write_scene(tmp_path / "s", size=np.array([2 * SIZE[0], 2 * SIZE[1]]))
    with pytest.raises(InputError, match="the clip is 64x48, its labels are for 128x96"):
        run("tall", "--scene", scene)


GROUND_TRUTH = """\
1,1,10,10,20,60,1,1,1
1,2,50,10,20,60,0,8,1
1,3,80,10,20,60,1,1,0.2
1,4,10,80,20,20,0,3,1
"""
DETECTIONS = "1,-1,10,10,20,60,0.9\n1,-1,50,10,20,60,0.8\n1,-1,80,10,20,60,0.7\n2,-1,5,5,9,9,0.5\n"


def test_a_mot_sequence_has_regions_of_distractors_and_of_hidden_people(run, tmp_path):
    (tmp_path / "gt.txt").write_text(GROUND_TRUTH)
    (tmp_path / "det.txt").write_text(DETECTIONS)
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nimWidth=100\nimHeight=100\n")
    (first, people), (second, nobody) = mot_pairs(tmp_path, Filter(min_visible=0.4))
    assert people.ignored.tolist() == [False, True, True]  # the fourth is a car
    assert (len(first.boxes), len(second.boxes), nobody.count) == (3, 1, 0)
    (row,) = run("--mot", tmp_path, "--min-visible", 0.4).values()
    assert (row["people"], row["recall"], row["precision"]) == (1, 1, 0.5)


def test_the_real_sequences_are_read(data):
    pairs = list(mot_pairs(data / "mot" / "TUD-Campus", Filter()))
    assert len(pairs) == 71
    assert sum(people.count for _, people in pairs) == 359


def test_names_are_checked_before_anything_is_loaded():
    manifest = load()
    with pytest.raises(ModelError, match="name a detector first, as in yolox-nano"):
        open_candidates(["movenet-lightning-int8"], manifest, 1)
    with pytest.raises(ModelError, match="no model is called 'yolo'"):
        open_candidates(["yolox-nano", "yolo"], manifest, 1)
    with pytest.raises(ModelError, match="yolox-nano finds no joints"):
        open_candidates(["yolox-nano+yolox-nano"], manifest, 1)
    with pytest.raises(ModelError, match="at most one pose model"):
        open_candidates(["a+b+c"], manifest, 1)


def test_a_real_model_agrees_with_itself(data, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SHELFLIGHT_MODELS", str(data / "models"))
    photographs = sorted((data / "images").glob("*.jpg"))[:3]
    for path in photographs:
        (tmp_path / path.name).symlink_to(path)
    parser = argparse.ArgumentParser()
    detection.add_arguments(parser)
    words = ["yolox-nano", "--images", str(tmp_path), "--reference", "yolox-nano"]
    assert detection.main(parser.parse_args(words)) == 0
    assert "yolox-nano" in capsys.readouterr().out
