"""Make the class branches of YOLOX's head narrower: nothing but person is read of 80 classes.

A branch ends in two pointwise convolutions and a small one that gives the classes. Once only
persons are kept of these, most of the branch's channels carry nothing that matters. Channels go
one after the other, always the one whose loss the others can best make up for, by least squares
(optimal brain surgeon, Hassibi and Stork, 1992; channel pruning with reconstruction, He et al.,
2017). Then the two last convolutions are solved anew for what is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from models.quantize.graph import Graph
from models.quantize.kernels import Cost
from models.quantize.loss import LIKELY
from models.quantize.prune import Solved
from models.quantize.rewrite import weights_of
from models.quantize.run import outputs
from models.quantize.units import Unit, units

Floats = NDArray[np.float64]

# onnxruntime's float kernels compute eight channels at once.
_BLOCK = 8
# Of the mean diagonal, added to it: pictures are few.
_RIDGE = 1e-4
# Cells whose objectness is below this cannot become a person; they count next to nothing.
_FAINT, _NEXT_TO_NOTHING = 0.02, 1e-7
# Of such cells the share that is looked at.
_LOOKED_AT = 0.1
# Kept even where the score itself is saturated: other pictures will not be.
_SPREAD = 1e-3
# As a recipe holds them.
_DIGITS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One scale's class branch.

    Args:
        first: the unit whose channels go through ``depthwise`` alone to ``second``.
        depthwise: convolves each of them.
        second: the unit before the classes.
        classes: the convolution that gives their logits.
        objectness: the one that gives the objectness logit.
    """

    first: Unit
    depthwise: Unit
    second: Unit
    classes: NodeProto
    objectness: NodeProto


@dataclass(frozen=True, slots=True, eq=False)
class Slimmed:
    """What becomes of the branches.

    Args:
        dropped: channels that go, by unit.
        solved: new weights, by convolution.
    """

    dropped: Mapping[str, tuple[int, ...]]
    solved: Mapping[str, Solved]


def branches(graph: Graph) -> list[Branch]:
    """The class branches of a YOLOX head that keeps one class; none in other graphs."""
    makers = graph.makers()
    by_output = {unit.output: unit for unit in units(graph)}
    found = []
    for join in graph.nodes:
        if join.op_type != "Concat" or len(join.input) != 3:
            continue
        _, objectness, classes = (makers.get(name) for name in join.input)
        if objectness is None or classes is None:
            continue
        if objectness.op_type != "Sigmoid" or classes.op_type != "Sigmoid":
            continue
        last = makers[classes.input[0]]
        second = by_output.get(last.input[0])
        depthwise = by_output.get(second.conv.input[0]) if second else None
        first = by_output.get(depthwise.conv.input[0]) if depthwise else None
        if weights_of(graph, last)[0].shape[0] == 1 and second and depthwise and first:
            found.append(Branch(first, depthwise, second, last, makers[objectness.input[0]]))
    return found


def slim(
    graph: Graph, inputs: Sequence[NDArray[Any]], costs: Mapping[str, Cost], price: float,
    threads: int, draw: np.random.Generator,
) -> Slimmed:  # fmt: skip
    """Find out which channels may go, and solve for what is left.

    Args:
        graph: rewritten.
        inputs: one per picture.
        costs: microseconds of each unit.
        price: microseconds that a unit of loss is worth.
        threads: of one inference.
        draw: draws the cells that are looked at where nobody is.
    """
    some = branches(graph)
    watch = list(dict.fromkeys(name for branch in some for name in _watched(branch)))
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in watch}
    for found in outputs(graph, inputs, threads, watch):
        for name, array in zip(watch, found[len(graph.outputs) :], strict=True):
            parts[name].append(array[0].reshape(array.shape[1], -1).T)
    seen = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    cells = sum(
        int((_sigmoid(seen[b.objectness.output[0]]) * _sigmoid(seen[b.classes.output[0]]) >= LIKELY)
            .sum()) for b in some
    )  # fmt: skip
    dropped: dict[str, tuple[int, ...]] = {}
    solved: dict[str, Solved] = {}
    for branch in some:
        narrow = _Narrow(graph, branch, seen, max(1, cells), draw)
        dropped_here, solved_here = narrow.by(costs, price)
        dropped |= dropped_here
        solved |= solved_here
    return Slimmed(dropped, solved)


class _Narrow:
    """The cells of one branch that matter, and what is solved over them."""

    def __init__(
        self,
        graph: Graph,
        branch: Branch,
        seen: Mapping[str, NDArray[np.float32]],
        cells: int,
        draw: np.random.Generator,
    ) -> None:
        self._branch = branch
        self._cells = cells
        self._last = weights_of(graph, branch.classes)[0].reshape(-1).astype(np.float64)
        objectness = _sigmoid(seen[branch.objectness.output[0]][:, 0])
        person = _sigmoid(seen[branch.classes.output[0]][:, 0])
        # What a step of the logit does to the score.
        weight = (objectness * person * (1 - person)) ** 2 + _SPREAD * objectness**2
        weight = np.where(objectness > _FAINT, weight, 0) + _NEXT_TO_NOTHING
        kept = (objectness > _FAINT) | (draw.random(len(weight)) < _LOOKED_AT)
        self._weight = weight[kept].astype(np.float64)
        self._logit = seen[branch.classes.output[0]][kept].astype(np.float64)
        self._first = seen[branch.depthwise.output][kept].astype(np.float64)
        self._before = seen[branch.second.name][kept].astype(np.float64)
        self._second = seen[branch.second.output][kept].astype(np.float64)

    def by(
        self, costs: Mapping[str, Cost], price: float
    ) -> tuple[dict[str, tuple[int, ...]], dict[str, Solved]]:
        """Dropped channels and new weights."""
        branch = self._branch
        second_us = _total(costs[branch.second.name]) + _total(costs[branch.classes.output[0]])
        last = self._kept(self._second, self._logit, second_us, price)
        first_us = sum(_total(costs[unit.name]) for unit in (branch.first, branch.depthwise))
        first_us += costs[branch.second.name].conv * len(last) / self._second.shape[1]
        targets = self._before[:, last] * np.abs(self._last[last])
        first = self._kept(self._first, targets, first_us, price)
        second = solve(self._first[:, first], self._before[:, last], self._weight)
        inner = self._first[:, first] @ second.weights.astype(np.float64).T + second.bias
        classes = solve(inner * _sigmoid(inner), self._logit, self._weight)
        dropped = {
            branch.first.name: _others(first, self._first.shape[1]),
            branch.second.name: _others(last, self._second.shape[1]),
        }
        return dropped, {branch.second.conv.name: second, branch.classes.name: classes}

    def _kept(self, source: Floats, target: Floats, took_us: float, price: float) -> list[int]:
        order, errors = eliminate(source, target, self._weight)
        channels = source.shape[1]
        gains = [
            took_us * gone / channels - price * (errors[gone - 1] / self._cells if gone else 0.0)
            for gone in range(0, channels - _BLOCK + 1, _BLOCK)
        ]
        gone = int(np.argmax(gains)) * _BLOCK
        return sorted(set(range(channels)) - set(order[:gone]))


def eliminate(source: Floats, target: Floats, weight: Floats) -> tuple[list[int], list[float]]:
    """The order in which channels are missed least, the others making up by least squares.

    Args:
        source: [cells, channels].
        target: [cells, outputs] that are told from them.
        weight: [cells].

    Returns:
        Channels, the first to go first, and the squared error once each has gone.
    """
    gram, answers, _, _ = _moments(source, target, weight)
    inverse = np.linalg.inv(gram)
    left, order, errors, total = list(range(len(gram))), [], [], 0.0
    while len(left) > 1:
        more = ((inverse @ answers[left]) ** 2).sum(axis=1) / np.diag(inverse)
        place = int(more.argmin())
        total += float(more[place])
        column = inverse[:, place : place + 1]
        inverse = inverse - column @ column.T / inverse[place, place]
        inverse = np.delete(np.delete(inverse, place, 0), place, 1)
        order.append(left.pop(place))
        errors.append(total)
    return order, errors


def solve(source: Floats, target: Floats, weight: Floats) -> Solved:
    """Weights and bias by least squares.

    Args:
        source: [cells, channels].
        target: [cells, outputs].
        weight: [cells].
    """
    gram, answers, source_mean, target_mean = _moments(source, target, weight)
    weights = np.linalg.solve(gram, answers).T
    bias = target_mean - weights @ source_mean
    return Solved(weights.astype(np.float16), np.round(bias, _DIGITS).astype(np.float32))


def _moments(
    source: Floats, target: Floats, weight: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    total = weight.sum()
    source_mean, target_mean = weight @ source / total, weight @ target / total
    away = source - source_mean
    gram = away.T @ (away * weight[:, None])
    gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram) + 1e-12
    return gram, away.T @ ((target - target_mean) * weight[:, None]), source_mean, target_mean


def _watched(branch: Branch) -> tuple[str, ...]:
    return (
        branch.objectness.output[0], branch.classes.output[0], branch.depthwise.output,
        branch.second.name, branch.second.output,
    )  # fmt: skip


def _total(cost: Cost) -> float:
    return cost.conv + cost.silu


def _others(kept: list[int], channels: int) -> tuple[int, ...]:
    return tuple(sorted(set(range(channels)) - set(kept)))


def _sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = 1 / (1 + np.exp(-x))
    return found
