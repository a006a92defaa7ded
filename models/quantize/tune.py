"""Fine-tune a gain and a shift for each output channel, so that the changed model says again what
the float one says.

The float model is the teacher, the calibration pictures (mirrored, scaled, moved, in other light)
are what both look at. Weights stay as they are: a gain goes into a channel's int8 scale and a
shift into its bias, so that the recipe stays small and the file no slower. It is bias correction
(Nagel et al., "Data-free quantization", 2019) taken further: by gradient, and for clamps too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.quantize.graph import Graph
from models.quantize.rewrite import weights_of

# What gains and shifts are counted in.
STEP = 1e-4


def fine_tuned(
    graph: Graph, gains: Mapping[str, tuple[int, ...]], shifts: Mapping[str, tuple[int, ...]]
) -> Graph:
    """Put gains and shifts into the convolutions' weights and biases.

    Args:
        graph: left as it is.
        gains, shifts: see `models.quantize.recipe.Recipe`.

    Raises:
        KeyError: there is no such convolution.
    """
    made = graph.copy()
    by_name = {node.name: node for node in made.nodes if node.op_type == "Conv"}
    for name in gains.keys() | shifts.keys():
        conv = by_name[name]
        weights, bias = weights_of(made, conv)
        zeros = (0,) * len(bias)
        factor = 1 + np.array(gains.get(name, zeros), np.float32) * np.float32(STEP)
        added = np.array(shifts.get(name, zeros), np.float32) * np.float32(STEP)
        made.constants[f"{conv.output[0]}_tw"] = weights * factor[:, None, None, None]
        made.constants[f"{conv.output[0]}_tb"] = bias + added
        del conv.input[1:]
        conv.input.extend([f"{conv.output[0]}_tw", f"{conv.output[0]}_tb"])
    return made
