"""Solve a YOLOX head's pointwise convolutions anew for what reaches them once all is quantized.

Stage by stage, from the stems to the last convolutions, each by least squares towards what the
float model says there, staying near the old weights. What rounding and clamps do to every picture
alike is taken back; noise is not. Bias correction (Nagel et al., "Data-free quantization", 2019) is
the case of a bias alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from models.quantize.graph import Graph, attribute
from models.quantize.loss import BOX_WEIGHT
from models.quantize.prune import Solved
from models.quantize.recipe import Recipe
from models.quantize.rewrite import weights_of
from models.quantize.run import outputs
from models.quantize.units import units

Floats = NDArray[np.float64]
Tensors = Sequence[NDArray[Any]]

_DIGITS = 6
# Of the mean diagonal: how strongly weights are held where they are.
_HOLD = 0.05
# Of the cells that matter to no score every so many is looked at, and weighs this much.
_EVERY, _ELSEWHERE = 37, 1e-3
_SPREAD = 1e-3
# Of an objectness logit, up and down.
_MOST_SHIFT = 0.5
# Around the score from which a unit takes a box for a person, 0.3.
_THRESHOLDS = (0.25, 0.275, 0.3, 0.325, 0.35)
# Stems, first and second convolutions of the branches, last ones.
_DEPTH = 4
# Cells that see a person's cell through two 3x3 convolutions.
_AROUND = 5


def stages(graph: Graph) -> list[list[NodeProto]]:
    """The head's pointwise convolutions, those that others follow on first."""
    makers = graph.makers()
    by_output = {unit.output: unit for unit in units(graph)}
    last = [conv for scale in last_convolutions(graph) for conv in scale]
    found = [last]
    while True:
        before = {}
        for conv in found[0]:
            unit = by_output.get(conv.input[0])
            while unit is not None and attribute(unit.conv, "group", 1) > 1:
                unit = by_output.get(unit.conv.input[0])
            if unit is not None and makers[unit.name].op_type == "Conv":
                before[unit.conv.name] = unit.conv
        if not before or len(found) == _DEPTH:
            return found
        found.insert(0, list(before.values()))


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
    teacher: Graph, recipe: Recipe, finish: Callable[[Recipe], Graph], narrow: Graph,
    inputs: Tensors, threads: int, report: Callable[[], None],
) -> Recipe:  # fmt: skip
    """The recipe with new weights for the head.

    Args:
        teacher: the rewritten float graph.
        recipe: otherwise ready.
        finish: makes the quantized graph of a recipe.
        narrow: the float graph that it is made of; its weights are held on to.
        inputs: one per picture.
        threads: of one inference.
        report: is told after each stage.
    """
    scales = last_convolutions(teacher)
    lasts = {conv.name: (k, place) for k, s in enumerate(scales) for place, conv in enumerate(s)}
    every = stages(teacher)
    names = [conv.output[0] for stage in every for conv in stage]
    wanted = _pictures(teacher, names, inputs, threads)
    held = {node.name: node for node in narrow.nodes if node.op_type == "Conv"}
    for stage in every:
        quantized = finish(recipe)
        mine = {node.name: node for node in quantized.nodes if node.op_type == "Conv"}
        said = [conv.output[0] for scale in scales for conv in scale[1:]]
        sources = sorted({mine[conv.name].input[0] for conv in stage})
        reached = _pictures(quantized, [*sources, *said], inputs, threads)
        weights = [_weights(scale, wanted, reached) for scale in scales]
        by_size = {one[3].shape: one for one in weights}
        solved = dict(recipe.solved)
        for conv in stage:
            target = wanted[conv.output[0]]
            near = by_size[target[:, 0].shape]
            weight = near[lasts[conv.name][1]] if conv.name in lasts else near[3]
            kept = (weight > 1e-6).ravel() | (np.arange(weight.size) % _EVERY == 0)
            dropped = set(recipe.dropped.get(conv.output[0], ()))
            rows = [row for row in range(target.shape[1]) if row not in dropped]
            old = weights_of(narrow, held[conv.name])
            solved[conv.name] = _moved(
                old[0][:, :, 0, 0].astype(np.float64), old[1].astype(np.float64),
                _cells(reached[mine[conv.name].input[0]], kept),
                _cells(target, kept)[:, rows], weight.ravel()[kept] + _ELSEWHERE * weight.mean(),
            )  # fmt: skip
        recipe = replace(recipe, solved=solved)
        report()
    return recipe


def level(
    teacher: Graph, recipe: Recipe, finish: Callable[[Recipe], Graph], inputs: Tensors,
    threads: int,
) -> Recipe:  # fmt: skip
    """The recipe with objectness moved so that as many people are seen as before.

    A person is a peak of the score. Least squares draws scores together, and a peak that is lower
    near the working threshold is a person lost.

    Args:
        teacher: the rewritten float graph.
        recipe: refitted.
        finish: makes the quantized graph of a recipe.
        inputs: one per picture.
        threads: of one inference.
    """
    scales = last_convolutions(teacher)
    names = [name for scale in scales for name in _logits(scale)]
    wanted = _pictures(teacher, names, inputs, threads)
    found = _pictures(finish(recipe), names, inputs, threads)
    seen = _people(wanted, scales, 0.0)
    shifts = np.linspace(-_MOST_SHIFT, _MOST_SHIFT, 101)
    apart = [abs(_people(found, scales, float(shift)) - seen) for shift in shifts]
    # Several shifts may do as well: the middle one, far from where the count changes.
    best = np.flatnonzero(np.array(apart) == min(apart))
    shift = float(shifts[best[len(best) // 2]])
    solved = dict(recipe.solved)
    for _, conv, _ in scales:
        old = solved[conv.name]
        bias = np.round(old.bias + shift, _DIGITS).astype(np.float32)
        solved[conv.name] = Solved(old.weights, bias)
    return replace(recipe, solved=solved)


def _people(
    said: Mapping[str, NDArray[np.float32]],
    scales: Sequence[tuple[NodeProto, NodeProto, NodeProto]],
    shift: float,
) -> int:
    """Peaks of the score, counted at thresholds around the working one."""
    total = 0
    for scale in scales:
        objectness, person = (said[name][:, 0].astype(np.float64) for name in _logits(scale))
        score = _sigmoid(objectness + shift) * _sigmoid(person)
        size = np.ones((_AROUND, _AROUND), np.uint8)
        highest = np.stack([np.asarray(cv2.dilate(one, size), np.float64) for one in score])
        total += sum(int(((score == highest) & (score >= at)).sum()) for at in _THRESHOLDS)
    return total


def _logits(scale: tuple[NodeProto, NodeProto, NodeProto]) -> list[str]:
    return [conv.output[0] for conv in scale[1:]]


def _moved(weights: Floats, bias: Floats, source: Floats, target: Floats, weight: Floats) -> Solved:
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
    return Solved(moved.astype(np.float16), np.round(shift, _DIGITS).astype(np.float32))


def _weights(
    scale: tuple[NodeProto, NodeProto, NodeProto],
    wanted: Mapping[str, NDArray[np.float32]],
    reached: Mapping[str, NDArray[np.float32]],
) -> tuple[Floats, Floats, Floats, Floats]:
    """How much each cell counts for box, objectness, classes, and for what lies before them.

    A cell counts where either model sees someone: what only the quantized one sees must go, too.
    """
    found = []
    for said in (wanted, reached):
        sure, person = (_sigmoid(said[conv.output[0]][:, 0]) for conv in scale[1:])
        score = (sure * person).astype(np.float64)
        found.append(
            (
                score**2 * BOX_WEIGHT,
                (score * (1 - sure)) ** 2 + _SPREAD * score**2,
                (score * (1 - person)) ** 2 + _SPREAD * score**2,
                score**2,
            )
        )
    box, objectness, classes, score = (np.maximum(a, b) for a, b in zip(*found, strict=True))
    size = np.ones((_AROUND, _AROUND), np.uint8)
    around: Floats = np.stack([np.asarray(cv2.dilate(one, size), np.float64) for one in score])
    return box, objectness, classes, around


def _pictures(
    graph: Graph, names: Sequence[str], inputs: Tensors, threads: int
) -> dict[str, NDArray[np.float32]]:
    """Tensors over all pictures, [pictures, channels, height, width]."""
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for found in outputs(graph, inputs, threads, list(parts)):
        for name, array in zip(parts, found[len(graph.outputs) :], strict=True):
            parts[name].append(array)
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _cells(found: NDArray[np.float32], kept: NDArray[np.bool_]) -> Floats:
    """A row a cell, float64 [cells, channels]."""
    rows = found.transpose(0, 2, 3, 1).reshape(-1, found.shape[1])
    cells: Floats = rows[kept].astype(np.float64)
    return cells


def _sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = 1 / (1 + np.exp(-x))
    return found
