"""A sweep finds every picture below its folders, follows nothing out of them, stops at nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.retention import sweep as module
from edge_agent.retention.sweep import main, sweep

JPEG = cv2.imencode(".jpg", np.zeros((32, 32, 3), np.uint8))[1].tobytes()


def test_pictures_are_counted_and_named_with_their_kind(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "core.tmp").write_bytes(JPEG)
    (tmp_path / "outbox.db").write_bytes(b"SQLite format 3\0")
    found = sweep([tmp_path])
    assert (found.files, found.pictures, found.whole) == (2, 1, True)
    assert found.told == ((str(tmp_path / "a" / "b" / "core.tmp"), "JPEG"),)


def test_a_picture_across_two_parts_of_a_long_file_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PART", 4096)
    for cut in range(1, 12):
        (tmp_path / f"log-{cut}").write_bytes(b"x" * (4096 - cut) + JPEG)
    assert sweep([tmp_path]).pictures == 11


def test_the_recording_that_is_played_is_spared_and_nothing_beside_it(tmp_path):
    for name in ("clip", "other"):
        (tmp_path / name).write_bytes(JPEG)
    found = sweep([tmp_path], [tmp_path / "clip", tmp_path / "gone"])
    assert [path for path, _ in found.told] == [str(tmp_path / "other")]


def test_another_file_system_below_a_folder_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / "picture").write_bytes(JPEG)
    (tmp_path / "picture").write_bytes(JPEG)
    entries = module._entries

    def elsewhere(folder):
        for path, found in entries(folder):
            moved = path.name == "mounted"
            yield path, os.stat_result((*found[:2], found.st_dev + moved, *found[3:]))

    monkeypatch.setattr(module, "_entries", elsewhere)
    assert [path for path, _ in sweep([tmp_path]).told] == [str(tmp_path / "picture")]


def test_a_file_that_became_a_link_meanwhile_is_not_followed(tmp_path):
    (tmp_path / "picture").write_bytes(JPEG)
    (tmp_path / "link").symlink_to(tmp_path / "picture")
    with pytest.raises(OSError, match="symbolic links"):
        module._open(tmp_path / "link")


def test_links_and_pipes_are_left_alone(tmp_path):
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    state.mkdir()
    elsewhere.mkdir()
    (elsewhere / "picture").write_bytes(JPEG)
    (state / "link").symlink_to(elsewhere / "picture")
    (state / "folder").symlink_to(elsewhere)
    os.mkfifo(state / "pipe")
    assert sweep([state]).files == 0


def test_what_is_named_twice_is_looked_at_once(tmp_path):
    (tmp_path / "a").write_bytes(JPEG)
    os.link(tmp_path / "a", tmp_path / "b")
    assert sweep([tmp_path, tmp_path, tmp_path / "a"]).files == 1


def test_a_folder_that_is_gone_or_closed_does_not_end_the_sweep(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(JPEG)
    (tmp_path / "b").write_bytes(JPEG)
    opened = module._open

    def refused(path):
        if path.name == "a":
            raise PermissionError
        return opened(path)

    monkeypatch.setattr(module, "_open", refused)
    assert sweep([tmp_path / "gone", tmp_path]).pictures == 1


def test_a_sweep_is_bounded_and_says_that_it_left_something_out(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_FILES", 3)
    monkeypatch.setattr(module, "TOLD", 2)
    for number in range(5):
        (tmp_path / str(number)).write_bytes(JPEG)
    found = sweep([tmp_path])
    assert (found.pictures, len(found.told), found.whole) == (3, 2, False)


def test_the_time_of_the_last_reading_is_not_written(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(JPEG)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    sweep([tmp_path])
    assert path.stat().st_atime == 1_000_000_000


@pytest.mark.parametrize("name", ["picture", "new\nline", os.fsdecode(b"\xff\xfe")])
def test_the_command_prints_one_object_whatever_a_file_is_called(tmp_path, name):
    (tmp_path / name).write_bytes(JPEG)
    words = (sys.executable, "-m", "edge_agent.retention.sweep", str(tmp_path))
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=60, cwd=Path(module.__file__).parents[2]
    )
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["told"] == [[str(tmp_path / name), "JPEG"]]


def test_the_command_wants_a_folder(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "folders" in capsys.readouterr().err
