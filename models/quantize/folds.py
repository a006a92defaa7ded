"""How a recipe does on unseen pictures: each is scored by one developed without it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from statistics import median

from edge_agent.detector import build_detector
from edge_agent.manifest import ModelEntry
from models.evaluate.agreement import Agreement, agreement, found_in, time_in_turn
from models.quantize.develop import Bar, Measured, Settings, develop
from models.quantize.graph import read_graph
from models.quantize.make import content, finish
from models.quantize.pictures import Picture, tensors, views
from models.quantize.recipe import Recipe
from models.quantize.rewrite import rewrite
from models.quantize.run import session

# Of one picture through both models, in turn.
_RUNS = 3


def score_folds(
    entry: ModelEntry, source: Path, empty: Recipe, pictures: list[Picture], folds: int,
    settings: Settings, bar: Bar,
) -> Agreement:  # fmt: skip
    """Print and return the agreement on unseen pictures.

    Fold k holds every picture whose place (by name) modulo ``folds`` is k.
    """
    rewritten = rewrite(read_graph(source), empty.rows)
    detector = build_detector(entry, lambda _tensor: [])
    seen_as = [tensors(entry, views([one])) for one in pictures]
    measured = Measured()
    total, ratios = Agreement(0, 0, 0), []
    float_session = session(source.read_bytes(), settings.threads)
    for fold in range(folds):
        inputs = [each for i, shown in enumerate(seen_as) if i % folds != fold for each in shown]
        recipe = develop(rewritten, empty, inputs, settings, measured, bar)
        ours = session(content(finish(rewritten, recipe)), settings.threads)
        part, took = Agreement(0, 0, 0), []
        for picture, shown in list(zip(pictures, seen_as, strict=True))[fold::folds]:
            feed = {rewritten.inputs[0]: shown[0]}
            theirs, mine = (partial(one.run, None, feed) for one in (float_session, ours))
            part += agreement(
                found_in(detector.decode(theirs(), picture.frame)),
                found_in(detector.decode(mine(), picture.frame)),
            )
            took += time_in_turn(mine, theirs, _RUNS)
        total += part
        ratios.append(median(a / b for a, b in took))
        print(_line(f"fold {fold + 1}", part, recipe, ratios[-1]), flush=True)
    print(f"all folds: recall {total.recall:.3f}, precision {total.precision:.3f} "
          f"({total.matched} of {total.wanted}, of {total.found}), {median(ratios):.2f} of the "
          f"time of {entry.name}")  # fmt: skip
    return total


def _line(name: str, part: Agreement, recipe: Recipe, ratio: float) -> str:
    return (
        f"{name}: recall {part.recall:.3f} ({part.matched}/{part.wanted}), precision "
        f"{part.precision:.3f} ({part.matched}/{part.found}), {ratio:.2f} of the time; "
        f"{len(recipe.int8)} in int8 ({recipe.calibration}), {len(recipe.clamps)} clamps"
    )
