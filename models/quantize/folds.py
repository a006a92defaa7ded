"""How a recipe does on unseen pictures: each is scored by one developed without it."""

from __future__ import annotations

from pathlib import Path

from edge_agent.detector import build_detector
from edge_agent.manifest import ModelEntry
from models.evaluate.agreement import Agreement, agreement, found_in
from models.quantize.develop import Bar, Measured, Settings, develop
from models.quantize.graph import read_graph
from models.quantize.make import content, finish
from models.quantize.pictures import Picture, tensors
from models.quantize.recipe import Recipe
from models.quantize.rewrite import rewrite
from models.quantize.run import session


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
    total = Agreement(0, 0, 0)
    float_session = session(source.read_bytes(), settings.threads)
    for fold in range(folds):
        seen = [one for i, one in enumerate(inputs) if i % folds != fold]
        unseen = [i for i in range(len(inputs)) if i % folds == fold]
        recipe = develop(rewritten, empty, seen, settings, measured, bar)
        ours = session(content(finish(rewritten, recipe)), settings.threads)
        part = Agreement(0, 0, 0)
        for i in unseen:
            detector = build_detector(entry, lambda _tensor: [])
            frame, feed = pictures[i].frame, {rewritten.inputs[0]: inputs[i]}
            wanted, found = (
                found_in(detector.decode(one.run(None, feed), frame))
                for one in (float_session, ours)
            )
            part += agreement(wanted, found)
        total += part
        print(_line(f"fold {fold + 1}", part, recipe), flush=True)
    print(f"all folds: recall {total.recall:.3f}, precision {total.precision:.3f} "
          f"({total.matched} of {total.wanted}, of {total.found})")  # fmt: skip
    return total


def _line(name: str, part: Agreement, recipe: Recipe) -> str:
    return (
        f"{name}: recall {part.recall:.3f} ({part.matched}/{part.wanted}), precision "
        f"{part.precision:.3f} ({part.matched}/{part.found}); {len(recipe.int8)} in int8, "
        f"{len(recipe.clamps)} clamps"
    )
