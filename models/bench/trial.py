"""The ways in which a model could be run here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.config import RuntimeConfig, Tflite
from edge_agent.errors import ModelError
from edge_agent.manifest import Manifest, ModelEntry, model_path, verify
from edge_agent.runtimes import edgetpu

_CPU, _EDGETPU = "cpu", "edgetpu"
# What may help an accelerator with operators that it lacks, in this order.
_WITH = {"tensorrt": ("tensorrt", "cuda", "cpu")}


@dataclass(frozen=True, slots=True)
class Trial:
    """One way of running one model.

    Args:
        model: its name.
        runtime: threads, providers and interpreter.
    """

    model: str
    runtime: RuntimeConfig

    @property
    def words(self) -> str:
        """The way in words: runtime, providers and threads."""
        threads = self.runtime.threads
        return f"{self.runtime_name}, {threads} thread{'s' if threads > 1 else ''}"

    @property
    def runtime_name(self) -> str:
        """Runtime and, where it is not the processor alone, providers."""
        how = self.runtime.tflite.value if self.runtime.tflite is not None else "onnxruntime"
        return " ".join([how, "+".join(self.runtime.providers)]).strip()


@dataclass(frozen=True, slots=True)
class Here:
    """What is installed.

    Args:
        providers: of onnxruntime, as a site file names them; empty = it is not installed.
        interpreters: of TFLite files, the preferred first; empty = none is.
    """

    providers: tuple[str, ...]
    interpreters: tuple[str, ...]

    @classmethod
    def look(cls) -> Here:
        """Ask the runtimes; one that cannot be imported is not there."""
        return cls(
            _ask(lambda: _module("onnx").available()), _ask(lambda: _module("tflite").installed())
        )


@dataclass(frozen=True, slots=True)
class Family:
    """A model, what is made from it, and how each could be run.

    Args:
        root: the model that the others are judged by.
        trials: the first is the root as it runs by default: the reference.
    """

    root: ModelEntry
    trials: tuple[Trial, ...]


def families(
    manifest: Manifest, names: Iterable[str], here: Here, threads: Sequence[int]
) -> tuple[list[Family], list[str]]:
    """The families of the models named, as far as their files are here.

    Args:
        manifest: all models.
        names: those asked for; a model that is made from another brings the other in.
        here: what is installed.
        threads: counts to try, rising, the first is 1.

    Returns:
        The families, and a line for each model that cannot be measured.

    Raises:
        ModelError: a name is unknown.
    """
    roots = dict.fromkeys(_root(manifest, manifest.get(name)).name for name in names)
    found, left_out = [], []
    for name in roots:
        root = manifest.get(name)
        members = [e for e in manifest.entries if e is root or e.made_from == name]
        usable = []
        for entry in members:
            try:
                verify(entry, model_path(entry))
            except ModelError as error:
                left_out.append(str(error))
            else:
                usable.append(entry)
        trials = [trial for entry in usable for trial in _trials(entry, here, threads)]
        if root in usable and not any(trial.model == name for trial in trials):
            left_out.append(f"{name}: no runtime for {root.file} is installed")
        elif root in usable:
            found.append(Family(root, tuple(trials)))
    return found, left_out


def thread_counts(cores: int) -> tuple[int, ...]:
    """1, 2, 4 and so on up to the cores, and all of them."""
    powers = [1 << i for i in range(cores.bit_length()) if 1 << i <= cores]
    return tuple(sorted({*powers, cores}))


def _trials(entry: ModelEntry, here: Here, threads: Sequence[int]) -> list[Trial]:
    path = model_path(entry)
    if path.suffix == ".tflite":
        ways = [
            RuntimeConfig(count, (), Tflite(name))
            for name in here.interpreters
            for count in threads
        ]
        if _compiled(path):
            ways = [RuntimeConfig(1, (_EDGETPU,), Tflite(name)) for name in here.interpreters]
    else:
        ways = [RuntimeConfig(count) for count in threads if _CPU in here.providers]
        ways += [
            RuntimeConfig(1, _WITH.get(name, (name, _CPU)))
            for name in here.providers
            if name != _CPU
        ]
    return [Trial(entry.name, way) for way in ways]


def _compiled(path: Path) -> bool:
    """Whether the Edge TPU's compiler made this file: it runs on nothing else."""
    return edgetpu.OPERATOR in path.read_bytes()


def _root(manifest: Manifest, entry: ModelEntry) -> ModelEntry:
    return entry if entry.made_from is None else manifest.get(entry.made_from)


def _module(name: str) -> Any:
    from importlib import import_module

    return import_module(f"edge_agent.runtimes.{name}")


def _ask(question: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
    try:
        return question()
    except ImportError:
        return ()
