"""From calibration pictures to a new recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError
from models.quantize import kernels, search
from models.quantize.graph import Graph
from models.quantize.make import finish, narrowed
from models.quantize.recipe import Recipe
from models.quantize.refit import level, refit, stages
from models.quantize.slim import slim
from models.quantize.units import units

Tensors = Sequence[NDArray[Any]]
# Opens a progress bar of some steps; what it gives is told each step.
Bar = Callable[[str, int], AbstractContextManager[Callable[[], None]]]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a recipe is developed.

    Args:
        price: microseconds that a unit of loss is worth, see `models.quantize.search`. Higher is
            more faithful and slower.
        worth: microseconds that int8 is worth beyond its time here, for each thousand weights, see
            `models.quantize.search.favour_int8`.
        tried_on: pictures that each change is tried on alone.
        threads: of everything.
        seed: of all that is drawn.
    """

    price: float = 1e6
    worth: float = 1.0
    tried_on: int = 24
    threads: int = 1
    seed: int = 0


class Measured:
    """What layers were measured to take on this processor; shared by all folds."""

    def __init__(self) -> None:
        self._known: kernels.Known = {}

    def of(self, graph: Graph, bar: Bar) -> dict[str, kernels.Cost]:
        """The cost of each unit of a graph."""
        every = units(graph)
        with bar("time of each layer", len(every)) as report:
            return kernels.measure(graph, every, graph.shapes(), self._known, report)


def develop(
    rewritten: Graph, empty: Recipe, inputs: Tensors, settings: Settings, measured: Measured,
    bar: Bar,
) -> Recipe:  # fmt: skip
    """Measure, choose and calibrate.

    Args:
        rewritten: the float graph after the rewrites.
        empty: names the source and the pictures; decides nothing yet.
        inputs: one per picture.
        settings: how.
        measured: filled at the first call.
        bar: opens a progress bar.

    Raises:
        ModelError: the model is not one that can be scored.
    """
    _check(rewritten)
    draw = np.random.default_rng(settings.seed)
    threads = settings.threads
    costs = measured.of(rewritten, bar)
    narrow = slim(rewritten, inputs, costs, settings.price, threads, draw)
    empty = replace(empty, dropped=narrow.dropped, solved=narrow.solved)
    graph = narrowed(rewritten, empty)
    costs = measured.of(graph, bar)
    every = units(graph)
    clamps = search.fit_clamps(graph, inputs, threads, draw)
    costs = search.favour_int8(graph, costs, settings.worth)
    some = inputs[:: max(1, len(inputs) // settings.tried_on)]
    with bar("each change alone", len(clamps) + len(every)) as report:
        trial = search.try_each(graph, empty, clamps, some, threads, draw, costs, report)
    choice = search.choose(graph, trial, settings.price)
    recipe = replace(
        empty,
        clamps={name: one for name, one in clamps.items() if name in choice.clamped},
        int8=tuple(unit.name for unit in every if unit.name in choice.int8),
    )
    recipe = search.best_ranges(
        graph, recipe, inputs, some, threads, np.random.default_rng(settings.seed)
    )

    def made(one: Recipe) -> Graph:
        return finish(rewritten, one)

    with bar("solving the head anew", len(stages(rewritten))) as report:
        recipe = refit(rewritten, recipe, made, graph, inputs, threads, report)
    return level(rewritten, recipe, made, inputs, threads)


def _check(graph: Graph) -> None:
    shape = graph.shapes().get(graph.outputs[0], ())
    if len(graph.outputs) != 1 or len(shape) != 3 or shape[2] < 6:
        raise ModelError(
            f"the model's output is {list(shape)}; a recipe is developed by the person scores of "
            "YOLOX's rows [1, cells, 5 + classes]"
        )
