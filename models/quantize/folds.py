"""How a recipe does on unseen pictures: each is scored by one developed without it."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from edge_agent.clock import SystemClock
from edge_agent.detector import build_detector
from edge_agent.manifest import ModelEntry
from models.evaluate.agreement import Agreement, agreement, found_in
from models.quantize.develop import Bar, Measured, Settings, develop
from models.quantize.graph import read_graph
from models.quantize.make import content, finish
from models.quantize.pictures import Picture, tensors, views
from models.quantize.recipe import Recipe
from models.quantize.rewrite import rewrite
from models.quantize.run import session

# Runs of a picture, of which the fastest counts.
_RUNS = 3


def score_folds(
    entry: ModelEntry, source: Path, empty: Recipe, pictures: list[Picture], folds: int,
    settings: Settings, bar: Bar,
) -> Agreement:  # fmt: skip
    """Print and return the agreement on unseen pictures.

    Fold k holds every picture whose place (by name) modulo ``folds`` is k.
    """
    rewritten = rewrite(read_graph(source), empty.rows)
    inputs = tensors(entry, pictures)
    measured = Measured()
    total, ratios = Agreement(0, 0, 0), []
    float_session = session(source.read_bytes(), settings.threads)
    for fold in range(folds):
        seen = [one for i, one in enumerate(pictures) if i % folds != fold]
        unseen = [i for i in range(len(inputs)) if i % folds == fold]
        recipe = develop(rewritten, empty, tensors(entry, views(seen)), settings, measured, bar)
        ours = session(content(finish(rewritten, recipe)), settings.threads)
        part, took = Agreement(0, 0, 0), []
        for i in unseen:
            detector = build_detector(entry, lambda _tensor: [])
            frame, feed = pictures[i].frame, {rewritten.inputs[0]: inputs[i]}
            (rows_a, time_a), (rows_b, time_b) = (_timed(s, feed) for s in (float_session, ours))
            part += agreement(
                found_in(detector.decode(rows_a, frame)), found_in(detector.decode(rows_b, frame))
            )
            took.append(time_b / time_a)
        total += part
        ratios.append(median(took))
        print(_line(f"fold {fold + 1}", part, recipe, ratios[-1]), flush=True)
    print(f"all folds: recall {total.recall:.3f}, precision {total.precision:.3f} "
          f"({total.matched} of {total.wanted}, of {total.found}), {median(ratios):.2f} of the "
          f"time of {entry.name}")  # fmt: skip
    return total


def _timed(session: Any, feed: dict[str, Any]) -> tuple[list[Any], float]:
    """What a session says, and the seconds of the fastest of a few runs."""
    clock, took = SystemClock(), []
    for _ in range(_RUNS):
        began = clock.monotonic()
        found = session.run(None, feed)
        took.append(clock.monotonic() - began)
    return found, min(took)


def _line(name: str, part: Agreement, recipe: Recipe, ratio: float) -> str:
    return (
        f"{name}: recall {part.recall:.3f} ({part.matched}/{part.wanted}), precision "
        f"{part.precision:.3f} ({part.matched}/{part.found}), {ratio:.2f} of the time; "
        f"{len(recipe.int8)} in int8 ({recipe.calibration}), {len(recipe.clamps)} clamps"
    )
