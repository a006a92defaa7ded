from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge_agent.errors import ModelError
from edge_agent.manifest import load, model_path, verify
from edge_agent.runtimes import open_runtime, tflite

MODEL = load().get("movenet-lightning-int8")
INSTALLED = [
    pair
    for pair in tflite.INTERPRETERS
    if importlib.util.find_spec(pair[0].partition(".")[0])
    and (pair[1] != "tflite-runtime" or np.__version__ < "2")
]
pytestmark = pytest.mark.skipif(not INSTALLED, reason="pip install 'shelflight[tflite]'")


@pytest.fixture
def path(data):
    return model_path(MODEL, data / "models")


@pytest.fixture
def picture(data):
    """Somebody at a table: on noise the joints are anywhere."""
    clip = cv2.VideoCapture(str(data / "footage" / "table-visits.mp4"))
    clip.set(cv2.CAP_PROP_POS_FRAMES, 300)
    frame = clip.read()[1][:, 336:768]
    return cv2.cvtColor(cv2.resize(frame, (192, 192)), cv2.COLOR_BGR2RGB)[None]


def test_the_faster_interpreter_is_taken(path):
    runtime = open_runtime(MODEL, path, threads=1)
    assert runtime.name.startswith(INSTALLED[0][1])
    assert (runtime.input_shape, runtime.input_dtype) == (MODEL.input.shape, "uint8")
    assert runtime.taken == ("cpu",)


def test_every_interpreter_gives_the_same_joints(path, picture):
    outputs = [
        tflite.open_model(MODEL, path, 1, (), interpreters=(pair,))(picture)[0]
        for pair in INSTALLED
    ]
    for output in outputs:
        assert output.shape == (1, 1, 17, 3)
        # The model looks at a grid of 48 x 48: one cell of it, and some steps of the score.
        np.testing.assert_allclose(output[..., :2], outputs[0][..., :2], atol=1 / 48)
        np.testing.assert_allclose(output[..., 2], outputs[0][..., 2], atol=0.25)
        assert (output[..., 2] > 0.3).sum() > 10


def test_outputs_are_the_callers_own(path, picture):
    runtime = open_runtime(MODEL, path, threads=2)
    (first,) = runtime(picture)
    before = first.copy()
    runtime(255 - picture)
    np.testing.assert_array_equal(first, before)


def test_the_interpreter_starts_without_chatter(path):
    """In a process of its own: the line comes once per process."""
    code = (
        "import os, sys; from pathlib import Path; from edge_agent.manifest import load\n"
        "from edge_agent.runtimes import open_runtime\n"
        "open_runtime(load().get('movenet-lightning-int8'), Path(sys.argv[1]), 1)\n"
        "os.write(2, b'said after')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stderr == "said after"


def test_a_file_that_is_no_model_is_an_error(tmp_path):
    noise = tmp_path / "noise.tflite"
    noise.write_bytes(b"\x00noise" * 100)
    with pytest.raises(ModelError, match=r"cannot load .*noise.tflite"):
        open_runtime(MODEL, noise, threads=1)
    with pytest.raises(ModelError, match=r"cannot load .*nowhere.tflite"):
        open_runtime(MODEL, tmp_path / "nowhere.tflite", threads=1)


def test_an_unknown_delegate_is_an_error(path):
    with pytest.raises(ModelError, match=r"no delegate 'cuda'; allowed .*cpu, edgetpu"):
        open_runtime(MODEL, path, threads=1, providers=("cuda",))


def test_a_model_that_the_edge_tpu_would_leave_to_the_processor_is_an_error(path):
    with pytest.raises(ModelError, match="not compiled for the Edge TPU"):
        open_runtime(MODEL, path, threads=1, providers=("edgetpu",))


def test_a_delegate_whose_library_is_missing_is_an_error(tmp_path):
    compiled = tmp_path / "compiled.tflite"
    compiled.write_bytes(b"edgetpu-custom-op")
    with pytest.raises(ModelError, match=r"libedgetpu\.so\.1.* cannot be loaded"):
        open_runtime(MODEL, compiled, threads=1, providers=("edgetpu",))


def test_an_input_that_is_not_the_manifests_is_an_error(path):
    odd = replace(MODEL, input=replace(MODEL.input, shape=(1, 256, 256, 3)))
    with pytest.raises(ModelError, match=r"uint8 \[1, 192, 192, 3\], the manifest says uint8"):
        open_runtime(odd, path, threads=1)
    renamed = replace(MODEL, input=replace(MODEL.input, name="images"))
    with pytest.raises(ModelError, match="the manifest says images"):
        open_runtime(renamed, path, threads=1)


def test_without_an_interpreter_the_error_says_what_to_install(path):
    with pytest.raises(ModelError, match=r"shelflight\[tflite\]"):
        tflite.open_model(MODEL, path, 1, (), interpreters=(("no_such_interpreter", "none"),))


@pytest.mark.parametrize("name", tflite.installed())
def test_the_interpreter_that_is_named_is_taken(path, name):
    runtime = open_runtime(MODEL, path, threads=1, tflite=name)
    assert runtime.name.startswith(tflite.NAMES[name])


def test_an_interpreter_that_is_unknown_or_not_installed_is_an_error(path, monkeypatch):
    with pytest.raises(ModelError, match=r"'lite'; allowed in runtime.tflite: litert | tflite-r"):
        open_runtime(MODEL, path, threads=1, tflite="lite")
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)
    with pytest.raises(ModelError, match=r"\(tflite-runtime\); run: pip install"):
        open_runtime(MODEL, path, threads=1, tflite="tflite-runtime")


def with_unknown_operator(content):
    """The same TFLite file with its first operator's code raised above all that are known.

    A FlatBuffer by hand: tables point back to their field offsets, vectors forward to entries.
    """
    file = bytearray(content)

    def number(at, form="<I"):
        return struct.unpack_from(form, file, at)[0]

    def field(table, slot):
        return table + number(table - number(table, "<i") + 4 + 2 * slot, "<H")

    codes = field(number(0), 1)
    first = codes + number(codes) + 4
    operator = first + number(first)
    struct.pack_into("<b", file, field(operator, 0), 126)
    struct.pack_into("<i", file, field(operator, 3), 9999)
    return bytes(file)


@pytest.mark.parametrize("name", tflite.installed())
def test_an_unknown_operator_is_an_error(path, tmp_path, name):
    odd = tmp_path / "odd.tflite"
    odd.write_bytes(with_unknown_operator(path.read_bytes()))
    with pytest.raises(ModelError, match=r"cannot load .*odd.tflite: .*out of range: 9999"):
        open_runtime(MODEL, odd, threads=1, tflite=name)


def test_half_a_file_is_an_error_before_it_is_run(path, tmp_path):
    half = tmp_path / MODEL.file
    half.write_bytes(path.read_bytes()[: MODEL.size // 2])
    with pytest.raises(ModelError, match=r"is not model .*; delete it, then run: .*pull"):
        verify(MODEL, half)
