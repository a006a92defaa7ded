"""Run a model file: each runtime is a callable from an input array to output arrays.

One file a runtime: `onnx` (processor; with `cuda` and `tensorrt` as its providers), `tflite`
(processor; with `edgetpu` as its delegate), and two seams, `hailo` and `imx500`, that say what is
missing. No back end is imported until a model that needs it is opened.
"""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from edge_agent.errors import ModelError
from edge_agent.manifest import ModelEntry

_log = logging.getLogger(__name__)
_BACK_ENDS = {
    ".onnx": "edge_agent.runtimes.onnx",
    ".tflite": "edge_agent.runtimes.tflite",
    ".hef": "edge_agent.runtimes.hailo",
    ".rpk": "edge_agent.runtimes.imx500",
}
# Accelerators that take files of their own compiler only.
_OWN_FILES = {"hailo": ".hef", "imx500": ".rpk"}


class Runtime(Protocol):
    """A model that is loaded and ready.

    Attributes:
        name: back end, version and what it runs on, for logs and benches.
        input_shape: sizes of the one input.
        input_dtype: numpy's name of its number format.
        taken: execution providers or delegates that really run the model.
    """

    name: str
    input_shape: tuple[int, ...]
    input_dtype: str
    taken: tuple[str, ...]

    def __call__(self, tensor: NDArray[Any]) -> list[NDArray[Any]]:
        """Run once on one input; the outputs are the caller's own, in the file's order.

        Not to be called by two threads at once.
        """


def open_runtime(
    entry: ModelEntry,
    path: Path,
    threads: int,
    providers: tuple[str, ...] = (),
    tflite: str | None = None,
) -> Runtime:
    """Load a model file with the back end that its suffix names.

    Args:
        entry: what the file should be; its real input is checked against this.
        path: the file.
        threads: of one inference, >= 1.
        providers: execution providers (.onnx: cpu, cuda, tensorrt, ...) or delegates (.tflite:
            cpu, edgetpu) in order of preference; none = the processor.
        tflite: the interpreter of .tflite files, litert or tflite-runtime; None = the first that
            is installed.

    Raises:
        ModelError: the file cannot be loaded, its input is not the manifest's, the back end is
            not installed, or a provider asked for is not there. There is no silent fall-back.
    """
    if threads < 1:
        raise ModelError(f"model {entry.name}: threads is {threads}; 1 or more is allowed")
    back_end = _BACK_ENDS.get(path.suffix)
    if back_end is None:
        raise ModelError(
            f"{path}: no runtime for {path.suffix!r}; allowed: {', '.join(_BACK_ENDS)}"
        )
    _check_compiled(entry, path, providers)
    choice = {"interpreter": tflite} if path.suffix == ".tflite" else {}
    runtime: Runtime = _import(entry, back_end).open_model(
        entry, path, threads, providers, **choice
    )
    _check_input(entry, path, runtime)
    _log.info(
        "model %s: %s, threads %d, runs on %s",
        entry.name,
        runtime.name,
        threads,
        ", ".join(runtime.taken),
    )
    return runtime


def _import(entry: ModelEntry, back_end: str) -> Any:
    try:
        return importlib.import_module(back_end)
    except ImportError as error:
        raise ModelError(
            f"model {entry.name}: its runtime {error.name or back_end} cannot be loaded: {error}; "
            f"run: pip install {error.name or 'shelflight'}"
        ) from error


def _check_compiled(entry: ModelEntry, path: Path, providers: tuple[str, ...]) -> None:
    for provider in providers:
        suffix = _OWN_FILES.get(provider.lower())
        if suffix is not None and suffix != path.suffix:
            raise ModelError(
                f"model {entry.name}: {provider} runs {suffix} files only, {path.name} is none; "
                "compile the model for it (docs/hardware.md) or leave it out of runtime.providers"
            )


def _check_input(entry: ModelEntry, path: Path, runtime: Runtime) -> None:
    expected = f"{entry.input.dtype.value} {list(entry.input.shape)}"
    found = f"{runtime.input_dtype} {list(runtime.input_shape)}"
    if found != expected:
        raise ModelError(
            f"{path}: the input of model {entry.name} is {found}, the manifest says {expected}; "
            f"mend the manifest's entry or name another model"
        )
