"""Accelerators that no test machine has, by contract: what they are told, and what is said."""

from __future__ import annotations

import ctypes
import logging
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_models import entry, input_spec, write_onnx

from edge_agent.errors import ModelError
from edge_agent.manifest import load
from edge_agent.runtimes import onnx, open_runtime, tensorrt

SPEC = input_spec(4, 5)
TENSORRT, CUDA, CPU = tensorrt.NAME, "CUDAExecutionProvider", "CPUExecutionProvider"


class Board:
    """An onnxruntime with a GPU: takes what it is offered, and remembers what it was told."""

    def __init__(self, refuses=()):
        self.refuses = refuses
        self.told = {}
        self.settings = {}

    def session(self, path, options, providers, provider_options):
        self.told = dict(zip(providers, provider_options, strict=True))
        self.settings = options.config
        taken = [name for name in providers if name not in self.refuses]
        return SimpleNamespace(
            run=lambda outputs, feeds: [feeds["images"] + 1],
            get_inputs=lambda: [
                SimpleNamespace(name="images", shape=list(SPEC.shape), type="tensor(float)")
            ],
            get_providers=lambda: taken,
        )


class Options:
    def __init__(self):
        self.config = {}

    def add_session_config_entry(self, key, value):
        self.config[key] = value


@pytest.fixture
def board(monkeypatch, tmp_path):
    monkeypatch.setenv("SHELFLIGHT_MODELS", str(tmp_path))
    board = Board()
    stand_in = SimpleNamespace(
        __version__="1.99",
        SessionOptions=Options,
        InferenceSession=lambda *words, **named: board.session(*words, **named),
        get_available_providers=lambda: [TENSORRT, CUDA, "AzureExecutionProvider", CPU],
    )
    monkeypatch.setattr(onnx, "ort", stand_in)
    return board


@pytest.fixture
def tiny(tmp_path):
    return write_onnx(tmp_path / "tiny.onnx", SPEC.shape)


def test_tensorrt_keeps_its_engine_under_the_models_hash(board, tiny, tmp_path, caplog):
    model = replace(entry(SPEC), sha256="ab" * 32)
    runtime = open_runtime(model, tiny, 1, ("tensorrt", "cuda", "cpu"))
    told = board.told[TENSORRT]
    assert told["trt_engine_cache_enable"] == "True"
    assert told["trt_engine_cache_path"] == str(tmp_path / "engines" / "tiny-abababababab")
    assert (tmp_path / "engines" / "tiny-abababababab").is_dir()
    assert (told["trt_fp16_enable"], told["trt_int8_enable"]) == ("True", "False")
    assert runtime.taken == ("tensorrt", "cuda", "cpu")
    assert "takes minutes" in caplog.text
    (output,) = runtime(np.zeros(SPEC.shape, np.float32))
    assert output.min() == 1


def test_a_kept_engine_is_not_announced_again(board, tiny, tmp_path, caplog):
    model = replace(entry(SPEC), sha256="ab" * 32)
    kept = tensorrt.engines(model, tiny)
    kept.mkdir(parents=True)
    (kept / "tiny.engine").touch()
    open_runtime(model, tiny, 1, ("tensorrt", "cuda"))
    assert "takes minutes" not in caplog.text


def test_tensorrt_takes_int8_where_the_file_holds_scales(board, tmp_path):
    path = write_onnx(tmp_path / "int8.onnx", SPEC.shape, operator="QuantizeLinear")
    open_runtime(entry(SPEC), path, 1, ("tensorrt", "cpu"))
    assert board.told[TENSORRT]["trt_int8_enable"] == "True"


def test_without_cpu_in_the_list_nothing_slips_to_the_processor(board, tiny):
    open_runtime(entry(SPEC), tiny, 1, ("cuda",))
    assert board.settings == {"session.disable_cpu_ep_fallback": "1"}
    assert board.told[CUDA]["arena_extend_strategy"] == "kSameAsRequested"
    open_runtime(entry(SPEC), tiny, 1, ("cuda", "cpu"))
    assert board.settings == {}


def test_a_driver_that_does_not_load_is_an_error(board, tiny):
    board.refuses = (CUDA,)
    with pytest.raises(ModelError, match=r"CUDA.* not taken; .*driver"):
        open_runtime(entry(SPEC), tiny, 1, ("cuda", "cpu"))


def test_an_engine_folder_that_cannot_be_made_is_an_error(board, tiny, tmp_path):
    (tmp_path / "engines").write_text("in the way")
    with pytest.raises(ModelError, match=r"no place for its TensorRT engine.*SHELFLIGHT_MODELS"):
        open_runtime(entry(SPEC), tiny, 1, ("tensorrt",))


def test_what_runs_elsewhere_is_not_available(board):
    assert onnx.available() == ("tensorrt", "cuda", "cpu")


def test_a_missing_provider_says_what_to_install(tiny):
    with pytest.raises(ModelError, match=r"no CUDA.*on a Jetson install the onnxruntime-gpu wheel"):
        open_runtime(entry(SPEC), tiny, 1, ("cuda",))


@pytest.mark.parametrize("providers", [("hailo",), ("IMX500", "cpu")])
def test_a_chip_with_files_of_its_own_is_not_offered_an_onnx_file(tiny, providers):
    with pytest.raises(ModelError, match=r"runs \.(hef|rpk) files only.*docs/hardware.md"):
        open_runtime(entry(SPEC), tiny, 1, providers)


@pytest.mark.parametrize(
    ("file", "provider", "install"),
    [("tiny.hef", "hailo", "hailo-all"), ("tiny.rpk", "imx500", "imx500-all")],
)
def test_the_seams_say_what_they_need(tmp_path, file, provider, install):
    with pytest.raises(ModelError, match=rf"cannot run yet.*{install}.*{provider}\.py"):
        open_runtime(entry(SPEC), tmp_path / file, 1, (provider,))


def test_no_onnxruntime_is_an_error_that_says_what_to_install(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "edge_agent.runtimes.onnx")
    with pytest.raises(ModelError, match=r"cannot be loaded.*pip install onnxruntime"):
        open_runtime(entry(SPEC), tiny, 1)


class Interpreter:
    """A TFLite interpreter that remembers its delegates."""

    seen: tuple = ()

    def __init__(self, model_path, num_threads, experimental_delegates):
        Interpreter.seen = experimental_delegates

    def allocate_tensors(self):
        pass

    def get_input_details(self):
        name = load().get("movenet-lightning-int8").input.name
        return [{"index": 0, "name": name, "shape": (1, 192, 192, 3), "dtype": np.uint8}]

    def get_output_details(self):
        return [{"index": 1}]


def test_the_edge_tpu_gets_a_compiled_model_through_its_delegate(monkeypatch, tmp_path, caplog):
    stand_in = SimpleNamespace(Interpreter=Interpreter, load_delegate=lambda name: f"<{name}>")
    monkeypatch.setitem(sys.modules, "stand_in_interpreter", stand_in)
    monkeypatch.setattr("edge_agent.runtimes.tflite.version", lambda name: "9.9")
    monkeypatch.setattr(
        "edge_agent.runtimes.tflite.INTERPRETERS", (("stand_in_interpreter", "ai-edge-litert"),)
    )
    monkeypatch.setattr(ctypes, "CDLL", lambda name: None)
    compiled = tmp_path / "compiled.tflite"
    compiled.write_bytes(b"..edgetpu-custom-op..")
    caplog.set_level(logging.INFO)
    model = load().get("movenet-lightning-int8")
    from edge_agent.runtimes import tflite

    runtime = tflite.open_model(
        model, compiled, 1, ("EdgeTPU",), interpreters=(("stand_in_interpreter", "ai-edge-litert"),)
    )
    assert Interpreter.seen == ["<libedgetpu.so.1>"]
    assert runtime.taken == ("edgetpu",)
