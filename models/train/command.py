"""Train the built-in model: people and their joints in one inference.

Renders shops, trains, and writes the int8 file. An interrupted training goes on where it broke off
when the same command is given again. Two processor cores need about two and a half hours, an
accelerator some minutes.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edge_agent.clock import SystemClock
from edge_agent.errors import InputError, ModelError

EPILOG = """\
examples:
  python -m models train --out runs/first               as the committed recipe says
  python -m models train --out runs/mine --footage my-shop/ \\
      --teacher yolox-nano+movenet-lightning-int8       learn from pictures of your shop too

In the folder --out there are afterwards shelflight-nano.onnx (the int8 file) and its float twin,
curves.png, log.jsonl (the losses of each epoch) and result.json (recipe, seconds, size).
"""
NAME = "shelflight-nano"
RECIPE = Path(__file__).resolve().parents[1] / "recipes" / f"{NAME}.yaml"
_CALIBRATE = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--out", type=Path, required=True, help="folder for pictures and results")
    parser.add_argument(
        "--recipe", type=Path, default=RECIPE, help="seed, pictures, epochs... (default: committed)"
    )
    parser.add_argument("--images", type=int, help="instead of the recipe's: rendered pictures")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's: rounds over them")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 2, help="processor cores to use"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--teacher", help="DETECTOR+POSE that label the pictures of --footage")
    parser.add_argument("--footage", type=Path, help="folder of pictures and recordings of a shop")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    try:
        import torch
    except ImportError as error:
        raise ModelError(
            "training needs PyTorch; install it: pip install 'shelflight[train]'"
        ) from error
    from models.train.examples import open_store
    from models.train.loop import train

    if (args.teacher is None) != (args.footage is None):
        raise InputError("--teacher and --footage belong together; name both or neither")
    recipe = _recipe(args)
    device = _device(torch, args.device)
    torch.set_num_threads(args.threads)
    clock = SystemClock()
    began = clock.monotonic()
    args.out.mkdir(parents=True, exist_ok=True)
    with _progress() as progress:
        folders = _pictures(args, recipe, progress)
        rendered = clock.monotonic()
        store = open_store(folders)
        steps = len(store) // recipe.batch
        if steps == 0:
            raise InputError(f"{len(store)} pictures are less than one batch of {recipe.batch}")
        bar = progress.add_task("training", total=steps * recipe.epochs)

        def report(epoch: int, step: int, mean: float) -> None:
            progress.update(
                bar,
                completed=epoch * steps + step + 1,
                description=f"training, round {epoch + 1} of {recipe.epochs}, loss {mean:.3f}",
            )

        network = train(store, recipe, args.out, device, report)
    seconds = {"pictures": rendered - began, "training": clock.monotonic() - rendered}
    result = _export(network, store, recipe, args.out, seconds)
    Console(stderr=True).print(
        f"{args.out / (NAME + '.onnx')}: {result['bytes']:,} bytes after "
        f"{sum(seconds.values()) / 60:.0f} minutes"
    )
    if args.json:
        print(json.dumps(result))
    return 0


def _recipe(args: argparse.Namespace) -> Any:
    from models.train.loop import Recipe

    try:
        found = yaml.safe_load(args.recipe.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{args.recipe}: the recipe cannot be read: {error}") from error
    allowed: dict[str, type] = {field.name: type(field.default) for field in fields(Recipe)}
    if not isinstance(found, dict) or set(found) - set(allowed):
        raise InputError(f"{args.recipe}: a recipe has the keys {', '.join(allowed)} and no others")
    for key, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise InputError(f"{args.recipe}: {key} is {value!r}; a number above 0 is allowed")
    given = {key: getattr(args, key) for key in ("images", "epochs", "seed")}
    for key, value in given.items():
        if value is not None and value < 1:
            raise InputError(f"--{key} is {value}; 1 or more is allowed")
    values = {key: allowed[key](value) for key, value in found.items()}
    return replace(
        Recipe(**values), **{key: value for key, value in given.items() if value is not None}
    )


def _device(torch: Any, asked: str) -> Any:
    if asked == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "--device cuda: PyTorch sees no accelerator; leave it out for the processor"
        )
    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(asked)


def _pictures(args: argparse.Namespace, recipe: Any, progress: Progress) -> list[Path]:
    """Folders of pictures, made where they are missing."""
    from models.train.render import render

    bar = progress.add_task("rendering shops", total=recipe.images)
    folders = render(
        args.out / f"pictures-{recipe.seed}",
        recipe.seed,
        recipe.images,
        args.threads,
        lambda made: progress.update(bar, completed=made),
    )
    if args.footage is None:
        return folders
    from models.train.examples import write_store
    from models.train.teacher import Teacher, footage

    teacher = Teacher(args.teacher)
    images = list(footage(args.footage))
    bar = progress.add_task("asking the teachers", total=len(images))
    folder = args.out / "footage"
    write_store(
        folder,
        (teacher(image) for image in progress.track(images, task_id=bar)),
        len(images),
    )
    # As many looks at the real shop as at a quarter of the rendered ones.
    times = max(1, len(folders) * 400 // 4 // len(images))
    return folders + [folder] * times


def _export(
    network: Any, store: Any, recipe: Any, out: Path, seconds: dict[str, float]
) -> dict[str, Any]:
    from models.train.curves import draw
    from models.train.examples import whole
    from models.train.export import export, quantize
    from models.train.loop import LOG

    rng = np.random.default_rng(recipe.seed)
    chosen = rng.choice(len(store), min(_CALIBRATE, len(store)), replace=False)
    images = [whole(store.images[int(i)], store.people[int(i)])[0] for i in chosen]
    fp32, int8 = out / f"{NAME}-fp32.onnx", out / f"{NAME}.onnx"
    export(network, fp32)
    quantize(fp32, int8, images)
    rows = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    draw(rows, out / "curves.png")
    result = {
        "recipe": asdict(recipe),
        "seconds": {name: round(value) for name, value in seconds.items()},
        "bytes": int8.stat().st_size,
        "losses": rows[-1],
    }
    aside = out / "result.json.part"
    aside.write_text(json.dumps(result, indent=1))
    os.replace(aside, out / "result.json")
    return result


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
