"""From a frame to a detector's input: fitted into the top left, its aspect kept."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from edge_agent.manifest import InputSpec
from edge_agent.observations import Frame
from edge_agent.tensor import InputTensor


class Fitting:
    """Writes frames into a model's input; the array is the same one at each call.

    Args:
        spec: what the model takes.
    """

    def __init__(self, spec: InputSpec) -> None:
        self._spec = spec
        self._tensor = InputTensor(spec)
        self._size = (0, 0)

    def __call__(self, frame: Frame) -> NDArray[Any]:
        """The model's input: the frame fitted into the top left, padding right and below.

        The array is the same one at each call.
        """
        size = fitted_size(frame, self._spec)
        if size != self._size:
            self._size = size
            self._tensor.clear()
        self._tensor.fit(frame, *size)
        return self._tensor.array


def fitted_size(frame: Frame, spec: InputSpec) -> tuple[int, int]:
    """Width and height of the frame in the model's input, its aspect kept."""
    return fitted((frame.width, frame.height), (spec.width, spec.height))


def fitted(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """Width and height of something of such a size, or of such sides, as large as has room."""
    ratio = min(room[0] / size[0], room[1] / size[1])
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))
