"""Agreement of two detectors, and their times."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from models.__main__ import main
from models.evaluate.agreement import Agreement, agreement, time_in_turn
from models.evaluate.matching import Found


def found(*boxes: tuple[float, float, float, float, float]) -> Found:
    rows = np.array(boxes, np.float64).reshape(-1, 5)
    return Found(rows[:, 1:], rows[:, 0])


ONE = (0.9, 0.0, 0.0, 0.2, 0.4)
OTHER = (0.8, 0.5, 0.5, 0.7, 0.9)
FAINT = (0.2, 0.8, 0.0, 0.9, 0.2)


def test_the_same_boxes_agree():
    same = agreement(found(ONE, OTHER), found(ONE, OTHER))
    assert (same.recall, same.precision) == (1, 1)


def test_a_missed_box_costs_recall_and_a_new_one_precision():
    missed = agreement(found(ONE, OTHER), found(ONE))
    assert (missed.recall, missed.precision) == (0.5, 1)
    new = agreement(found(ONE), found(ONE, OTHER))
    assert (new.recall, new.precision) == (1, 0.5)


def test_boxes_below_the_score_are_none():
    assert agreement(found(ONE, FAINT), found(ONE)).recall == 1
    assert agreement(found(ONE), found(ONE, FAINT)).precision == 1


def test_a_box_matches_once():
    twice = agreement(found(ONE), found(ONE, (0.5, *ONE[1:])))
    assert (twice.matched, twice.found, twice.precision) == (1, 2, 0.5)


def test_a_box_that_moved_by_half_its_width_does_not_match():
    moved = (0.9, 0.1, 0.0, 0.3, 0.4)
    assert agreement(found(ONE), found(moved)).matched == 0


def test_pictures_are_pooled():
    total = Agreement(1, 2, 1) + Agreement(3, 3, 4)
    assert (total.recall, total.precision) == (0.8, 0.8)
    assert Agreement(0, 0, 0).recall == Agreement(0, 0, 0).precision == 1


def test_both_are_timed_in_turn_and_who_is_first_changes():
    called: list[str] = []
    clock = iter(range(100))
    pairs = time_in_turn(
        lambda: called.append("a"), lambda: called.append("b"), 3, now=lambda: float(next(clock))
    )
    assert called == ["a", "b", "b", "a", "a", "b"]
    assert pairs == [(1, 1)] * 3


@pytest.fixture
def photos(tmp_path, data):
    path = tmp_path / "photos"
    path.mkdir()
    for one in sorted((data / "images").glob("*.jpg"))[:10]:
        shutil.copy(one, path)
    return path


def test_the_quantized_model_agrees_with_the_float_one_in_less_time(folder, photos, capsys):
    """The floor is below the card's figures: ten pictures, and whatever else the machine does."""
    assert main(["quantize", "yolox-nano"]) == 0
    words = ["evaluate", "agreement", "yolox-nano-int8", "--reference", "yolox-nano"]
    assert main([*words, "--images", str(photos), "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["recall"] >= 0.9
    assert said["precision"] >= 0.9
    assert 0 < said["time_ratio"] < 0.95
    assert said["images"] == 10


def test_a_model_agrees_with_itself(folder, photos, capsys):
    words = ["evaluate", "agreement", "yolox-nano", "--reference", "yolox-nano"]
    assert main([*words, "--images", str(photos), "--rounds", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["recall"], said["precision"]) == (1, 1)


def test_a_wrong_call_is_told(folder, photos, capsys):
    words = ["evaluate", "agreement", "yolox-nano", "--images", str(photos), "--reference"]
    assert main([*words, "nobody"]) == 2
    assert "no model is called 'nobody'" in capsys.readouterr().err
    assert main([*words, "movenet-lightning-int8"]) == 2
    assert "finds no people" in capsys.readouterr().err
    assert main([*words, "yolox-nano", "--rounds", "0"]) == 2
    assert "--rounds is 0" in capsys.readouterr().err
