"""Fit the network by which a unit tells hands past a shelf's plane from hands before it.

Needs no pictures: shops are simulated, joints are projected and blurred as a pose model's are.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

from edge_agent.errors import InputError, ModelError
from models.progress import counting

EPILOG = """\
example:
  python -m models fit-hands --out edge_agent/shelf/hands.npz    as the committed one was made
"""
# Of shops that it was not fitted on.
_JUDGED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--out", type=Path, required=True, help="file to write, hands.npz")
    parser.add_argument("--shops", type=int, help="simulated shops (default: the recipe's)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    try:
        from models.train.hands import Recipe, examples, fit, judge, save
    except ImportError as error:
        raise ModelError(
            "fitting needs PyTorch; install it: pip install 'shelflight[train]'"
        ) from error
    recipe = Recipe() if args.shops is None else replace(Recipe(), shops=args.shops)
    if recipe.shops < 1 or args.workers < 1:
        raise InputError("--shops and --workers are 1 at least")
    if not args.out.absolute().parent.is_dir():
        raise InputError(f"--out {args.out}: there is no folder {args.out.absolute().parent}")
    with counting() as progress:
        tasks = {name: progress.add_task(name, total=None) for name in ("shops", "fitting")}

        def report(name: str, done: int, total: int) -> None:
            progress.update(tasks[name], completed=done, total=total)

        fitted = fit(recipe, args.workers, report)
        save(fitted, args.out)
        first = recipe.seed + recipe.shops
        unseen = examples(recipe, range(first, first + _JUDGED), args.workers, report)
    precision, recall = judge(fitted, unseen)
    told = {"recipe": asdict(recipe), "precision": precision, "recall": recall}
    print(
        json.dumps(told)
        if args.json
        else f"{args.out}: of single looks at {_JUDGED} other shops precision {precision:.3f}, "
        f"recall {recall:.3f}"
    )
    return 0
