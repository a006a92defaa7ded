"""ONNX files, by onnxruntime: on the processor, or on what `cuda` and `tensorrt` describe."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from edge_agent.errors import ModelError
from edge_agent.manifest import ModelEntry
from edge_agent.runtimes import cuda, tensorrt

_CPU = "CPUExecutionProvider"
# How a site file names them -> how onnxruntime does.
_PROVIDERS = {
    "cpu": _CPU,
    "cuda": cuda.NAME,
    "tensorrt": tensorrt.NAME,
    "openvino": "OpenVINOExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
_SHORT = {name: short for short, name in _PROVIDERS.items()}
# Those with a file of their own: what they are told, and what to install where they are missing.
_ACCELERATORS: dict[str, ModuleType] = {cuda.NAME: cuda, tensorrt.NAME: tensorrt}
# onnxruntime's severities: 3 = errors. Warnings of a graph that loads are noise on a unit.
_ERRORS_ONLY = 3
_DTYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}
# What onnxruntime raises for a file it cannot use: classes without a base of their own, and their
# list grows with its versions.
_UNUSABLE: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    *(
        kind
        for kind in vars(ort_errors).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ),
)


class OnnxRuntime:
    """One session with one input; see `edge_agent.runtimes.Runtime`."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._run = session.run
        (found,) = session.get_inputs()
        self._input: str = found.name
        self.input_shape: tuple[int, ...] = tuple(found.shape)
        self.input_dtype: str = _DTYPES.get(found.type, found.type)
        providers: list[str] = session.get_providers()
        self.taken: tuple[str, ...] = tuple(_SHORT.get(name, name) for name in providers)
        self.name = f"onnxruntime {ort.__version__} {providers[0]}"

    def __call__(self, tensor: NDArray[Any]) -> list[NDArray[Any]]:
        """Run once; the outputs are new arrays."""
        outputs: list[NDArray[Any]] = self._run(None, {self._input: tensor})
        return outputs


def open_model(
    entry: ModelEntry, path: Path, threads: int, providers: tuple[str, ...]
) -> OnnxRuntime:
    """Load an ONNX file on exactly the providers asked for.

    Raises:
        ModelError: see `edge_agent.runtimes.open_runtime`.
    """
    wanted = _wanted(entry, providers)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    if _CPU not in wanted:
        # Otherwise operators that the accelerator lacks run on the processor and nobody is told.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    told = [
        _ACCELERATORS[name].options(entry, path) if name in _ACCELERATORS else {} for name in wanted
    ]
    try:
        session = ort.InferenceSession(str(path), options, providers=wanted, provider_options=told)
    except _UNUSABLE as error:
        raise ModelError(
            f"model {entry.name}: onnxruntime {ort.__version__} cannot load {path} on "
            f"{', '.join(wanted)}: {_first_line(error)}"
        ) from error
    _check(entry, path, session, wanted)
    return OnnxRuntime(session)


def _wanted(entry: ModelEntry, providers: tuple[str, ...]) -> list[str]:
    wanted = [_PROVIDERS.get(name.lower(), name) for name in providers] or [_CPU]
    available = ort.get_available_providers()
    missing = [name for name in wanted if name not in available]
    if missing:
        hints = [_ACCELERATORS[name].MISSING for name in missing if name in _ACCELERATORS]
        raise ModelError(
            f"model {entry.name}: onnxruntime here has no {', '.join(missing)}; available: "
            f"{', '.join(_SHORT.get(name, name) for name in available)}; name one of these in "
            f"runtime.providers, or {hints[0] if hints else 'install the onnxruntime that has it'}"
        )
    return wanted


def available() -> tuple[str, ...]:
    """The providers of the onnxruntime that is installed, as a site file names them.

    Those that run anywhere but on this device (Azure) are not among them.
    """
    return tuple(_SHORT[name] for name in ort.get_available_providers() if name in _SHORT)


def _check(entry: ModelEntry, path: Path, session: ort.InferenceSession, wanted: list[str]) -> None:
    refused = [name for name in wanted if name not in session.get_providers()]
    if refused:
        raise ModelError(
            f"model {entry.name}: {', '.join(refused)} was asked for and not taken; taken: "
            f"{', '.join(session.get_providers())}; look at the accelerator's driver"
        )
    inputs = [found.name for found in session.get_inputs()]
    if inputs != [entry.input.name]:
        raise ModelError(
            f"{path}: the inputs of model {entry.name} are {', '.join(inputs)}, the manifest says "
            f"{entry.input.name}"
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
