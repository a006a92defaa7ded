"""A library that runs models tells nobody of it: it writes no file of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_models import write_onnx

# The library says nothing where it takes the machine for a test's.
_SILENT = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME")
_TREE = Path(__file__).parents[2]


def files_after(tmp_path, *imports):
    """What is in an empty home after a model was opened."""
    home = tmp_path / "home"
    home.mkdir()
    model = write_onnx(tmp_path / "tiny.onnx", (1, 3, 8, 8))
    code = f"{''.join(imports)}import onnxruntime; onnxruntime.InferenceSession({str(model)!r})"
    environ = {key: value for key, value in os.environ.items() if key not in _SILENT}
    subprocess.run(
        (sys.executable, "-c", code), check=True, timeout=60,
        env={**environ, "HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(_TREE)},
    )  # fmt: skip
    return [path.name for path in home.rglob("*") if path.is_file()]


@pytest.mark.parametrize("package", ["edge_agent", "models"])
def test_a_model_that_is_run_leaves_no_trace_of_it(tmp_path, package):
    assert files_after(tmp_path, f"import {package};") == []
