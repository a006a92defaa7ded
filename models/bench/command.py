"""`models bench`: what runs best on this very device."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from edge_agent.config import load_site
from edge_agent.config.device import FILE, Choice, this_device
from edge_agent.errors import InputError
from edge_agent.manifest import Manifest, load, model_path, models_directory, verify
from models.bench import inputs
from models.bench.choose import KEEP, choices, write
from models.bench.measure import SCORE, Result, measure
from models.bench.trial import Family, Here, Trial, families, thread_counts
from models.evaluate.candidate import Candidate, open_candidates

EPILOG = """\
Each way runs in a process of its own, all in turns. Accuracy is agreement with the family's
reference: the model as it was before it was quantized, on one thread, on the processor. Boxes: the
lesser of recall and precision; joints: PCK@0.2.

With --write the fastest way that keeps accuracy goes into device.yaml in the models' folder; a
unit whose site.yaml leaves `runtime` out runs its models so.

examples:
  python -m models bench                             every model that is here, on the built-in scene
  python -m models bench --site site.yaml --write    the models of a unit, and use the best
  python -m models bench --models movenet-lightning-int8 --images DIR --json
"""
_STOPPED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--site", type=Path, help="measure only the models that this unit runs")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="measure only these")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--images", type=Path, metavar="DIR", help="pictures to measure on")
    source.add_argument("--clip", type=Path, help="a recording to measure on")
    parser.add_argument("--count", type=int, default=20, help="pictures (default 20)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each way (default 3)")
    parser.add_argument(
        "--threads", type=_counts, metavar="1,2,4", help="thread counts (default: up to the cores)"
    )
    parser.add_argument(
        "--keep", type=float, default=KEEP, help=f"least accuracy, 0..1 (default {KEEP})"
    )
    parser.add_argument("--write", action="store_true", help=f"put the best into {FILE}")
    parser.add_argument("--json", action="store_true", help="print one JSON object as last line")
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def main(args: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        0; 1 where not one model could be measured.
    """
    if args.count < 1 or args.rounds < 1 or not 0 <= args.keep <= 1:
        raise InputError("--count and --rounds are 1 or more, --keep is 0..1")
    manifest, here = load(), this_device()
    threads = args.threads or thread_counts(here.cores)
    found, left_out = families(manifest, _names(args, manifest), Here.look(), threads)
    if not found:
        raise InputError("nothing to measure:\n" + "\n".join(f"  {line}" for line in left_out))
    results = _measure(found, manifest, args)
    chosen: dict[str, Choice] = {}
    for family, some in zip(found, results, strict=True):
        chosen |= choices(family.root.name, some, args.keep)
    if args.write:
        write(models_directory() / FILE, here, chosen)
    every = [one for some in results for one in some]
    if args.json:
        device = {"board": here.board, "processor": here.processor, "cores": here.cores}
        print(json.dumps(_as_json(device, every, chosen, left_out)))
    else:
        _show(every, chosen, left_out, args)
    return 0 if chosen else _STOPPED


def _names(args: argparse.Namespace, manifest: Manifest) -> Sequence[str]:
    # A close look takes a millisecond however it is run.
    measured = [one.name for one in manifest.entries if one.finds_people or one.finds_joints]
    if args.models:
        for name in args.models:
            if manifest.get(name).name not in measured:
                raise InputError(f"{name} is not measured: detectors and pose models are")
        return list(args.models)
    if args.site is None:
        return measured
    named = load_site(args.site).models
    names = [name for name in (named.detector, named.pose) if name is not None]
    return names or [manifest.built_in.name]


def _measure(
    found: list[Family], manifest: Manifest, args: argparse.Namespace
) -> list[list[Result]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory() as name,
        Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress,
    ):
        folder = Path(name)
        task = progress.add_task("pictures", total=sum(len(f.trials) for f in found) * args.rounds)
        shown = _inputs(found, manifest, args)
        inputs.save(folder / "pictures.npz", shown)
        sizes = [(one.frame.width, one.frame.height) for one in shown]
        results = []
        for family in found:
            progress.update(task, description=family.root.name)
            results.append(
                measure(
                    family, folder / "pictures.npz", sizes, args.rounds, folder,
                    lambda: progress.advance(task),
                )
            )  # fmt: skip
        return results


def _inputs(
    found: list[Family], manifest: Manifest, args: argparse.Namespace
) -> list[inputs.Input]:
    detector = _detector(found, manifest)
    shown = []
    for image in inputs.pictures(args.images, args.clip, args.count):
        one = inputs.Input(image, inputs.NO_BOXES)
        shown.append(inputs.Input(image, detector.people(one.frame).above(SCORE).boxes))
    if not any(len(one.boxes) for one in shown):
        raise InputError(
            f"{detector.name} finds nobody in the pictures, so no accuracy can be told; name "
            "others with --images or --clip"
        )
    return shown


def _detector(found: list[Family], manifest: Manifest) -> Candidate:
    """Whoever tells where people are: a detector under test, else the first that is here."""
    names = [family.root.name for family in found if family.root.finds_people]
    for entry in manifest.entries:
        if entry.finds_people and entry.name not in names:
            try:
                verify(entry, model_path(entry))
            except InputError:
                continue
            names.append(entry.name)
    if not names:
        raise InputError("no detector is here to say where people are; pull yolox-nano")
    return open_candidates(names[:1], manifest, 1)[0]


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(sorted({int(part) for part in text.split(",")} | {1}))
    if counts[0] < 1:
        raise argparse.ArgumentTypeError("counts are 1 or more")
    return counts


def _as_json(
    device: dict[str, Any], results: list[Result], chosen: dict[str, Choice], left_out: list[str]
) -> dict[str, Any]:
    rows = []
    for one in results:
        values = asdict(one)
        values.pop("trial")
        rows.append({**_way(one.trial), **values})
    best = {name: _way(Trial(choice.run, choice.runtime)) for name, choice in chosen.items()}
    return {"device": device, "results": rows, "best": best, "left_out": left_out}


def _way(trial: Trial) -> dict[str, Any]:
    runtime = trial.runtime
    return {
        "model": trial.model,
        "threads": runtime.threads,
        "providers": list(runtime.providers),
        "tflite": None if runtime.tflite is None else runtime.tflite.value,
    }


def _show(
    results: list[Result], chosen: dict[str, Choice], left_out: list[str], args: argparse.Namespace
) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "runtime", "threads", "ms", "p95", "CPU ms", "MB", "accuracy"):
        left = heading in ("model", "runtime")
        table.add_column(heading, justify="left" if left else "right", overflow="fold")
    winners = {(choice.run, choice.runtime) for choice in chosen.values()}
    for one in results:
        style = "bold green" if (one.trial.model, one.trial.runtime) in winners else None
        way = (one.trial.model, one.trial.runtime_name, str(one.trial.runtime.threads))
        if one.error is not None:
            table.add_row(*way, "[red]failed[/]")
            left_out = [*left_out, f"{one.trial.model}, {one.trial.words}: {one.error}"]
            continue
        accuracy = "-" if one.accuracy is None else f"{one.accuracy:.3f}"
        times = (f"{value:.1f}" for value in (one.ms, one.p95_ms, one.cpu_ms))
        table.add_row(*way, *times, f"{one.rss_mb:.0f}", accuracy, style=style)
    console = Console()
    console.print(table)
    for line in left_out:
        console.print(f"left out: {line}", soft_wrap=True, highlight=False)
    for name, choice in chosen.items():
        words = Trial(choice.run, choice.runtime).words
        console.print(f"{name}: best as {choice.run}, {words}", soft_wrap=True, highlight=False)
    said = f"written to {models_directory() / FILE}" if args.write else "not written (--write)"
    console.print(said, soft_wrap=True, highlight=False)
