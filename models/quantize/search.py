"""Decide, by measurement, what runs in int8 and where a clamp stands in for SiLU.

Each change is tried alone: what it costs in agreement (`loss`) and what it saves in time
(`kernels`). Then the changes are chosen together: least time + price * loss, where the price says
how many microseconds a unit of loss is worth. Losses are taken to add up, as independent errors
do; the card shows how the chosen whole really does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.quantize.clamp import clamp_activations, fit_clamp
from models.quantize.graph import Graph
from models.quantize.insert import (
    Range,
    absorb_clamps,
    followers,
    in_int8,
    insert,
    quantized_tensors,
    steps,
)
from models.quantize.kernels import INTO_INT8_NS, OUT_OF_INT8_NS, TURN_US, Cost
from models.quantize.loss import loss
from models.quantize.observe import (
    Seen,
    full_range,
    least_error_range,
    observe,
    percentile_range,
)
from models.quantize.recipe import Clamp, Recipe
from models.quantize.run import outputs
from models.quantize.units import units

Tensors = Sequence[NDArray[Any]]
_CHANGES = (frozenset.union, frozenset.difference, frozenset.symmetric_difference)

# Ways to take a tensor's range from what was seen of it, told whether SiLU follows.
RANGES: Mapping[str, Callable[[Seen, bool], Range]] = {
    "min-max": lambda seen, _: full_range(seen),
    "percentile 99.99": lambda seen, _: percentile_range(seen, 1e-4),
    "least error": least_error_range,
}
# The way that changes are tried alone with.
_USUAL = "least error"
# Windows of neighbouring convolutions that are switched together while choosing.
_WINDOWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


@dataclass(frozen=True, slots=True)
class Trial:
    """What each change does, alone.

    Args:
        clamp_loss: loss by each clamp alone.
        int8_loss: loss by each convolution in int8 alone.
        costs: microseconds of each unit.
        sizes: values in each tensor of one inference.
    """

    clamp_loss: Mapping[str, float]
    int8_loss: Mapping[str, float]
    costs: Mapping[str, Cost]
    sizes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen: names of convolutions."""

    clamped: frozenset[str]
    int8: frozenset[str]


def fit_clamps(
    graph: Graph, inputs: Tensors, threads: int, draw: np.random.Generator
) -> dict[str, Clamp]:
    """The clamp nearest to each SiLU on the pictures."""
    names = [unit.name for unit in units(graph) if unit.product is not None]
    seen = observe(graph, names, inputs, threads, draw)
    return {name: fit_clamp(seen[name].values) for name in names}


def favour_int8(graph: Graph, costs: Mapping[str, Cost], worth: float) -> dict[str, Cost]:
    """The costs, with int8 cheaper by so many microseconds for each thousand weights.

    What it is worth beyond the time measured here: a smaller file, and processors that multiply
    eight bits faster than this one.
    """
    weights = {unit.name: graph.constants[unit.conv.input[1]].size for unit in units(graph)}
    return {
        name: replace(cost, conv8=cost.conv8 - worth * weights[name] / 1000)
        for name, cost in costs.items()
    }


def calibrated(
    graph: Graph, recipe: Recipe, inputs: Tensors, threads: int, draw: np.random.Generator
) -> dict[str, Recipe]:
    """The recipe with ranges of all tensors that its int8 part needs, by each of `RANGES`.

    Args:
        graph: rewritten and pruned.
        recipe: its clamps and int8 are read.
        inputs: one per picture.
        threads: of one inference.
        draw: draws the values that are looked at.
    """
    whole = clamp_activations(graph, recipe.clamps)
    clamped, convs = absorb_clamps(whole, recipe.int8)
    chosen = in_int8(clamped, convs)
    names = quantized_tensors(clamped, chosen)
    seen = observe(whole, names, inputs, threads, draw)
    before_silu = {unit.name for unit in units(clamped) if unit.product is not None}
    return {
        how: replace(
            recipe,
            calibration=how,
            ranges={name: taken(seen[name], name in before_silu) for name in names},
        )
        for how, taken in RANGES.items()
    }


def try_each(
    graph: Graph, empty: Recipe, clamps: Mapping[str, Clamp], inputs: Tensors, threads: int,
    draw: np.random.Generator, costs: Mapping[str, Cost], report: Callable[[], None],
) -> Trial:  # fmt: skip
    """Try each clamp and each int8 convolution alone.

    Args:
        graph: rewritten.
        empty: a recipe that changes nothing.
        clamps: what would stand in for each SiLU.
        inputs: some pictures.
        threads: of one inference.
        draw: draws the values that ranges are taken from.
        costs: of each unit.
        report: is told after each trial.
    """
    wanted = _rows(graph, inputs, threads)
    everything = tuple(unit.name for unit in units(graph))
    full = calibrated(graph, replace(empty, int8=everything), inputs, threads, draw)[_USUAL]
    clamp_loss, int8_loss = {}, {}
    for name, clamp in clamps.items():
        clamped = clamp_activations(graph, {name: clamp})
        clamp_loss[name] = loss(wanted, _rows(clamped, inputs, threads))
        report()
    for name in everything:
        made = insert(graph, replace(full, int8=(name,)))
        int8_loss[name] = loss(wanted, _rows(made, inputs, threads))
        report()
    sizes = {name: int(np.prod(shape)) for name, shape in graph.shapes().items() if shape}
    return Trial(clamp_loss, int8_loss, costs, sizes)


def best_ranges(
    graph: Graph, recipe: Recipe, inputs: Tensors, some: Tensors, threads: int,
    draw: np.random.Generator,
) -> Recipe:  # fmt: skip
    """The recipe with ranges taken the way that costs least agreement.

    Args:
        graph: rewritten and pruned.
        recipe: all but its ranges is ready.
        inputs: one per picture.
        some: those that the ways are compared on.
        threads: of one inference.
        draw: draws the values that are looked at, the same ones for every way.
    """
    wanted = _rows(graph, some, threads)

    def lost(one: Recipe) -> float:
        made = insert(clamp_activations(graph, one.clamps), one)
        return loss(wanted, _rows(made, some, threads))

    return min(calibrated(graph, recipe, inputs, threads, draw).values(), key=lost)


def choose(graph: Graph, trial: Trial, price: float) -> Choice:
    """The changes that together cost least, by switching neighbouring convolutions together.

    Args:
        graph: rewritten.
        trial: what each change does.
        price: microseconds that a unit of loss is worth, > 0.
    """
    prices = _Prices(graph, trial, price)
    order = [unit.name for unit in units(graph)]
    windows = [
        frozenset(order[i : i + width]) for width in _WINDOWS for i in range(len(order) - width + 1)
    ]
    best = frozenset[str]()
    least, before = prices.of(best), float("inf")
    while least < before:
        before = least
        for window in windows:
            for change in _CHANGES:
                tried = change(best, window)
                if tried != best and (found := prices.of(tried)) < least - 1e-6:
                    least, best = found, tried
    return prices.choice(best)


class _Prices:
    """What sets of int8 convolutions cost, microseconds; loss included, at its price."""

    def __init__(self, graph: Graph, trial: Trial, price: float) -> None:
        self._trial = trial
        self._price = price
        self._graph = graph
        makers = graph.makers()
        self._tensors = [
            (
                makers[name].output[0] if name in makers else "",
                [taker.output[0] for taker in takers],
                trial.sizes[name] / 1000,
            )
            for name, takers in graph.takers().items()
            if name in trial.sizes and name not in graph.constants
        ]
        self._fixed = sum(cost.conv for cost in trial.costs.values())
        self._extra = {
            name: cost.conv8 - cost.conv + price * trial.int8_loss[name]
            for name, cost in trial.costs.items()
        }
        # Of SiLU and of a clamp: in float, in int8.
        self._activation = [
            {name: self._ways(name, cost, int8) for name, cost in trial.costs.items()}
            for int8 in (False, True)
        ]
        self._order = steps(graph)

    def of(self, int8: Collection[str]) -> float:
        """Of these in int8, with clamps where they pay."""
        total = self._fixed + sum(self._extra[name] for name in int8)
        for name in self._trial.costs:
            total += min(self._activation[name in int8][name])
        return total + self._turns(int8)

    def choice(self, int8: frozenset[str]) -> Choice:
        """These in int8, with the clamps that pay."""
        ways = {name: self._activation[name in int8][name] for name in self._trial.costs}
        return Choice(frozenset(name for name, way in ways.items() if way[-1] < way[0]), int8)

    def _ways(self, name: str, cost: Cost, int8: bool) -> tuple[float, ...]:
        silu = cost.silu8 if int8 else cost.silu
        if name not in self._trial.clamp_loss:
            return (silu,)
        return silu, self._price * self._trial.clamp_loss[name]

    def _turns(self, int8: Collection[str]) -> float:
        """Of tensors that are made in one format and taken in the other."""
        chosen = followers(self._order, int8)
        total = 0.0
        for maker, takers, size in self._tensors:
            here = maker in chosen
            taken = [taker in chosen for taker in takers]
            if not here and any(taken):
                total += size * INTO_INT8_NS + TURN_US
            if here and not all(taken):
                total += size * OUT_OF_INT8_NS + TURN_US
        return total


def _rows(graph: Graph, inputs: Tensors, threads: int) -> list[NDArray[Any]]:
    return [found[0] for found in outputs(graph, inputs, threads)]
