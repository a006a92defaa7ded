"""How models of a unit are run: the site file's word first, then what was measured here."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import yaml
from tiny_models import entry, input_spec, write_onnx

from edge_agent.config import RuntimeConfig, Site, UnitConfig
from edge_agent.config.device import Choice, Device, DeviceConfig, this_device, values_of
from edge_agent.errors import ConfigError, ModelError
from edge_agent.manifest import Manifest
from edge_agent.pipeline import runs
from edge_agent.pipeline.runs import Runs

SPEC = input_spec(4, 5)
SITE = Site(UnitConfig("u1"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SHELFLIGHT_MODELS", str(tmp_path))
    return tmp_path


@pytest.fixture
def manifest(folder):
    content = write_onnx(folder / "big.onnx", SPEC.shape).read_bytes()
    (folder / "small.onnx").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    big = replace(entry(SPEC, file="big.onnx"), name="big", sha256=sha256)
    return Manifest((big, replace(big, name="small", file="small.onnx")))


@pytest.fixture
def opened(monkeypatch):
    """How the runtime was asked to run."""
    asked = []
    really = runs.open_runtime
    monkeypatch.setattr(
        runs, "open_runtime", lambda *words: asked.append(words[2:]) or really(*words)
    )
    return asked


def measured(folder, device=None):
    config = DeviceConfig(device or this_device(), {"big": Choice("small", RuntimeConfig(2))})
    (folder / "device.yaml").write_text(yaml.safe_dump(values_of(config)))


def test_with_nothing_measured_a_model_runs_on_one_thread(manifest, opened):
    assert Runs(SITE, manifest).open("big")[0].name == "big"
    assert opened == [(1, (), None)]


def test_a_site_without_runtime_takes_what_was_measured(folder, manifest, opened):
    measured(folder)
    assert Runs(SITE, manifest).open("big")[0].name == "small"
    assert opened == [(2, (), None)]


def test_what_the_site_says_is_done(folder, manifest, opened):
    measured(folder)
    said = replace(SITE, runtime=RuntimeConfig(3))
    assert Runs(said, manifest).open("big")[0].name == "big"
    assert opened == [(3, (), None)]


def test_a_card_in_another_board_is_noticed(folder, manifest, opened, caplog):
    measured(folder, Device("Raspberry Pi 4", "aarch64", 4))
    assert Runs(SITE, manifest).open("big")[0].name == "big"
    assert opened == [(1, (), None)]
    assert "board was Raspberry Pi 4" in caplog.text
    assert "models bench --write" in caplog.text


def test_a_measured_variant_that_is_gone_does_not_stop_the_count(folder, manifest, caplog):
    measured(folder)
    (folder / "small.onnx").write_bytes(b"half a downl")
    assert Runs(SITE, manifest).open("big")[0].name == "big"
    assert "not run as measured" in caplog.text


def test_a_broken_file_is_told(folder, manifest):
    (folder / "device.yaml").write_text("models: {big: {threads: many}}")
    with pytest.raises(ConfigError, match=r"models\.big\.threads"):
        Runs(SITE, manifest)


def test_a_model_with_a_wrong_hash_is_refused(folder, manifest):
    (folder / "big.onnx").write_bytes(b"other")
    with pytest.raises(ModelError, match="its SHA-256 is"):
        Runs(SITE, manifest).open("big")


def test_a_broken_file_is_nobodys_business_where_the_site_says_how_to_run(folder, manifest):
    (folder / "device.yaml").write_text("models: {big: {threads: many}}")
    said = replace(SITE, runtime=RuntimeConfig(1))
    assert Runs(said, manifest).open("big")[0].name == "big"
