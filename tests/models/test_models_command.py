"""The command as an installer runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from edge_agent.manifest import load
from models.__main__ import main


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SHELFLIGHT_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def test_list_shows_every_model_and_that_none_is_here(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for entry in load().entries:
        assert entry.name in out
    built_in = sum(entry.built_in for entry in load().entries)
    assert built_in == 2
    assert out.count("missing") == len(load().entries) - built_in
    assert out.count("built in") == built_in


def test_list_as_json_tells_what_is_here_missing_and_wrong(folder, capsys, data):
    assert main(["pull", "--from", str(data / "models"), "yolox-nano"]) == 0
    (folder / "movenet-lightning-int8.tflite").write_bytes(b"other")
    capsys.readouterr()
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out.splitlines()[-1])
    states = {model["name"]: model["state"] for model in listed["models"]}
    assert states["yolox-nano"] == "here"
    assert states["movenet-lightning-int8"] == "wrong hash"
    assert listed["directory"] == str(folder)
    assert {model["task"] for model in listed["models"]} == {"detect", "pose", "both", "reach"}


def test_pull_from_a_mirror_takes_several_and_says_so_once_more(folder, capsys, data):
    names = ["yolox-nano", "movenet-lightning-int8"]
    assert main(["pull", "--from", str(data / "models"), *names]) == 0
    assert capsys.readouterr().out.count("is here now and right") == 2
    assert len(list(folder.iterdir())) == 2
    assert main(["pull", *names]) == 0
    assert capsys.readouterr().out.count("is already here and right") == 2
    for name in names:
        assert main(["verify", name]) == 0


def test_a_file_with_a_wrong_hash_is_refused_with_exit_1(folder, tmp_path, capsys):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "yolox-nano.onnx").write_bytes(b"other")
    assert main(["pull", "--from", str(mirror), "yolox-nano"]) == 1
    assert "refused" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_verify_exits_1_for_a_missing_and_for_a_wrong_file(folder, capsys):
    assert main(["verify", "yolox-nano"]) == 1
    assert "python -m models pull yolox-nano" in capsys.readouterr().err
    folder.mkdir()
    (folder / "yolox-nano.onnx").write_bytes(b"other")
    assert main(["verify", "yolox-nano"]) == 1
    assert "SHA-256" in capsys.readouterr().err


def test_an_unknown_name_exits_2_before_anything_is_fetched(folder, capsys, tmp_path):
    (tmp_path / "yolox-nano.onnx").write_bytes(b"other")
    assert main(["pull", "--from", str(tmp_path), "yolox-nano", "yolox-nan"]) == 2
    assert "known: yolox-nano" in capsys.readouterr().err
    assert main(["verify", "yolox-nan"]) == 2
    assert not folder.exists()


def test_help_names_the_commands_there_are():
    done = subprocess.run(
        [sys.executable, "-m", "models", "--help"], capture_output=True, text=True, check=True
    )
    words = ("list", "pull", "verify", "quantize", "evaluate", "bench", "scene", "train")
    for word in (*words, "SHELFLIGHT_MODELS", "--from DIR"):
        assert word in done.stdout
    bare = subprocess.run([sys.executable, "-m", "models"], capture_output=True, check=False)
    assert bare.returncode == 2


def test_a_pull_in_a_terminal_draws_a_bar(folder, data):
    """Rich draws for a terminal only; the variable makes it take the pipe for one."""
    done = subprocess.run(
        [sys.executable, "-m", "models", "pull", "--from", data / "models", "yolox-nano"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "FORCE_COLOR": "1", "TERM": "xterm"},
    )
    assert "yolox-nano" in done.stderr
    assert "3.7/3.7 MB" in done.stderr
    assert (folder / "yolox-nano.onnx").is_file()
