"""`models quantize NAME`: make NAME-int8, by the committed recipe or by a new one."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edge_agent.errors import InputError, ModelError
from edge_agent.manifest import (
    Decoder,
    Manifest,
    ModelEntry,
    digest,
    load,
    model_path,
    models_directory,
    recipe_path,
    verify,
)
from models.quantize.develop import Measured, Settings, develop
from models.quantize.folds import score_folds
from models.quantize.graph import read_graph
from models.quantize.make import make, put
from models.quantize.pictures import Picture, fingerprint, read_pictures, tensors, views
from models.quantize.recipe import Recipe, empty_recipe, read_recipe, write_recipe
from models.quantize.rewrite import rewrite

# Of a YOLOX row, what the unit's decoder reads: the box, objectness, and the first class, person.
_ROWS = 6
_EPILOG = """\
Without --images the committed recipe is followed: the same file for everyone, and no pictures are
needed. With --images a new recipe is developed on your own pictures (this takes minutes), written
beside the model, and followed.

examples:
  python -m models quantize yolox-nano                        make yolox-nano-int8
  python -m models quantize yolox-nano --images photos        ... calibrated on your pictures
  python -m models quantize yolox-nano --images photos --folds 5
                                 how well that does on pictures it has not seen; writes nothing
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    default = Settings()
    parser.add_argument("name", metavar="NAME", help="the float model, see list")
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="develop a new recipe on these photographs"
    )
    parser.add_argument(
        "--folds", type=int, metavar="N",
        help="only score: N times calibrate on all but each Nth picture, score on those",
    )  # fmt: skip
    parser.add_argument(
        "--recipe", type=Path, metavar="FILE",
        help="follow this recipe, or with --images write it here",
    )  # fmt: skip
    parser.add_argument(
        "--price", type=float, default=default.price, metavar="US",
        help="microseconds that a unit of loss is worth: higher is more faithful and slower "
        f"(default {default.price:g})",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, default=default.threads, help="default 1")
    parser.add_argument("--seed", type=int, default=default.seed, help="of all that is drawn")
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def main(args: argparse.Namespace) -> int:
    """Make the file, or score by folds.

    Raises:
        ModelError, InputError: with what to do.
    """
    manifest = load()
    entry = manifest.get(args.name)
    if model_path(entry).suffix != ".onnx":
        raise ModelError(f"{entry.name}: only .onnx models can be quantized here")
    source = model_path(entry)
    verify(entry, source)
    target = _target(manifest, entry)
    path = models_directory() / (target.file if target else f"{entry.name}-int8.onnx")
    if args.images is None:
        if args.folds:
            raise InputError("--folds needs --images DIR")
        recipe = read_recipe(_committed(args, entry, target))
    else:
        pictures = read_pictures(args.images)
        if args.folds:
            return _folds(args, entry, source, pictures)
        recipe = _developed(args, entry, source, pictures)
        written = args.recipe or path.with_suffix(".recipe.json")
        write_recipe(recipe, written)
        print(f"recipe: {written}")
    made = make(source, recipe)
    put(made, path)
    print(
        f"{entry.name}-int8 is made: {path}, {len(made) / 1e6:.2f} MB, {len(recipe.int8)} "
        f"convolutions in int8, {len(recipe.clamps)} clamps for SiLU"
    )
    if target is None:
        print("no entry of the manifest runs it yet: add one with made_from")
    return 0


def _target(manifest: Manifest, entry: ModelEntry) -> ModelEntry | None:
    """The manifest's entry for what is made of a model."""
    made = (one for one in manifest.entries if one.made_from == entry.name)
    return next(made, None)


def _committed(args: argparse.Namespace, entry: ModelEntry, target: ModelEntry | None) -> Path:
    if args.recipe is not None:
        return Path(args.recipe)
    found = recipe_path(target) if target is not None else None
    if found is None:
        raise ModelError(
            f"there is no committed recipe for {entry.name}; develop one: --images DIR"
        )
    return found


def _settings(args: argparse.Namespace) -> Settings:
    if args.price <= 0 or args.threads < 1:
        raise InputError("--price is above 0 and --threads 1 or more")
    return Settings(price=args.price, threads=args.threads, seed=args.seed)


def _empty(entry: ModelEntry, source: Path, pictures: list[Picture]) -> Recipe:
    rows = _ROWS if entry.decoder is Decoder.YOLOX else None
    return empty_recipe(entry.name, digest(source), len(pictures), fingerprint(pictures), rows)


def _developed(
    args: argparse.Namespace, entry: ModelEntry, source: Path, pictures: list[Picture]
) -> Recipe:
    empty = _empty(entry, source, pictures)
    rewritten = rewrite(read_graph(source), empty.rows)
    inputs = tensors(entry, views(pictures))
    return develop(rewritten, empty, inputs, _settings(args), Measured(), _bar)


def _folds(
    args: argparse.Namespace, entry: ModelEntry, source: Path, pictures: list[Picture]
) -> int:
    if not 2 <= args.folds <= len(pictures):
        raise InputError(f"--folds is {args.folds}; 2..{len(pictures)} is allowed")
    empty = replace(_empty(entry, source, pictures), pictures=0, pictures_sha256="")
    score_folds(entry, source, empty, pictures, args.folds, _settings(args), _bar)
    return 0


@contextmanager
def _bar(text: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error; nothing where that is no terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(text, total=total)
        yield lambda: progress.advance(task)
