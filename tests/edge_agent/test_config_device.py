"""device.yaml: what was measured on this board, read strictly and only where it was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from edge_agent.config import RuntimeConfig, Tflite, parse_site
from edge_agent.config.device import (
    Choice,
    Device,
    DeviceConfig,
    difference,
    load_device,
    this_device,
    values_of,
)
from edge_agent.errors import ConfigError

PI = Device("Raspberry Pi 5 Model B Rev 1.0", "aarch64", 4, {"onnxruntime": "1.31.1"})
FOUND = {
    "yolox-nano": Choice("yolox-nano-int8", RuntimeConfig(2)),
    "movenet": Choice("movenet", RuntimeConfig(1, ("edgetpu",), Tflite.TFLITE_RUNTIME)),
}


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "device.yaml"
    path.write_text(yaml.safe_dump(values_of(DeviceConfig(PI, FOUND))))
    assert load_device(path) == DeviceConfig(PI, FOUND)


def test_no_file_is_no_measurement(tmp_path):
    assert load_device(tmp_path / "device.yaml") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("device: {bord: x}", "device.bord: unknown key; did you mean board?"),
        ("models: {a: {thread: 2}}", "models.a.thread: unknown key; did you mean threads?"),
        ("models: {a: {threads: 0}}", "models.a.threads: is 0; a whole number 1..64"),
        ("models: {a: {tflite: lite}}", "allowed: litert | tflite-runtime"),
        ("models: {a: 3}", "models.a: is 3; a mapping"),
        ("modells: {}", "modells: unknown key; did you mean models?"),
        ("models: [", "is not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_key_and_what_to_do(tmp_path, text, says):
    path = tmp_path / "device.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_device(path)
    assert any(says in line for line in caught.value.mistakes), caught.value.mistakes
    assert "delete it or run: python -m models bench --write" in str(caught.value)


def test_a_board_says_what_it_is(tmp_path):
    tree = tmp_path / "proc" / "device-tree"
    tree.mkdir(parents=True)
    (tree / "model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    (tmp_path / "proc" / "cpuinfo").write_text("processor : 0\nmodel name : Cortex-A76\n")
    here = this_device(tmp_path)
    assert (here.board, here.processor) == ("Raspberry Pi 5 Model B Rev 1.0", "Cortex-A76")
    assert here.cores >= 1
    assert "onnxruntime" in here.runtimes


def test_a_machine_that_says_nothing_is_known_by_its_architecture(tmp_path):
    here = this_device(tmp_path)
    assert here.board == here.processor != ""


def test_another_board_or_runtime_is_a_difference_in_words():
    assert difference(PI, replace(PI)) is None
    assert "board was Raspberry Pi 5" in difference(PI, replace(PI, board="Raspberry Pi 4"))
    newer = replace(PI, runtimes={"onnxruntime": "1.40", "ai-edge-litert": "2.3"})
    told = difference(PI, newer)
    assert "onnxruntime was 1.31.1, is 1.40" in told
    assert "ai-edge-litert was none, is 2.3" in told


def test_runtime_left_out_of_a_site_is_not_the_same_as_runtime_said():
    zones = [{"name": "table", "floor": [[0, 0], [1, 0], [1, 1]]}]
    plain = {"unit": {"id": "u1"}, "zones": zones}
    said = {**plain, "runtime": {"tflite": "tflite-runtime"}}
    assert parse_site(plain, "site.yaml", Path()).runtime is None
    assert parse_site({**plain, "runtime": {}}, "site.yaml", Path()).runtime == RuntimeConfig(1)
    expected = RuntimeConfig(1, (), Tflite.TFLITE_RUNTIME)
    assert parse_site(said, "site.yaml", Path()).runtime == expected
    with pytest.raises(ConfigError, match=r"runtime\.tflite: is 'lite'; allowed: litert"):
        parse_site({**plain, "runtime": {"tflite": "lite"}}, "site.yaml", Path())
