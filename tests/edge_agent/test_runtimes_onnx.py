from __future__ import annotations

import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from tiny_models import entry, input_spec, write_onnx

from edge_agent.errors import ModelError
from edge_agent.manifest import Axes, load, model_path
from edge_agent.runtimes import open_runtime

SPEC = input_spec(4, 5)


@pytest.fixture
def tiny(tmp_path):
    return write_onnx(tmp_path / "tiny.onnx", SPEC.shape)


def test_a_model_runs_and_says_what_it_runs_on(tiny, caplog):
    caplog.set_level(logging.INFO)
    runtime = open_runtime(entry(SPEC), tiny, threads=1)
    tensor = np.arange(60, dtype=np.float32).reshape(SPEC.shape)
    (output,) = runtime(tensor)
    np.testing.assert_array_equal(output, tensor)
    assert (runtime.input_shape, runtime.input_dtype) == (SPEC.shape, "float32")
    assert runtime.taken == ("cpu",)
    assert runtime.name.startswith("onnxruntime ")
    assert "runs on cpu" in caplog.text


def test_outputs_are_the_callers_own(tiny):
    runtime = open_runtime(entry(SPEC), tiny, threads=1)
    (first,) = runtime(np.zeros(SPEC.shape, np.float32))
    runtime(np.ones(SPEC.shape, np.float32))
    assert not first.any()


@pytest.mark.parametrize("providers", [("cuda",), ("tensorrt", "cpu"), ("Cuda", "CPU")])
def test_a_provider_that_is_not_there_is_an_error_not_a_slow_path(tiny, providers):
    with pytest.raises(ModelError, match=r"ExecutionProvider; available: .*cpu"):
        open_runtime(entry(SPEC), tiny, threads=1, providers=providers)


def test_an_accelerator_that_cannot_take_the_whole_model_is_an_error(tiny):
    """The Azure provider is in every wheel and takes no operator: the processor is not asked."""
    with pytest.raises(ModelError, match="cannot load"):
        open_runtime(entry(SPEC), tiny, threads=1, providers=("AzureExecutionProvider",))


def test_the_processor_may_help_where_it_is_named(tiny):
    providers = ("AzureExecutionProvider", "cpu")
    runtime = open_runtime(entry(SPEC), tiny, threads=1, providers=providers)
    assert runtime.taken == providers


def test_a_file_that_is_no_model_is_an_error(tmp_path):
    path = tmp_path / "noise.onnx"
    path.write_bytes(b"\x00noise" * 100)
    with pytest.raises(ModelError, match=r"cannot load .*noise.onnx"):
        open_runtime(entry(SPEC), path, threads=1)
    with pytest.raises(ModelError, match="cannot load"):
        open_runtime(entry(SPEC), tmp_path / "nowhere.onnx", threads=1)


def test_an_unknown_operator_is_an_error_that_names_it(tmp_path):
    path = write_onnx(tmp_path / "odd.onnx", SPEC.shape, operator="Frobnicate")
    with pytest.raises(ModelError, match="Frobnicate"):
        open_runtime(entry(SPEC), path, threads=1)


def test_an_input_that_is_not_the_manifests_is_an_error_with_both(tmp_path):
    path = write_onnx(tmp_path / "tiny.onnx", (1, 3, 8, 8))
    with pytest.raises(ModelError) as caught:
        open_runtime(entry(SPEC), path, threads=1)
    assert "float32 [1, 3, 8, 8]" in str(caught.value)
    assert "float32 [1, 3, 4, 5]" in str(caught.value)
    with pytest.raises(ModelError, match="the manifest says"):
        open_runtime(entry(input_spec(4, 5, Axes.NHWC)), path, threads=1)


def test_no_threads_and_an_unknown_suffix_are_errors(tmp_path, tiny):
    with pytest.raises(ModelError, match="threads is 0"):
        open_runtime(entry(SPEC), tiny, threads=0)
    with pytest.raises(ModelError, match=r"allowed: \.onnx, \.tflite"):
        open_runtime(entry(SPEC), tmp_path / "model.pt", threads=1)


def test_the_real_detector_runs_quietly(data, capfd):
    model = load().get("yolox-nano")
    runtime = open_runtime(model, model_path(model, data / "models"), threads=2)
    (output,) = runtime(np.full(model.input.shape, 114, np.float32))
    assert output.shape == (1, 3549, 85)
    assert capfd.readouterr().err == ""


def test_no_back_end_is_imported_before_a_model_is_opened():
    code = (
        "import sys, edge_agent.runtimes\n"
        "print([name for name in ('onnxruntime', 'ai_edge_litert', 'tflite_runtime')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_reported_to_the_makers_of_the_runtime(tiny, tmp_path):
    """onnxruntime makes its device id and its database of reports before it sends the first."""
    source = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tiny_models import entry, input_spec\n"
        "from edge_agent.runtimes import open_runtime\n"
        "open_runtime(entry(input_spec(4, 5)), Path(sys.argv[1]), threads=1)\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    # Of a machine that is neither a developer's nor a test's: onnxruntime looks for either.
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "ORT_DISABLE_TELEMETRY": "0",
    }
    subprocess.run(
        [sys.executable, "-c", source, str(tiny)], env=environment, check=True, timeout=60
    )
    assert list(home.rglob("*")) == []
