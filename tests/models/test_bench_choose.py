"""The fastest that keeps accuracy, and the file that a unit reads."""

from __future__ import annotations

import pytest

from edge_agent.config import RuntimeConfig
from edge_agent.config.device import Choice, Device, load_device
from edge_agent.errors import InputError
from models.bench.choose import best, choices, write
from models.bench.measure import Result
from models.bench.trial import Trial

HERE = Device("Raspberry Pi 5", "Cortex-A76", 4, {"onnxruntime": "1.31.1"})


def result(model="big", threads=1, ms=10.0, cpu_ms=10.0, accuracy=1.0, error=None):
    return Result(Trial(model, RuntimeConfig(threads)), ms, ms, cpu_ms, 80, accuracy, error)


def test_the_fastest_is_best():
    assert best([result(ms=20), result(threads=2, ms=10)]).trial.runtime.threads == 2


def test_a_faster_one_that_loses_accuracy_is_not():
    assert best([result(ms=20), result("int8", ms=5, accuracy=0.9)]).trial.model == "big"
    assert best([result(ms=20), result("int8", ms=5, accuracy=0.9)], 0.85).trial.model == "int8"


def test_of_equally_fast_ones_the_one_with_less_processor_is_taken():
    some = [result(threads=4, ms=10, cpu_ms=38), result(threads=2, ms=10.4, cpu_ms=20)]
    assert best(some).trial.runtime.threads == 2


def test_what_failed_or_could_not_be_judged_is_never_taken():
    assert best([result(accuracy=None, error="crashed"), result(accuracy=None)]) is None


def test_a_root_may_run_as_its_int8_form_but_never_the_other_way_round():
    some = [result(ms=20), result("big-int8", ms=30), result("big-int8", threads=2, ms=15)]
    found = choices("big", some)
    assert found["big"] == Choice("big-int8", RuntimeConfig(2))
    some = [result(ms=20), result("big-int8", ms=30)]
    assert choices("big", some)["big"].run == "big"
    assert choices("big", some)["big-int8"] == Choice("big-int8", RuntimeConfig(1))


def test_a_unit_reads_what_was_written(tmp_path):
    path = tmp_path / "models" / "device.yaml"
    write(path, HERE, {"big": Choice("big-int8", RuntimeConfig(2))})
    assert load_device(path).models == {"big": Choice("big-int8", RuntimeConfig(2))}
    assert path.read_text().startswith("# Written by `python -m models bench --write`")
    assert [one.name for one in path.parent.iterdir()] == ["device.yaml"]


def test_what_was_measured_of_other_models_here_stays_and_elsewhere_goes(tmp_path):
    path = tmp_path / "device.yaml"
    write(path, HERE, {"big": Choice("big", RuntimeConfig(2))})
    write(path, HERE, {"pose": Choice("pose", RuntimeConfig(1))})
    assert set(load_device(path).models) == {"big", "pose"}
    other = Device("Raspberry Pi 4", "Cortex-A72", 4)
    write(path, other, {"pose": Choice("pose", RuntimeConfig(4))})
    assert set(load_device(path).models) == {"pose"}


def test_a_broken_file_is_replaced(tmp_path):
    path = tmp_path / "device.yaml"
    path.write_text("models: [")
    write(path, HERE, {"big": Choice("big", RuntimeConfig(2))})
    assert load_device(path).device == HERE


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(InputError, match=r"cannot be written.*SHELFLIGHT_MODELS"):
        write(tmp_path / "models" / "device.yaml", HERE, {})
