"""What can be wrong in a call of `models train` is told before any work."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from models.__main__ import main


def call(capsys, *words: str) -> str:
    assert main(["train", *words]) == 2
    return capsys.readouterr().err


def test_a_recipe_with_an_unknown_key_is_refused(tmp_path, capsys):
    (tmp_path / "recipe.yaml").write_text("seed: 1\nspeed: 3\n")
    err = call(capsys, "--out", str(tmp_path / "out"), "--recipe", str(tmp_path / "recipe.yaml"))
    assert "seed, images, epochs, small, batch, rate, decay" in err


@pytest.mark.parametrize("line", ["epochs: many", "epochs: -1", "epochs: true"])
def test_a_recipe_with_a_value_that_makes_no_sense_is_refused(line, tmp_path, capsys):
    (tmp_path / "recipe.yaml").write_text(line)
    err = call(capsys, "--out", str(tmp_path / "out"), "--recipe", str(tmp_path / "recipe.yaml"))
    assert "epochs is" in err


def test_teacher_and_footage_belong_together(tmp_path, capsys):
    err = call(capsys, "--out", str(tmp_path / "out"), "--teacher", "a+b")
    assert "--teacher and --footage belong together" in err
    assert not (tmp_path / "out").exists()


def test_cuda_that_is_not_there_is_no_silent_fall_back(tmp_path, capsys):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is an accelerator")
    err = call(capsys, "--out", str(tmp_path / "out"), "--device", "cuda")
    assert "PyTorch sees no accelerator" in err
