"""`models evaluate KIND`: the kinds, each loaded only when asked for."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from models.evaluate import command


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.main(parser.parse_args(words))


@pytest.mark.parametrize("kind", ["detection", "keypoints", "dwell"])
def test_each_kind_has_help_with_examples(kind, capsys):
    with pytest.raises(SystemExit) as done:
        run(kind, "--help")
    assert done.value.code == 0
    out = capsys.readouterr().out
    assert f"python -m models evaluate {kind}" in out
    assert "examples:" in out


def test_an_unknown_kind_is_a_wrong_call(capsys):
    with pytest.raises(SystemExit) as done:
        run("beauty")
    assert done.value.code == 2
    assert "dwell" in capsys.readouterr().err


def test_the_overview_loads_no_kind():
    code = (
        "import sys, models.evaluate.command\n"
        "print([name for name in ('numpy', 'cv2', 'matplotlib', 'onnxruntime')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
