"""What flows through a graph on the calibration pictures, and the ranges that suit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.quantize.graph import Graph
from models.quantize.insert import Range, scale_and_zero
from models.quantize.run import outputs

Floats = NDArray[np.float32]

# Values kept of each tensor and picture. 40 pictures give 80,000: enough for a 99.99 percentile.
_KEPT = 2048
# Shares of the full range that are tried for either end.
_SHARES = tuple(float(share) for share in np.linspace(0.25, 1.0, 31))
# Of the values kept, those that ranges are tried on.
_LOOKED_AT = 20_000
_DIGITS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One tensor over all pictures.

    Args:
        low, high: the smallest and the largest value.
        values: float32 [N], drawn from all.
    """

    low: float
    high: float
    values: Floats


def observe(
    graph: Graph,
    names: Sequence[str],
    inputs: Sequence[NDArray[Any]],
    threads: int,
    draw: np.random.Generator,
) -> dict[str, Seen]:
    """Watch tensors while the graph runs.

    Args:
        graph: in float.
        names: tensors [1, channels, height, width]; may hold the graph's inputs.
        inputs: one per picture.
        threads: of one inference.
        draw: draws the values that are kept.
    """
    inner = [name for name in names if name not in graph.inputs]
    parts: dict[str, list[tuple[float, float, Floats]]] = {name: [] for name in names}
    count = len(graph.outputs)
    for tensor, found in zip(inputs, outputs(graph, inputs, threads, inner), strict=True):
        watched = dict(zip(inner, found[count:], strict=True))
        for name in names:
            array = watched.get(name, tensor).astype(np.float32, copy=False)
            flat = array.ravel()
            kept = flat[draw.integers(0, flat.size, _KEPT)]
            parts[name].append((float(flat.min()), float(flat.max()), kept))
    return {name: _joined(some) for name, some in parts.items()}


def full_range(seen: Seen) -> Range:
    """From the smallest to the largest value (min-max)."""
    return _rounded(seen.low, seen.high)


def percentile_range(seen: Seen, share: float) -> Range:
    """Between two percentiles, each leaving ``share`` of the values outside, 0..1."""
    low, high = np.quantile(seen.values, [share, 1 - share])
    return _rounded(float(low), float(high))


def least_error_range(seen: Seen, before_silu: bool) -> Range:
    """The range whose rounding and saturation together cost least, by mean squared error.

    Args:
        seen: the tensor.
        before_silu: what counts is x * sigmoid(x) of the values. Far below zero all values
            become the same nothing, which need not be told apart.
    """
    values = seen.values[:: max(1, len(seen.values) // _LOOKED_AT)]
    wanted = _silu(values) if before_silu else values

    def error(found: Range) -> float:
        rounded = _round_trip(values, found)
        return float((((_silu(rounded) if before_silu else rounded) - wanted) ** 2).mean())

    # One end after the other: they hardly depend on each other.
    tops = [(seen.low, max(seen.high, 0.0) * share) for share in _SHARES]
    top = min(tops, key=error)[1]
    if not before_silu or seen.low >= 0:
        return _rounded(seen.low, top)
    return _rounded(*min(((seen.low * share, top) for share in _SHARES), key=error))


def _round_trip(values: Floats, found: Range) -> Floats:
    scale, zero = scale_and_zero(*found)
    steps = np.clip(np.rint(values / scale) + zero, 0, 255)
    back: Floats = ((steps - zero) * scale).astype(np.float32)
    return back


def _silu(values: Floats) -> Floats:
    found: Floats = values / (1 + np.exp(-values))
    return found


def _rounded(low: float, high: float) -> Range:
    return round(low, _DIGITS), round(high, _DIGITS)


def _joined(parts: list[tuple[float, float, Floats]]) -> Seen:
    lows, highs, values = zip(*parts, strict=True)
    return Seen(min(lows), max(highs), np.concatenate(values))
