"""Solve the last convolutions of a YOLOX head anew for what reaches them once the rest is
quantized: by least squares, towards what the float model says, staying near the old weights.

Bias correction (Nagel et al., "Data-free quantization", 2019) is the case of a bias alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from models.quantize.graph import Graph
from models.quantize.loss import BOX_WEIGHT
from models.quantize.prune import Solved
from models.quantize.rewrite import weights_of
from models.quantize.run import outputs

Floats = NDArray[np.float64]

_DIGITS = 5
# Of the mean diagonal: how strongly weights are held where they are.
_HOLD = 0.02
# Cells fainter than this (objectness) are left out but for a few.
_FAINT, _EVERY = 0.01, 37
_SPREAD = 1e-3


def last_convolutions(graph: Graph) -> list[tuple[NodeProto, NodeProto, NodeProto]]:
    """Those that give box, objectness and classes, scale by scale."""
    makers = graph.makers()
    found = []
    for join in graph.nodes:
        if join.op_type != "Concat" or len(join.input) != 3:
            continue
        made = [makers.get(name) for name in join.input]
        if [one.op_type if one else "" for one in made] != ["Conv", "Sigmoid", "Sigmoid"]:
            continue
        box, objectness, classes = (one for one in made if one is not None)
        found.append((box, makers[objectness.input[0]], makers[classes.input[0]]))
    return found


def refit(
    teacher: Graph, narrow: Graph, quantized: Graph, inputs: Sequence[NDArray[Any]], threads: int
) -> dict[str, Solved]:
    """New weights for the last convolutions.

    Args:
        teacher: the rewritten float graph.
        narrow: the float graph that ``quantized`` was made of; its weights are held on to.
        quantized: what reaches the last convolutions.
        inputs: one per picture.
        threads: of one inference.
    """
    scales = last_convolutions(teacher)
    asked = [conv.output[0] for scale in scales for conv in scale]
    wanted = _cells(teacher, asked, inputs, threads)
    mine = {node.name: node for node in quantized.nodes if node.op_type == "Conv"}
    held = {node.name: node for node in narrow.nodes if node.op_type == "Conv"}
    sources = {conv.name: mine[conv.name].input[0] for scale in scales for conv in scale}
    reached = _cells(quantized, sorted(set(sources.values())), inputs, threads)
    solved = {}
    for scale in scales:
        box, objectness, classes = (wanted[conv.output[0]] for conv in scale)
        sure, person = _sigmoid(objectness[:, 0]), _sigmoid(classes[:, 0])
        kept = (sure >= _FAINT) | (np.arange(len(sure)) % _EVERY == 0)
        # What a step of each logit does to the score; boxes count where there is someone.
        weights = (
            (sure * person) ** 2 * BOX_WEIGHT,
            (person * sure * (1 - sure)) ** 2 + _SPREAD * person * sure,
            (sure * person * (1 - person)) ** 2 + _SPREAD * person * sure,
        )
        for conv, target, weight in zip(scale, (box, objectness, classes), weights, strict=True):
            old = weights_of(narrow, held[conv.name])
            solved[conv.name] = _moved(
                old[0][:, :, 0, 0].astype(np.float64), old[1].astype(np.float64),
                reached[sources[conv.name]][kept], target[kept], weight[kept] + 1e-7,
            )  # fmt: skip
    return solved


def _moved(
    weights: Floats, bias: Floats, source: Floats, target: Floats, weight: Floats
) -> Solved:
    """Weights and bias a little away from the old ones, nearer to the target."""
    total = weight.sum()
    missing = target - source @ weights.T - bias
    source_mean, missing_mean = weight @ source / total, weight @ missing / total
    away = source - source_mean
    gram = away.T @ (away * weight[:, None])
    gram[np.diag_indices_from(gram)] += _HOLD * np.trace(gram) / len(gram) + 1e-12
    more = np.linalg.solve(gram, away.T @ ((missing - missing_mean) * weight[:, None])).T
    moved = weights + more
    shift = bias + missing_mean - more @ source_mean
    return Solved(
        tuple(tuple(round(float(one), _DIGITS) for one in row) for row in moved),
        tuple(round(float(one), _DIGITS) for one in shift),
    )


def _cells(
    graph: Graph, names: Sequence[str], inputs: Sequence[NDArray[Any]], threads: int
) -> Mapping[str, Floats]:
    """Tensors of all pictures, a row a cell; float64 [cells, channels]."""
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for found in outputs(graph, inputs, threads, names):
        for name, array in zip(names, found[len(graph.outputs) :], strict=True):
            parts[name].append(array[0].reshape(array.shape[1], -1).T)
    return {name: np.concatenate(arrays).astype(np.float64) for name, arrays in parts.items()}


def _sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = 1 / (1 + np.exp(-x))
    return found
