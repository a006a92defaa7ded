"""Which ways of running a model are tried."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from tiny_models import entry, input_spec, write_onnx

from edge_agent.config import RuntimeConfig, Tflite
from edge_agent.errors import ModelError
from edge_agent.manifest import Manifest
from models.bench.trial import Here, Trial, families, thread_counts

SPEC = input_spec(4, 5)
BOTH = Here(("cpu",), ("litert", "tflite-runtime"))


def put(folder, name, content, **changes):
    file = f"{name}.{'tflite' if b'TFL' in content else 'onnx'}"
    (folder / file).write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    return replace(entry(SPEC, file=file), name=name, sha256=sha256, **changes)


@pytest.fixture
def manifest(tmp_path, monkeypatch):
    monkeypatch.setenv("SHELFLIGHT_MODELS", str(tmp_path))
    content = write_onnx(tmp_path / "x.onnx", SPEC.shape).read_bytes()
    return Manifest(
        (
            put(tmp_path, "big", content),
            put(tmp_path, "big-int8", content, made_from="big"),
            put(tmp_path, "pose", b"TFL3"),
            put(tmp_path, "coral", b"TFL3..edgetpu-custom-op"),
        )
    )


def ways(manifest, name, here, threads=(1, 2)):
    (family,), left_out = families(manifest, [name], here, threads)
    assert left_out == []
    return [(trial.model, trial.words) for trial in family.trials]


def test_a_family_is_the_model_and_what_is_made_from_it_the_reference_first(manifest):
    expected = [
        ("big", "onnxruntime, 1 thread"),
        ("big", "onnxruntime, 2 threads"),
        ("big-int8", "onnxruntime, 1 thread"),
        ("big-int8", "onnxruntime, 2 threads"),
    ]
    assert ways(manifest, "big", BOTH) == expected
    assert ways(manifest, "big-int8", BOTH) == expected


def test_every_tflite_interpreter_is_tried(manifest):
    assert ways(manifest, "pose", BOTH, (1,)) == [
        ("pose", "litert, 1 thread"),
        ("pose", "tflite-runtime, 1 thread"),
    ]


def test_every_accelerator_of_onnxruntime_is_tried_with_the_help_it_needs(manifest):
    here = Here(("tensorrt", "cuda", "cpu"), ())
    assert ways(manifest, "big", here, (1,))[:3] == [
        ("big", "onnxruntime, 1 thread"),
        ("big", "onnxruntime tensorrt+cuda+cpu, 1 thread"),
        ("big", "onnxruntime cuda+cpu, 1 thread"),
    ]


def test_a_file_for_the_edge_tpu_is_tried_on_nothing_else(manifest):
    here = Here(("cpu",), ("litert",))
    (family,), _ = families(manifest, ["coral"], here, (1, 2))
    assert family.trials == (Trial("coral", RuntimeConfig(1, ("edgetpu",), Tflite.LITERT)),)


def test_what_cannot_be_measured_is_told(manifest, tmp_path):
    (tmp_path / "big-int8.onnx").unlink()
    (tmp_path / "pose.tflite").write_bytes(b"half")
    found, left_out = families(manifest, ["big", "pose"], BOTH, (1,))
    assert [family.root.name for family in found] == ["big"]
    assert "big-int8 is not at" in left_out[0]
    assert "is not model pose" in left_out[1]


def test_without_a_runtime_a_model_is_told_with_its_file(manifest):
    found, left_out = families(manifest, ["pose"], Here(("cpu",), ()), (1,))
    assert found == []
    assert left_out == ["pose: no runtime for pose.tflite is installed"]


def test_an_unknown_name_is_an_error(manifest):
    with pytest.raises(ModelError, match="no model is called 'bgi'; known: big"):
        families(manifest, ["bgi"], BOTH, (1,))


def test_thread_counts_are_powers_of_two_and_all_cores():
    assert [thread_counts(cores) for cores in (1, 2, 4, 6)] == [
        (1,),
        (1, 2),
        (1, 2, 4),
        (1, 2, 4, 6),
    ]


def test_what_is_installed_here_is_found():
    here = Here.look()
    assert here.providers[-1] == "cpu"
