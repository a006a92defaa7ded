"""The bench measures what a unit does, and its parts add up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edge_agent.bench.bench import _Tap

SITE = Path(__file__).parents[1] / "sites" / "table-visits.yaml"


def last_line(words, **env):
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", *map(str, words)],
        capture_output=True, text=True, timeout=120, env={**os.environ, **env},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_stages_add_up_to_the_frame_and_a_frame_is_more_than_its_models(data, tmp_path, ffmpeg):
    clip = tmp_path / "cut.mp4"
    source = data / "footage/table-visits.mp4"
    cut = ("-ss", "5", "-i", str(source), "-t", "6", "-an", str(clip))
    subprocess.run((ffmpeg, "-y", "-loglevel", "error", *cut), check=True, timeout=60)
    words = ("bench", clip, "--site", SITE, "--rounds", "3", "--json")
    report = last_line(words, SHELFLIGHT_MODELS=str(data / "models"))
    assert report["frames"] == 30
    assert 10 < report["detected"] < 30
    for key in ("frame_ms", "inference_ms", "overhead"):
        assert 0 < report[key]["p50"] <= report[key]["p95"]
    assert report["frame_ms"]["p50"] > report["inference_ms"]["p50"]
    # A loose bound for a busy machine; `make bench` is for the figure.
    assert report["overhead"]["p50"] < 1.3
    stages = sum(report["stages_ms"].values())
    assert stages == pytest.approx(report["frame_ms"]["p50"], rel=0.02)
    assert 50 < report["rss_mb"] < 400
    assert 0 < report["startup_s"] < 20


def test_a_tap_keeps_what_a_model_was_given_and_runs_it_again_without_itself():
    given = []

    def runtime(tensor):
        given.append(float(tensor[0]))
        return [tensor * 2]

    model, kept = SimpleNamespace(runtime=runtime), []
    tap = _Tap(model, kept)
    tensor = np.array([3.0])
    assert model.runtime(tensor)[0].tolist() == [6]
    tensor[0] = 4.0
    assert (len(kept), given) == (1, [3])
    assert kept[0]()[0].tolist() == [6]
    assert (len(kept), given) == (1, [3, 3])
    tap.remove()
    assert model.runtime is runtime


def test_the_uplink_is_small_and_has_no_picture_library():
    report = last_line(("footprint", "--rounds", "1", "--json"))
    assert report["uplink"]["libraries"] == []
    assert report["uplink"]["rss_mb"] < 60
    assert report["vision"]["libraries"] == ["numpy", "cv2"]
    assert report["vision"]["rss_mb"] < 110
