"""SiLU that a clamp can stand in for.

x * sigmoid(x) is a ramp with a dip of 0.28 below zero. Behind a layer whose values lie mostly on
the ramp, or where the dip hardly matters for what the model says, max(scale * x + shift, floor)
does as well and costs nothing: a runtime applies it while it writes the convolution's output.
Where it may stand in is measured, layer by layer, see `models.quantize.search`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from models.quantize.graph import Graph, scalar
from models.quantize.recipe import Clamp
from models.quantize.rewrite import weights_of
from models.quantize.units import units

Floats = NDArray[np.floating[Any]]

# Where the ramp may begin: from below the dip's lowest point (-1.28) to above zero.
_BENDS = tuple(float(bend) for bend in np.linspace(-0.9, 0.3, 25))
# Digits of a recipe's numbers: finer than any step of 8 bits.
_DIGITS = 5


def fit_clamp(values: Floats) -> Clamp:
    """The clamp that is nearest to SiLU over some values, by least squares.

    Args:
        values: [N], of the convolution's output.
    """
    x = values.astype(np.float64)
    wanted = x / (1 + np.exp(-x))
    best: tuple[float, Clamp] | None = None
    for bend in _BENDS:
        ramp = np.maximum(x, bend)
        spread = ramp.var()
        scale = float(((ramp - ramp.mean()) * wanted).mean() / spread) if spread > 0 else 1.0
        scale = max(scale, 1e-3)
        shift = float(wanted.mean() - scale * ramp.mean())
        floor = scale * bend + shift
        error = float(((scale * ramp + shift - wanted) ** 2).mean())
        # Zero lies in every int8 range: a floor above it could not saturate there.
        if floor <= 0 and (best is None or error < best[0]):
            best = error, Clamp(*(round(one, _DIGITS) for one in (scale, shift, floor)))
    return best[1] if best is not None else Clamp(1.0, 0.0, 0.0)


def clamp_activations(graph: Graph, clamps: Mapping[str, Clamp]) -> Graph:
    """Put clamps where the recipe says; the convolution takes scale and shift into its weights.

    The convolution keeps its name; a node ``Clip`` gives out what SiLU gave out.

    Args:
        graph: left as it is.
        clamps: by the convolution's output; names that the graph has no SiLU for are an error.
    """
    made = graph.copy()
    by_name = {unit.name: unit for unit in units(made)}
    for name, clamp in clamps.items():
        unit = by_name[name]
        assert unit.sigmoid is not None
        assert unit.product is not None
        weights, bias = weights_of(made, unit.conv)
        made.constants[f"{name}_cw"] = (weights * np.float32(clamp.scale)).astype(np.float32)
        made.constants[f"{name}_cb"] = (bias * clamp.scale + clamp.shift).astype(np.float32)
        made.constants[f"{name}_floor"] = scalar(clamp.floor)
        del unit.conv.input[1:]
        unit.conv.input.extend([f"{name}_cw", f"{name}_cb"])
        clip = helper.make_node("Clip", [name, f"{name}_floor"], [unit.output], name=f"{name}_clip")
        made.replace([unit.sigmoid, unit.product], [clip])
    return made
