"""TFLite files, by whichever interpreter is installed: the faster first.

MoveNet Lightning int8 takes 4.3 ms with ai-edge-litert 2.3 and 55 ms with tflite-runtime 2.14 on
the same x86 core (measured); tflite-runtime ended at Python 3.11 and needs numpy below 2.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError
from edge_agent.manifest import ModelEntry

# Module and distribution of each interpreter, the faster first.
INTERPRETERS = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", "tflite-runtime"),
)
_CPU = "cpu"
_EDGETPU = "edgetpu"
# Shared library of each delegate; the number is the interface's version.
_DELEGATES = {_EDGETPU: "libedgetpu.so.1"}
# The operator that the Edge TPU's compiler leaves in a file; without it the TPU has no work.
_EDGETPU_OPERATOR = b"edgetpu-custom-op"
# A line that the interpreter prints at each start, and that asks nothing of anyone.
_CHATTER = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."


class TfliteRuntime:
    """One interpreter with one input; see `edge_agent.runtimes.Runtime`."""

    def __init__(self, interpreter: Any, name: str, taken: tuple[str, ...]) -> None:
        (found,) = interpreter.get_input_details()
        self._interpreter = interpreter
        self._input: int = found["index"]
        self._outputs: list[int] = [out["index"] for out in interpreter.get_output_details()]
        self.input_shape: tuple[int, ...] = tuple(int(size) for size in found["shape"])
        self.input_dtype: str = np.dtype(found["dtype"]).name
        self.taken = taken
        self.name = name

    def __call__(self, tensor: NDArray[Any]) -> list[NDArray[Any]]:
        """Run once; the outputs are copies."""
        self._interpreter.set_tensor(self._input, tensor)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def open_model(
    entry: ModelEntry,
    path: Path,
    threads: int,
    providers: tuple[str, ...],
    interpreters: tuple[tuple[str, str], ...] = INTERPRETERS,
) -> TfliteRuntime:
    """Load a TFLite file with the first interpreter that is installed.

    Args:
        entry: what the file should be.
        path: the file.
        threads: of one inference.
        providers: cpu or edgetpu; none = cpu.
        interpreters: module and distribution of those that may be taken, in this order.

    Raises:
        ModelError: see `edge_agent.runtimes.open_runtime`.
    """
    module, name = _interpreter(entry, interpreters)
    wanted = tuple(provider.lower() for provider in providers) or (_CPU,)
    delegates = [_delegate(entry, path, module, one) for one in wanted if one != _CPU]
    try:
        with _without_chatter():
            interpreter = module.Interpreter(
                model_path=str(path), num_threads=threads, experimental_delegates=delegates or None
            )
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"model {entry.name}: {name} cannot load {path}: {error}") from error
    inputs = [found["name"] for found in interpreter.get_input_details()]
    if inputs != [entry.input.name]:
        raise ModelError(
            f"{path}: the inputs of model {entry.name} are {', '.join(inputs)}, the manifest says "
            f"{entry.input.name}"
        )
    return TfliteRuntime(interpreter, name, wanted)


def _interpreter(entry: ModelEntry, interpreters: tuple[tuple[str, str], ...]) -> tuple[Any, str]:
    for module, distribution in interpreters:
        try:
            found, number = importlib.import_module(module), version(distribution)
        except (ImportError, PackageNotFoundError):
            continue
        if distribution == "tflite-runtime" and int(np.__version__.split(".")[0]) >= 2:
            # It imports, and fails only when a model is loaded.
            continue
        return found, f"{distribution} {number}"
    raise ModelError(
        f"model {entry.name} is a TFLite file and no interpreter for it is installed "
        f"({', '.join(distribution for _, distribution in interpreters)}); "
        "run: pip install 'shelflight[tflite]'"
    )


def _delegate(entry: ModelEntry, path: Path, module: Any, provider: str) -> Any:
    library = _DELEGATES.get(provider)
    if library is None:
        raise ModelError(
            f"model {entry.name}: TFLite has no delegate {provider!r}; allowed in "
            f"runtime.providers: {', '.join((_CPU, *_DELEGATES))}"
        )
    if provider == _EDGETPU and _EDGETPU_OPERATOR not in _content(entry, path):
        raise ModelError(
            f"model {entry.name}: {path} is not compiled for the Edge TPU, all of it would run "
            "on the processor; compile it with edgetpu_compiler or leave edgetpu out"
        )
    try:
        # First by itself: where it is missing, the half-made delegate would fail again when freed.
        ctypes.CDLL(library)
        return module.load_delegate(library)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"model {entry.name}: delegate {provider} ({library}) cannot be loaded: {error}; "
            "install it and look whether the device is plugged in, or leave it out of "
            "runtime.providers"
        ) from error


def _content(entry: ModelEntry, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"model {entry.name} at {path} cannot be read: {error}") from error


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Drop one known line from the process's standard error; all else is passed on."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            caught.seek(0)
            lines = [line for line in caught if _CHATTER not in line]
            os.write(terminal, b"".join(lines))
            os.close(terminal)
