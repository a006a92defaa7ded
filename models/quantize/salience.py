"""What each channel is worth to the person scores, measured in one pass; and which may go.

The loss (see `models.quantize.loss`) is quadratic around the float model, so what leaving out one
channel costs is the squared answer of the scores to its deviation from its mean: by gradient, with
random signs over the cells (Hutchinson's estimator of the Gauss-Newton diagonal).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.quantize.graph import Array, Graph
from models.quantize.kernels import Cost
from models.quantize.loss import BOX, BOX_WEIGHT, LIKELY, OBJECTNESS, PERSON
from models.quantize.prune import Reach, reaches
from models.quantize.student import Student, run_node

Tensors = Sequence[NDArray[Any]]

# Channels go by so many: onnxruntime's float kernels compute eight at once, its int8 kernels pad.
_BLOCK = 8
# Cells below what counts as likely still tell what a channel does.
_FAINT = LIKELY / 2


@dataclass(frozen=True, slots=True, eq=False)
class Salience:
    """Of the channels that could go.

    Args:
        losses: loss without each channel, by unit; float64 [channels].
        means: of each channel of the convolutions' inputs, by tensor; float32.
    """

    losses: Mapping[str, Array]
    means: Mapping[str, Array]


def salience(
    graph: Graph, inputs: Tensors, probes: int, draw: np.random.Generator,
    report: Callable[[], None],
) -> Salience:  # fmt: skip
    """Measure on some pictures.

    Args:
        graph: rewritten.
        inputs: one per picture.
        probes: random signs per picture; more are less noisy.
        draw: draws the signs.
        report: is told after each picture.
    """
    student = Student(graph)
    student.requires_grad_(requires_grad=False)
    outputs = {one.unit.output: one.unit.name for one in reaches(graph)}
    sources = {node.input[0] for node in graph.nodes if node.op_type == "Conv"}
    means = _means(student, graph, sources | outputs.keys(), inputs)
    losses = {name: np.zeros(len(means[output])) for output, name in outputs.items()}
    cells = 0
    for one in inputs:
        values = _values(student, graph, torch.from_numpy(one), outputs)
        rows = values[graph.outputs[0]][0]
        scores = rows[:, OBJECTNESS] * rows[:, PERSON]
        cells += int((scores >= LIKELY).sum())
        for _ in range(probes):
            answer = _probe(rows, scores, draw)
            watched = [values[output] for output in outputs]
            slopes = torch.autograd.grad(answer, watched, retain_graph=True)
            for (output, name), slope in zip(outputs.items(), slopes, strict=True):
                away = values[output].detach() - torch.from_numpy(means[output])[:, None, None]
                found = (away * slope).sum(dim=(0, 2, 3)).numpy()
                losses[name] += found.astype(np.float64) ** 2 / probes
        report()
    return Salience({name: one / max(1, cells) for name, one in losses.items()}, means)


def choose_channels(
    graph: Graph, found: Salience, costs: Mapping[str, Cost], price: float
) -> dict[str, tuple[int, ...]]:
    """The channels that cost more time than they are worth, in blocks, by unit.

    Args:
        graph: rewritten.
        found: what they are worth.
        costs: microseconds of each unit.
        price: microseconds that a unit of loss is worth.
    """
    dropped = {}
    for reach in reaches(graph):
        losses = found.losses[reach.unit.name]
        order = np.argsort(losses, kind="stable")
        each = _us_per_channel(graph, reach, costs, len(order))
        count = 0
        # One block stays: a convolution needs channels.
        while count + 2 * _BLOCK <= len(order):
            block = order[count : count + _BLOCK]
            if price * float(losses[block].sum()) > each * _BLOCK:
                break
            count += _BLOCK
        if count:
            dropped[reach.unit.name] = tuple(sorted(int(one) for one in order[:count]))
    return dropped


def _us_per_channel(
    graph: Graph, reach: Reach, costs: Mapping[str, Cost], channels: int
) -> float:
    total = 0.0
    for conv in (reach.unit.conv, *reach.depthwise):
        cost = costs[conv.output[0]]
        total += (cost.conv + cost.silu) / channels
    for conv, _ in reach.readers:
        total += costs[conv.output[0]].conv / graph.constants[conv.input[1]].shape[1]
    return total


def _probe(rows: Tensor, scores: Tensor, draw: np.random.Generator) -> Tensor:
    """A random sum over the likely cells whose square is, on average, the loss times the cells."""
    likely = scores >= _FAINT
    signs = draw.choice(np.array([-1, 1], np.float32), (int(likely.sum()), 5))
    drawn = torch.from_numpy(signs)
    boxes = (drawn[:, :4] * rows[likely, BOX]).sum() * (BOX_WEIGHT / 4) ** 0.5
    found: Tensor = (drawn[:, 4] * scores[likely]).sum() + boxes
    return found


def _values(
    student: Student, graph: Graph, picture: Tensor, learnt: Mapping[str, str]
) -> dict[str, Tensor]:
    """Every tensor of a run, with gradients from the first one in ``learnt`` on."""
    values: dict[str, Tensor] = {**student.constants, graph.inputs[0]: picture}
    for node in graph.nodes:
        made = run_node(student, node, values)
        if node.output[0] in learnt and not made.requires_grad:
            made.requires_grad_()
        values[node.output[0]] = made
    return values


def _means(
    student: Student, graph: Graph, names: set[str], inputs: Tensors
) -> dict[str, NDArray[np.float32]]:
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in sorted(names)}
    with torch.no_grad():
        for one in inputs:
            values = _values(student, graph, torch.from_numpy(one), {})
            for name, parts in found.items():
                parts.append(values[name].mean(dim=(0, 2, 3)).numpy())
    return {name: np.mean(np.stack(parts), axis=0) for name, parts in found.items()}
