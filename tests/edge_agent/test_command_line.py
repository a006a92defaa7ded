"""The unit's commands: help that an installer understands, errors that say what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from walkers import record

SITE = Path(__file__).parents[1] / "sites" / "table-visits.yaml"


def agent(*words, **more):
    return subprocess.run(
        (sys.executable, "-m", "edge_agent", *map(str, words)),
        capture_output=True, text=True, timeout=60, **more,
    )  # fmt: skip


def test_help_lists_what_there_is_and_no_more():
    done = agent("--help")
    assert done.returncode == 0
    for name in ("check", "vision", "uplink", "run", "replay", "track", "bench"):
        assert f"    {name} " in done.stdout
    for later in ("status",):
        assert f"    {later} " not in done.stdout


def test_nothing_at_all_shows_the_help():
    assert "usage" in agent().stdout


def test_an_unknown_command_is_told():
    done = agent("florble")
    assert done.returncode == 2
    assert "florble" in done.stderr


@pytest.mark.parametrize("name", ["check", "vision", "uplink", "run", "replay", "track", "bench"])
def test_each_command_explains_itself(name):
    done = agent(name, "--help")
    assert done.returncode == 0, done.stderr
    assert f"python -m edge_agent {name}" in done.stdout


def test_check_says_a_sound_file_is_sound():
    done = agent("check", "--site", SITE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "table-cam is sound" in done.stdout


def test_check_and_uplink_refuse_a_key_that_others_may_read(tmp_path):
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nsecret\n")
    (tmp_path / "key.pem").chmod(0o644)
    path = tmp_path / "site.yaml"
    path.write_text(
        "unit: {id: a}\nzones: [{name: z, floor: [[0, 0], [1, 0], [1, 1]]}]\n"
        'uplink: {broker: "mqtts://127.0.0.1:9", key: key.pem}\n'
    )
    for words in (("check",), ("uplink", "--state", tmp_path / "state")):
        done = agent(*words, "--site", path)
        assert done.returncode == 2, done.stderr
        assert f"{path}: 1 mistake\n  uplink.key: " in done.stderr
        assert "others may read (mode 644); chmod o= " in done.stderr
        assert "secret" not in done.stderr
    assert not (tmp_path / "state").exists()


def test_check_tells_every_mistake_and_exits_2(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text("unit: {id: a b}\ncamera: {fsp: 5}\nzones: [{name: z, floor: [[0, 0]]}]\n")
    done = agent("check", "--site", path)
    assert done.returncode == 2
    assert "3 mistakes" in done.stderr
    for key in ("unit.id", "camera.fsp", "zones[0].floor"):
        assert key in done.stderr
    assert "Traceback" not in done.stderr


def test_a_site_without_models_gets_as_far_as_its_clip_with_the_built_in_one(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text("unit: {id: a}\ncamera: {path: clip.mp4}\nzones: [{name: z}]\n")
    nothing = {"SHELFLIGHT_MODELS": str(tmp_path / "empty")}
    done = agent("replay", "clip.mp4", "--site", path, env=nothing)
    assert done.returncode == 2
    assert "clip.mp4 does not exist" in done.stderr
    assert "model" not in done.stderr


def test_a_missing_model_says_how_to_get_it(tmp_path):
    done = agent("replay", "clip.mp4", "--site", SITE, env={"SHELFLIGHT_MODELS": str(tmp_path)})
    assert done.returncode == 2
    assert "python -m models pull yolox-nano" in done.stderr


def test_a_model_with_a_wrong_hash_is_refused(tmp_path):
    (tmp_path / "yolox-nano.onnx").write_bytes(b"something else")
    done = agent("replay", "clip.mp4", "--site", SITE, env={"SHELFLIGHT_MODELS": str(tmp_path)})
    assert done.returncode == 2
    assert "yolox-nano" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_recording_is_told(tmp_path, data):
    env = {"SHELFLIGHT_MODELS": str(data / "models")}
    done = agent("replay", tmp_path / "no.mp4", "--site", SITE, env=env)
    assert done.returncode == 2
    assert "no.mp4" in done.stderr


def test_vision_by_command_counts_a_recording_and_ends(tmp_path):
    clip = record(tmp_path / "walk.jsonl", 30)
    path = tmp_path / "site.yaml"
    path.write_text(
        f"unit: {{id: a}}\ncamera: {{source: recorded, path: {clip}, pace: 0}}\n"
        "zones: [{name: z, floor: [[0.4, 0.5], [0.8, 0.5], [0.8, 1], [0.4, 1]]}]\n"
        "privacy: {k: 1, window_s: 10}\n"
    )
    done = agent("vision", "--site", path, "--state", tmp_path, "--records", tmp_path / "r.jsonl")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 3


def test_vision_by_command_keeps_no_picture_and_says_where_one_lies(tmp_path):
    clip = record(tmp_path / "walk.jsonl", 30)
    path = tmp_path / "site.yaml"
    # As it was filmed for a while: until a sweep is over.
    path.write_text(
        f"unit: {{id: a}}\ncamera: {{source: recorded, path: {clip}, pace: 5}}\n"
        "zones: [{name: z, floor: [[0.4, 0.5], [0.8, 0.5], [0.8, 1], [0.4, 1]]}]\n"
    )
    (tmp_path / "debug-0001").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = agent("vision", "--site", path, "--state", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "debug-0001' holds a picture or a film (PNG)" in done.stderr
    told = json.loads((tmp_path / "vision.health.json").read_text())["troubles"]
    assert "retained_image" in told
    assert "core_dumps_on" not in told


def test_the_uplink_process_never_loads_a_picture_library():
    code = (
        "import sys, edge_agent.__main__, edge_agent.services.uplink;"
        "print([m for m in ('numpy', 'cv2', 'onnxruntime', 'edge_agent.camera',"
        " 'edge_agent.observations') if m in sys.modules])"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("fps", ["-5", "0", "nan", "1000"])
def test_a_rate_that_makes_no_sense_is_refused(tmp_path, data, fps):
    env = {"SHELFLIGHT_MODELS": str(data / "models")}
    clip = data / "footage/store-aisle.mp4"
    done = agent("replay", clip, "--site", SITE, "--fps", fps, env=env)
    assert done.returncode == 2
    assert "0.2..60 is allowed" in done.stderr


@pytest.mark.parametrize("option", ["--events", "--records"])
def test_a_place_that_cannot_be_written_is_told(tmp_path, data, option):
    env = {"SHELFLIGHT_MODELS": str(data / "models")}
    clip = data / "footage/store-aisle.mp4"
    done = agent("replay", clip, "--site", SITE, option, tmp_path / "no/where.jsonl", env=env)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_knows_the_models(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text("unit: {id: a}\nmodels: {detector: yolo}\nzones: [{name: z}]\n")
    done = agent("check", "--site", path)
    assert done.returncode == 2
    assert "models.detector: is 'yolo'; allowed:" in done.stderr


def test_check_knows_what_looks_closely_and_that_nothing_need(tmp_path):
    path = tmp_path / "site.yaml"
    for name, said in (("shelflight-reach", 0), ("none", 0), ("yolo", 2)):
        path.write_text(f"unit: {{id: a}}\nmodels: {{reach: {name}}}\nzones: [{{name: z}}]\n")
        done = agent("check", "--site", path)
        assert done.returncode == said
    assert "models.reach: is 'yolo'; allowed:" in done.stderr


def test_check_says_how_small_counts_are_told(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text("unit: {id: a}\nzones: [{name: z}]\nprivacy: {k: 5}\n")
    done = agent("check", "--site", path)
    assert done.returncode == 0
    assert "fewer than 5 visits" in done.stdout


def test_a_second_signal_cannot_interrupt_the_first():
    code = (
        "import signal, edge_agent.__main__ as main;"
        "stop = main._stop_on_signal();"
        "signal.raise_signal(signal.SIGTERM);"
        "handlers = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)];"
        "print(stop.is_set(), handlers == [signal.SIG_IGN] * 2)"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["True", "True"], done.stderr
