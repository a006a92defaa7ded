"""TFLite files, by whichever interpreter is installed: the faster first.

MoveNet Lightning int8 takes 4.3 ms with ai-edge-litert 2.3 and 55 ms with tflite-runtime 2.14 on
the same x86 core (measured); tflite-runtime ended at Python 3.11 and needs numpy below 2.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError
from edge_agent.manifest import ModelEntry
from edge_agent.runtimes import edgetpu

# Module and distribution of each interpreter, the faster first.
INTERPRETERS = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", "tflite-runtime"),
)
# How a site file names them -> the distribution.
NAMES = {"litert": "ai-edge-litert", "tflite-runtime": "tflite-runtime"}
_CPU = "cpu"
# Loads each delegate: (entry, path, interpreter's module) -> delegate.
_DELEGATES: dict[str, Callable[[ModelEntry, Path, Any], Any]] = {"edgetpu": edgetpu.load}
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
    interpreter: str | None = None,
    interpreters: tuple[tuple[str, str], ...] = INTERPRETERS,
) -> TfliteRuntime:
    """Load a TFLite file with the interpreter named, or the first that is installed.

    Args:
        entry: what the file should be.
        path: the file.
        threads: of one inference.
        providers: cpu or edgetpu; none = cpu.
        interpreter: litert or tflite-runtime; None = no preference.
        interpreters: module and distribution of those that may be taken, in this order.

    Raises:
        ModelError: see `edge_agent.runtimes.open_runtime`.
    """
    module, name = _interpreter(entry, _allowed(entry, interpreter, interpreters))
    wanted = tuple(provider.lower() for provider in providers) or (_CPU,)
    delegates = [_delegate(entry, path, module, one) for one in wanted if one != _CPU]
    try:
        with _without_chatter():
            loaded = module.Interpreter(
                model_path=str(path), num_threads=threads, experimental_delegates=delegates or None
            )
            loaded.allocate_tensors()
    except (RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"model {entry.name}: {name} cannot load {path}: {reason}") from error
    inputs = [found["name"] for found in loaded.get_input_details()]
    if inputs != [entry.input.name]:
        raise ModelError(
            f"{path}: the inputs of model {entry.name} are {', '.join(inputs)}, the manifest says "
            f"{entry.input.name}"
        )
    return TfliteRuntime(loaded, name, wanted)


def installed() -> tuple[str, ...]:
    """The interpreters that can be used here, as a site file names them, the faster first."""
    return tuple(
        name
        for module, distribution in INTERPRETERS
        for name, known in NAMES.items()
        if known == distribution and _found(module, distribution) is not None
    )


def _allowed(
    entry: ModelEntry, interpreter: str | None, interpreters: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    if interpreter is None:
        return interpreters
    if interpreter not in NAMES:
        raise ModelError(
            f"model {entry.name}: no TFLite interpreter is called {interpreter!r}; allowed in "
            f"runtime.tflite: {' | '.join(NAMES)}"
        )
    return tuple(pair for pair in interpreters if pair[1] == NAMES[interpreter])


def _interpreter(entry: ModelEntry, interpreters: tuple[tuple[str, str], ...]) -> tuple[Any, str]:
    for module, distribution in interpreters:
        number = _found(module, distribution)
        if number is not None:
            return importlib.import_module(module), f"{distribution} {number}"
    raise ModelError(
        f"model {entry.name} is a TFLite file and no interpreter for it is installed "
        f"({', '.join(distribution for _, distribution in interpreters)}); "
        "run: pip install 'shelflight[tflite]'"
    )


def _found(module: str, distribution: str) -> str | None:
    """The version that is installed and usable with this numpy."""
    try:
        importlib.import_module(module)
        number = version(distribution)
    except (ImportError, PackageNotFoundError):
        return None
    if distribution == "tflite-runtime" and int(np.__version__.split(".")[0]) >= 2:
        # It imports, and fails only when a model is loaded.
        return None
    return number


def _delegate(entry: ModelEntry, path: Path, module: Any, provider: str) -> Any:
    load = _DELEGATES.get(provider)
    if load is None:
        raise ModelError(
            f"model {entry.name}: TFLite has no delegate {provider!r}; allowed in "
            f"runtime.providers: {', '.join((_CPU, *_DELEGATES))}"
        )
    return load(entry, path, module)


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
