"""From calibration pictures to a new recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import InputError, ModelError
from models.quantize import kernels, search
from models.quantize.graph import Graph
from models.quantize.recipe import Recipe
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
        steps: of fine-tuning.
        batch: pictures in one step.
        tried_on: pictures that each change is tried on alone.
        threads: of everything.
        seed: of all that is drawn.
    """

    price: float = 1e5
    steps: int = 300
    batch: int = 2
    tried_on: int = 12
    threads: int = 1
    seed: int = 0


@dataclass(slots=True)
class Measured:
    """What the processor was measured to take; shared by all folds."""

    costs: dict[str, kernels.Cost] = field(default_factory=dict)


def develop(
    rewritten: Graph, empty: Recipe, inputs: Tensors, settings: Settings, measured: Measured,
    bar: Bar,
) -> Recipe:  # fmt: skip
    """Measure, choose, calibrate and fine-tune.

    Args:
        rewritten: the float graph after the rewrites.
        empty: names the source and the pictures; decides nothing yet.
        inputs: one per picture.
        settings: how.
        measured: filled at the first call.
        bar: opens a progress bar.

    Raises:
        InputError: PyTorch is not installed.
        ModelError: the model is not one that can be scored.
    """
    _check(rewritten)
    distil = _distil() if settings.steps else None
    draw = np.random.default_rng(settings.seed)
    every = units(rewritten)
    if not measured.costs:
        with bar("time of each layer", len(every)) as report:
            measured.costs.update(kernels.measure(rewritten, every, rewritten.shapes(), report))
    clamps = search.fit_clamps(rewritten, inputs, settings.threads, draw)
    some = inputs[:: max(1, len(inputs) // settings.tried_on)]
    with bar("each change alone", len(clamps) + len(every)) as report:
        trial = search.try_each(
            rewritten, empty, clamps, some, settings.threads, draw, measured.costs, report
        )
    choice = search.choose(rewritten, trial, settings.price)
    recipe = replace(
        empty,
        clamps={name: clamps[name] for name in clamps if name in choice.clamped},
        int8=tuple(unit.name for unit in every if unit.name in choice.int8),
    )
    recipe = search.calibrated(rewritten, recipe, inputs, settings.threads, draw)
    if distil is None:
        return recipe
    lesson = distil.Lesson(settings.steps, settings.batch, threads=settings.threads)
    with bar("fine-tuning", settings.steps) as report:
        tuned: Recipe = distil.distil(
            rewritten, recipe, inputs, lesson, draw, lambda _loss: report()
        )
    return tuned


def _check(graph: Graph) -> None:
    shape = graph.shapes().get(graph.outputs[0], ())
    if len(graph.outputs) != 1 or len(shape) != 3 or shape[2] < 6:
        raise ModelError(
            f"the model's output is {list(shape)}; a recipe is developed by the person scores of "
            "YOLOX's rows [1, cells, 5 + classes]"
        )


def _distil() -> Any:
    try:
        return import_module("models.quantize.distil")
    except ModuleNotFoundError as error:
        raise InputError(
            f"fine-tuning needs {error.name}: pip install 'shelflight[train]', or --steps 0"
        ) from error
