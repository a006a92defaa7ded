"""The command as an installer runs it, on the real model."""

from __future__ import annotations

import hashlib
import shutil

import cv2
import numpy as np
import pytest

from edge_agent.errors import InputError
from models.__main__ import main
from models.quantize.pictures import fingerprint, read_pictures


@pytest.fixture
def photos(tmp_path):
    path = tmp_path / "photos"
    path.mkdir()
    return path


def test_the_committed_recipe_makes_a_file_that_verifies_and_the_same_one_again(folder, capsys):
    assert main(["verify", "yolox-nano-int8"]) == 1
    assert "models quantize yolox-nano" in capsys.readouterr().err
    assert main(["quantize", "yolox-nano"]) == 0
    assert main(["verify", "yolox-nano-int8"]) == 0
    made = folder / "yolox-nano-int8.onnx"
    first = made.read_bytes()
    record = (folder / "yolox-nano-int8.onnx.sha256").read_text()
    assert record.split() == [hashlib.sha256(first).hexdigest(), made.name]
    assert len(first) < 2_000_000
    made.write_bytes(b"damaged")
    assert main(["verify", "yolox-nano-int8"]) == 1
    assert main(["quantize", "yolox-nano"]) == 0
    assert made.read_bytes() == first
    assert len(list(folder.iterdir())) == 3


def test_a_float_model_that_is_not_the_one_is_refused_before_anything_is_made(folder, capsys):
    (folder / "yolox-nano.onnx").write_bytes(b"other")
    assert main(["quantize", "yolox-nano"]) == 2
    assert "models pull yolox-nano" in capsys.readouterr().err
    assert len(list(folder.iterdir())) == 1


def test_a_model_without_a_recipe_or_of_another_runtime_is_refused(folder, capsys, data):
    shutil.copy(data / "models" / "movenet-lightning-int8.tflite", folder)
    assert main(["quantize", "movenet-lightning-int8"]) == 2
    assert "only .onnx models" in capsys.readouterr().err


def test_a_folder_without_pictures_is_a_wrong_call_and_leaves_nothing(folder, photos, capsys):
    assert main(["quantize", "yolox-nano", "--images", str(photos)]) == 2
    assert "holds no picture that can be used" in capsys.readouterr().err
    assert main(["quantize", "yolox-nano", "--images", str(photos / "nowhere")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert [one.name for one in folder.iterdir()] == ["yolox-nano.onnx"]


def test_folds_need_pictures_and_as_many_of_them(folder, photos, capsys):
    assert main(["quantize", "yolox-nano", "--folds", "5"]) == 2
    assert "--folds needs --images" in capsys.readouterr().err
    cv2.imwrite(str(photos / "one.png"), np.zeros((8, 8, 3), np.uint8))
    assert main(["quantize", "yolox-nano", "--images", str(photos), "--folds", "5"]) == 2
    assert "2..1 is allowed" in capsys.readouterr().err


def test_pictures_that_do_not_open_are_named_and_skipped(photos, capsys):
    for name in ("b.png", "a.png"):
        cv2.imwrite(str(photos / name), np.full((8, 12, 3), 7, np.uint8))
    (photos / "broken.jpg").write_bytes(b"no picture")
    (photos / "notes.txt").write_text("no picture either")
    found = read_pictures(photos)
    assert [one.path.name for one in found] == ["a.png", "b.png"]
    assert (found[0].frame.width, found[0].frame.height) == (12, 8)
    assert "broken.jpg: does not open" in capsys.readouterr().err
    (photos / "a.png").unlink()
    (photos / "b.png").unlink()
    with pytest.raises(InputError, match="1 that do not open"):
        read_pictures(photos)


def test_the_fingerprint_is_of_contents_in_order(photos):
    cv2.imwrite(str(photos / "a.png"), np.zeros((8, 8, 3), np.uint8))
    first = fingerprint(read_pictures(photos))
    assert fingerprint(read_pictures(photos)) == first
    cv2.imwrite(str(photos / "b.png"), np.zeros((8, 8, 3), np.uint8))
    assert fingerprint(read_pictures(photos)) != first
