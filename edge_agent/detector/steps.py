"""What all detectors have in common: three steps, of which only the last hangs on the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from edge_agent.detector.fitting import Fitting
from edge_agent.manifest import ModelEntry
from edge_agent.observations import Detections, Frame

Run = Callable[[NDArray[Any]], list[NDArray[Any]]]


class Detector(ABC):
    """Prepare, run, decode.

    Args:
        entry: the model.
        runtime: runs it, `edge_agent.runtimes.Runtime` or anything called like it.
    """

    def __init__(self, entry: ModelEntry, runtime: Run) -> None:
        self.runtime = runtime
        self._name = entry.name
        self._spec = entry.input
        self._limits = entry.limits
        self._fitting = Fitting(entry.input)

    def __call__(self, frame: Frame) -> Detections:
        """The people in the frame, best first, with scores from the manifest's threshold up."""
        return self.decode(self.runtime(self.prepare(frame)), frame)

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of the model's input, pixels."""
        return self._spec.width, self._spec.height

    def prepare(self, frame: Frame) -> NDArray[Any]:
        """The model's input, see `Fitting`."""
        return self._fitting(frame)

    @abstractmethod
    def decode(self, outputs: list[NDArray[Any]], frame: Frame) -> Detections:
        """The people in the model's output.

        Args:
            outputs: as the model's decoder says.
            frame: the frame that was prepared; only its size and time are read.

        Raises:
            ModelError: the outputs have other shapes.
        """
