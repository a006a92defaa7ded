"""From a frame to a detector's input: fitted into the top left, its aspect kept."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.manifest import InputSpec
from edge_agent.observations import Frame
from edge_agent.tensor import InputTensor, PictureReader


class Fitting:
    """Writes frames into a model's input; the array is the same one at each call.

    Args:
        spec: what the model takes.
    """

    def __init__(self, spec: InputSpec) -> None:
        self._spec = spec
        self._reader = PictureReader(spec.colour)
        self._tensor = InputTensor(spec)
        self._fitted: NDArray[np.uint8] = np.empty((0, 0, 3), np.uint8)

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of the model's input, pixels."""
        return self._spec.width, self._spec.height

    def __call__(self, frame: Frame) -> NDArray[Any]:
        """The model's input: the frame fitted into the top left, padding right and below.

        The array is the same one at each call.
        """
        width, height = fitted_size(frame, self._spec)
        if self._fitted.shape[:2] != (height, width):
            self._fitted = np.empty((height, width, 3), np.uint8)
            self._tensor.clear()
        picture, colour = self._reader.read(frame)
        if picture.shape[:2] == (height, width):
            self._tensor.write(picture, colour)
        else:
            cv2.resize(picture, (width, height), dst=self._fitted, interpolation=cv2.INTER_LINEAR)
            self._tensor.write(self._fitted, colour)
        return self._tensor.array


def fitted_size(frame: Frame, spec: InputSpec) -> tuple[int, int]:
    """Width and height of the frame in the model's input, its aspect kept."""
    ratio = min(spec.width / frame.width, spec.height / frame.height)
    return max(1, round(frame.width * ratio)), max(1, round(frame.height * ratio))
