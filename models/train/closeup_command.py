"""Train the close-up's network, which tells hands past a shelf's plane in a square around somebody.

Renders shops (nine seconds each on one core), trains, and writes the file. Four cores need about an
hour and a half for both. Shops that were rendered before are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from dataclasses import asdict, replace
from pathlib import Path

from edge_agent.errors import InputError, ModelError
from models.progress import counting

EPILOG = """\
example:
  python -m models train-closeup --out runs/closeup --workers 4

In the folder --out there are afterwards shelflight-reach.onnx and result.json (recipe, workers,
bytes); the rendered shops stay in its folder shops/ (2 MB each).
"""
NAME = "shelflight-reach"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="folder for shops and results")
    parser.add_argument("--shops", type=int, help="instead of the recipe's: rendered shops")
    parser.add_argument("--looks", type=int, help="instead of the recipe's: examples looked at")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2, help="processes")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    try:
        from models.train.closeup_loop import Recipe, render, train
    except ImportError as error:
        raise ModelError(
            "training needs PyTorch; install it: pip install 'shelflight[train]'"
        ) from error
    given = {name: getattr(args, name) for name in ("shops", "looks")}
    recipe = replace(Recipe(), **{name: n for name, n in given.items() if n is not None})
    if recipe.shops < 1:
        raise InputError(f"--shops is {recipe.shops}; 1 or more is allowed")
    if not 1 <= args.workers <= recipe.shops:
        raise InputError(f"--workers is {args.workers}; 1 to {recipe.shops}, the shops, is allowed")
    if recipe.looks < recipe.batch:
        raise InputError(f"--looks is {recipe.looks}; {recipe.batch}, one batch, is the least")
    with counting() as progress:
        tasks = {name: progress.add_task(name, total=None) for name in ("shops", "steps")}

        def report(name: str, done: int, total: int) -> None:
            progress.update(tasks[name], completed=done, total=total)

        shops = render(recipe, args.out / "shops", args.workers, report)
        network = train(recipe, shops, args.workers, report)
    path = args.out / f"{NAME}.onnx"
    _export(network, path)
    result = {
        "recipe": asdict(recipe), "workers": args.workers, "bytes": path.stat().st_size,
    }  # fmt: skip
    (args.out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result) if args.json else f"{path}: {result['bytes']:,} bytes")
    return 0


def _export(network: object, path: Path) -> None:
    import torch

    from models.train.closeup_network import CloseupNetwork, Shipped
    from models.train.closeups import blank

    assert isinstance(network, CloseupNetwork)
    aside = path.with_suffix(".part")
    with warnings.catch_warnings():
        # The exporter that needs no further package is deprecated, not gone.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Shipped(network.to(memory_format=torch.contiguous_format)).eval(),
            (torch.from_numpy(blank()),),
            str(aside),
            dynamo=False,
            opset_version=17,
            input_names=["planes"],
            output_names=["hands"],
        )
    os.replace(aside, path)
