"""Trials in turns, each judged by its reference; and the whole command on real models."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from evaluate_world import joints, write_clip
from tiny_models import entry, write_onnx

from edge_agent.config import RuntimeConfig, Tflite
from edge_agent.config.device import load_device
from edge_agent.errors import InputError
from edge_agent.manifest import Task, load
from models.bench import command, inputs, measure, worker
from models.bench.trial import Family, Trial
from models.evaluate.matching import Found

A, B = (0.1, 0.1, 0.3, 0.9), (0.6, 0.1, 0.8, 0.9)
SIZES = [(100, 100), (100, 100)]


def saw(*boxes, off=None):
    points = None
    if off is not None:
        points = np.array([joints(box) for box in boxes]).reshape(-1, 17, 3)
        points[:, :, 0] += off
    return Found(np.array(boxes).reshape(-1, 4), np.full(len(boxes), 0.9), points)


def family(*threads, task=Task.DETECT):
    return Family(
        replace(entry(), name="big", task=task),
        tuple(Trial("big", RuntimeConfig(count)) for count in threads),
    )


class Stage:
    """Stands in for the processes: plays a part for each thread count."""

    def __init__(self, parts):
        self.parts = parts
        self.order = []

    def __call__(self, trial, pictures, results):
        threads = trial.runtime.threads
        self.order.append(threads)
        found, ms = self.parts[threads]
        if isinstance(found, str):
            return {"error": found}
        if results is not None:
            worker.save(results, found)
        return {"ms": ms, "cpu_ms": 2 * ms[0], "rss_mb": 80.0 + len(self.order), "name": "x"}


def measured(stage, tmp_path, some, rounds=2, ticks=None):
    tick = (lambda: ticks.append(1)) if ticks is not None else (lambda: None)
    return measure.measure(some, tmp_path / "p.npz", SIZES, rounds, tmp_path, tick, stage)


def test_trials_run_in_turns_and_medians_are_told(tmp_path):
    stage = Stage({1: ([saw(A), saw(B)], [10.0, 30.0]), 2: ([saw(A), saw(B)], [5.0, 7.0])})
    ticks = []
    one, two = measured(stage, tmp_path, family(1, 2), rounds=2, ticks=ticks)
    assert stage.order == [1, 2, 1, 2]
    assert len(ticks) == 4
    assert (one.ms, two.ms, one.cpu_ms, one.rss_mb) == (20, 6, 20, 83)
    assert one.p95_ms == 30
    assert (one.accuracy, two.accuracy) == (1, 1)


def test_accuracy_is_the_lesser_of_recall_and_precision_against_the_reference(tmp_path):
    both, half, wild = (
        [saw(A, B), saw(A, B)],
        [saw(A), saw(A, B)],
        [saw(A, B), saw(A, B, (0, 0, 1, 1))],
    )
    stage = Stage({1: (both, [1.0]), 2: (half, [1.0]), 3: (wild, [1.0])})
    results = measured(stage, tmp_path, family(1, 2, 3))
    assert [one.accuracy for one in results] == [1, 0.75, 0.8]


def test_joints_are_judged_too_where_a_model_finds_them(tmp_path):
    right, off = [saw(A, off=0.0), saw(B, off=0.0)], [saw(A, off=0.0), saw(B, off=0.5)]
    stage = Stage({1: (right, [1.0]), 2: (off, [1.0])})
    for task in (Task.POSE, Task.BOTH):
        _, other = measured(stage, tmp_path, family(1, 2, task=task))
        assert other.accuracy == 0.5


def test_a_trial_that_fails_is_told_and_not_run_again(tmp_path):
    stage = Stage({1: ([saw(A)] * 2, [1.0]), 2: ("crashed with signal 11", [])})
    one, two = measured(stage, tmp_path, family(1, 2))
    assert stage.order == [1, 2, 1]
    assert (one.error, two.error, two.accuracy) == (None, "crashed with signal 11", None)


def test_without_a_reference_nothing_can_be_judged(tmp_path):
    stage = Stage({1: ("no driver", []), 2: ([saw(A)] * 2, [1.0])})
    assert [one.accuracy for one in measured(stage, tmp_path, family(1, 2))] == [None, None]


def test_a_process_that_dies_or_refuses_is_an_error_in_words(tmp_path, monkeypatch):
    trial = Trial("big", RuntimeConfig(1))
    python = worker.words(trial, tmp_path, None)[0]
    dying = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.setattr(worker, "words", lambda *_: [python, "-c", dying])
    assert measure.run(trial, tmp_path, None) == {"error": "crashed with signal 11"}
    monkeypatch.setattr(worker, "words", lambda *_: [python, "-c", "raise SystemExit('no memory')"])
    assert measure.run(trial, tmp_path, None) == {"error": "no memory"}


def test_a_model_that_cannot_be_loaded_is_one_line_of_json(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SHELFLIGHT_MODELS", str(tmp_path))
    write_onnx(tmp_path / "yolox-nano.onnx", (1, 3, 4, 5), operator="Frobnicate")
    asked = worker.words(Trial("yolox-nano", RuntimeConfig(1)), tmp_path, None)[-1]
    assert worker.main([asked]) == 0
    assert "Frobnicate" in json.loads(capsys.readouterr().out)["error"]


def test_inputs_come_back_as_they_were_saved(tmp_path):
    image = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    inputs.save(
        tmp_path / "p.npz",
        [inputs.Input(image, np.array([A])), inputs.Input(image, inputs.NO_BOXES)],
    )
    first, second = inputs.load(tmp_path / "p.npz")
    assert (first.image == image).all()
    assert first.boxes.tolist() == [list(A)]
    assert second.boxes.shape == (0, 4)
    assert (first.frame.width, first.frame.height) == (8, 6)


def test_pictures_are_spread_over_what_is_named(tmp_path, data):
    clip = data / "footage" / "store-aisle.mp4"
    assert len(list(inputs.pictures(None, clip, 5))) == 5
    with pytest.raises(InputError, match="holds no pictures"):
        list(inputs.pictures(tmp_path, None, 5))


def test_without_a_source_the_built_in_scene_is_made(tmp_path, monkeypatch):
    asked = []

    def render(words, **_):
        asked.append(words[3:-1])
        write_clip(Path(words[-1]) / "clip.mp4")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(inputs.subprocess, "run", render)
    assert len(list(inputs.pictures(None, None, 4))) == 4
    assert asked == [("scene", "--seed", "3", "--seconds", "12", "--out")]
    failing = SimpleNamespace(returncode=2, stderr="error: no space left")
    monkeypatch.setattr(inputs.subprocess, "run", lambda *_, **__: failing)
    with pytest.raises(InputError, match=r"cannot be made \(error: no space left\); name pictures"):
        list(inputs.pictures(None, None, 4))


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.main(parser.parse_args([*map(str, words)]))


@pytest.fixture
def folder(data, tmp_path, monkeypatch):
    """The real models in a folder that can be written."""
    models = tmp_path / "models"
    models.mkdir()
    for path in (data / "models").iterdir():
        (models / path.name).symlink_to(path)
    monkeypatch.setenv("SHELFLIGHT_MODELS", str(models))
    return models


def test_the_command_measures_real_models_and_writes_the_best(data, folder, capsys):
    clip = data / "footage" / "table-visits.mp4"
    words = ("--clip", clip, "--count", 3, "--rounds", 1, "--threads", 1, "--write", "--json")
    assert run("--models", "yolox-nano", "movenet-lightning-int8", *words) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    ways = {(row["model"], row["tflite"]): row for row in told["results"]}
    detector = ways["yolox-nano", None]
    assert detector["accuracy"] == 1
    assert detector["ms"] > 0
    assert detector["rss_mb"] > 30
    assert ways["movenet-lightning-int8", "litert"]["error"] is None
    written = load_device(folder / "device.yaml").models
    assert written["yolox-nano"].runtime == RuntimeConfig(1)
    assert written["movenet-lightning-int8"].runtime.tflite is Tflite.LITERT


def test_pictures_without_people_cannot_be_judged(folder, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "grey.png"), np.full((64, 64, 3), 128, np.uint8))
    with pytest.raises(InputError, match="finds nobody in the pictures"):
        run("--models", "yolox-nano", "--images", tmp_path)


def test_with_no_model_here_the_command_says_what_to_pull(tmp_path, monkeypatch):
    monkeypatch.setenv("SHELFLIGHT_MODELS", str(tmp_path))
    with pytest.raises(InputError, match=r"nothing to measure:\n.*models pull yolox-nano"):
        run("--models", "yolox-nano")


def test_a_close_look_is_not_measured():
    with pytest.raises(InputError, match="shelflight-reach is not measured"):
        run("--models", "shelflight-reach")


def test_what_is_measured_unless_said_otherwise_finds_people_or_joints(tmp_path):
    args = argparse.Namespace(models=None, site=None)
    names = command._names(args, load())
    assert {"shelflight-nano", "movenet-lightning-int8"} <= set(names)
    assert "shelflight-reach" not in names
    args.site = tmp_path / "site.yaml"
    args.site.write_text("unit: {id: a}\nzones: [{name: z}]\n")
    assert command._names(args, load()) == ["shelflight-nano"]


@pytest.mark.parametrize("words", [("--count", 0), ("--rounds", 0), ("--keep", 2)])
def test_numbers_out_of_range_are_told(words):
    with pytest.raises(InputError, match="1 or more, --keep is"):
        run(*words)
