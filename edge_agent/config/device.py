"""device.yaml: what `models bench` found best on this board.

It is written by that command and read when a unit's site file leaves `runtime` out. Nobody edits
it; site.yaml is the one that people edit. It is only good for the kind of board and the runtimes
that it was measured with.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edge_agent.config.parse import read_yaml, runtime_of
from edge_agent.config.section import Section
from edge_agent.config.site import RuntimeConfig
from edge_agent.errors import ConfigError

FILE = "device.yaml"
# Distributions whose version decides how fast and how right a model runs.
_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "ai-edge-litert", "tflite-runtime")
# Where a board says what it is: ARM boards (device tree), PCs.
_BOARD_FILES = ("proc/device-tree/model", "sys/class/dmi/id/product_name")
_AGAIN = "run: python -m models bench --write"


@dataclass(frozen=True, slots=True)
class Device:
    """What a measurement belongs to.

    Two boards of one kind are one device: what was measured on one holds on the other. There is
    no serial number in it.

    Args:
        board: as the firmware calls it, e.g. Raspberry Pi 5 Model B Rev 1.0.
        processor: model name, else the architecture.
        cores: of the processor.
        runtimes: version of each runtime that is installed.
    """

    board: str
    processor: str
    cores: int
    runtimes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """How to run one model.

    Args:
        run: the model that is run in its place: itself, or one made from it (its int8 form).
        runtime: threads, providers and interpreter.
    """

    run: str
    runtime: RuntimeConfig


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """The file.

    Args:
        device: what it was measured on.
        models: name of a model -> how to run it.
    """

    device: Device
    models: Mapping[str, Choice]


def load_device(path: Path) -> DeviceConfig | None:
    """Read the file; None where there is none.

    Raises:
        ConfigError: every mistake in it, and to measure again.
    """
    if not path.is_file():
        return None
    mistakes: list[str] = []
    try:
        root = Section(read_yaml(path), "", mistakes)
    except ConfigError as error:
        raise ConfigError(str(path), [*error.mistakes, f"delete it or {_AGAIN}"]) from None
    config = DeviceConfig(
        _device(root.section("device")),
        {name: _choice(name, section) for name, section in root.named("models")},
    )
    root.close()
    if mistakes:
        raise ConfigError(str(path), [*mistakes, f"delete it or {_AGAIN}"])
    return config


def values_of(config: DeviceConfig) -> dict[str, Any]:
    """The file's values, as `load_device` reads them."""
    device = config.device
    return {
        "device": {
            "board": device.board,
            "processor": device.processor,
            "cores": device.cores,
            "runtimes": [f"{name} {number}" for name, number in sorted(device.runtimes.items())],
        },
        "models": {name: _values(choice) for name, choice in config.models.items()},
    }


def this_device(root: Path = Path("/")) -> Device:
    """The board that this runs on.

    Args:
        root: where /proc and /sys are looked for.
    """
    board = next(filter(None, (_text(root / name) for name in _BOARD_FILES)), platform.machine())
    return Device(board, _processor(root), os.cpu_count() or 1, _versions())


def difference(measured: Device, here: Device) -> str | None:
    """What a measurement's device has other than this one, in words; None = nothing."""
    pairs = {
        "board": (measured.board, here.board),
        "processor": (measured.processor, here.processor),
        "cores": (measured.cores, here.cores),
    }
    for name in sorted({*measured.runtimes, *here.runtimes}):
        pairs[name] = (measured.runtimes.get(name, "none"), here.runtimes.get(name, "none"))
    told = [f"{name} was {old}, is {new}" for name, (old, new) in pairs.items() if old != new]
    return "; ".join(told) or None


def _device(section: Section) -> Device:
    words = [line.rpartition(" ") for line in section.strings("runtimes")]
    device = Device(
        section.text("board") or "unknown",
        section.text("processor") or "unknown",
        section.whole("cores", 1, 1, 1024),
        {name: number for name, _, number in words},
    )
    section.close()
    return device


def _choice(name: str, section: Section) -> Choice:
    run = section.text("run") or name
    return Choice(run, runtime_of(section))


def _values(choice: Choice) -> dict[str, Any]:
    runtime = choice.runtime
    values: dict[str, Any] = {"run": choice.run, "threads": runtime.threads}
    if runtime.providers:
        values["providers"] = list(runtime.providers)
    if runtime.tflite is not None:
        values["tflite"] = runtime.tflite.value
    return values


def _processor(root: Path) -> str:
    for line in (_text(root / "proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for name in _RUNTIMES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _text(path: Path) -> str | None:
    try:
        # A device tree's texts end in a zero byte.
        return path.read_bytes().decode(errors="replace").strip("\0 \n") or None
    except OSError:
        return None
