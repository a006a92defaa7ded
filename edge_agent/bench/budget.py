"""What the frame budget saves, and that it costs no visit: both sides of each ratio in one run."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from edge_agent.bench.arms import Outcome, missing
from edge_agent.bench.clips import Trial, try_footage, try_scenes
from edge_agent.bench.preparation import Preparation, compare_preparations
from edge_agent.config import ModelsConfig, RuntimeConfig
from edge_agent.errors import InputError
from edge_agent.manifest import ModelEntry, load

# The usual rate of a pipeline that runs its models on every frame.
USUAL_FPS = 15.0
GOALS = {"cpu": 0.25, "macs": 6.0, "visits": 0.01, "preparation": 20.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of test data: its footage is cut together"
    )
    parser.add_argument(
        "--scenes", type=Path, nargs="+", help="rendered clips instead: folders of `models scene`"
    )
    parser.add_argument("--visits", type=int, default=200, help="how many are cut together")
    parser.add_argument(
        "--timed", type=int, default=8, help="of these, on how many processor time is measured"
    )
    parser.add_argument("--busy", type=float, default=0.2, help="share of time with shoppers")
    parser.add_argument("--seed", type=int, default=1, help="another one cuts another clip")
    parser.add_argument("--json", action="store_true", help="print one JSON object as last line")
    parser.description = f"{parser.description}; exit 1 = a goal is missed"
    parser.epilog = "example: SHELFLIGHT_MODELS=DATA/models python -m edge_agent budget --data DATA"


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    if not 0.02 <= args.busy <= 0.9 or args.visits < 1 or args.timed < 1:
        raise InputError("--busy is 0.02..0.9, --visits and --timed are at least 1")
    cv2.setNumThreads(1)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        reports = [
            _report(name, models, _trial(models, args, progress))
            for name, models in _candidates().items()
        ]
    preparations = compare_preparations(args.data)
    met = (
        all(report.met for report in reports)
        and max(one.ratio for one in preparations) >= GOALS["preparation"]
    )
    if args.json:
        found = {
            "models": [asdict(report) for report in reports],
            "preparation": [asdict(one) for one in preparations],
            "goals": GOALS,
            "met": met,
        }
        print(json.dumps(found))
    else:
        _show(reports, preparations)
    return 0 if met else 1


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one set of models.

    Args:
        models: in words.
        timed_s: length of what processor time was measured on.
        busy: share of the frames that show a shopper, or the way to and from the floor.
        cpu_always_s, cpu_gated_s, cpu_shipped_s: processor seconds of that: the detector on every
            analysed frame, the gate alone, and gate and schedule as shipped.
        cpu_gated, cpu_shipped: the last two by the first.
        visits: true ones of all that was played.
        visits_always, visits_shipped: counted by the two arms.
        lost_always, lost_shipped: true visits that no counted one overlaps.
        lost_to_budget: visits of the always-on arm that no visit of the other overlaps.
        dwell_always_s, dwell_shipped_s: their sums.
        gmacs_usual, gmacs_shipped: 10^9 multiply-accumulates a second, detector and pose.
        macs: the first by the second.
    """

    models: str
    timed_s: float
    busy: float
    cpu_always_s: float
    cpu_gated_s: float
    cpu_shipped_s: float
    cpu_gated: float
    cpu_shipped: float
    visits: int
    visits_always: int
    visits_shipped: int
    lost_always: int
    lost_shipped: int
    lost_to_budget: int
    dwell_always_s: float
    dwell_shipped_s: float
    gmacs_usual: float
    gmacs_shipped: float
    macs: float

    @property
    def met(self) -> bool:
        """Whether the goals are."""
        off = abs(self.visits_shipped - self.visits_always)
        return (
            self.cpu_shipped <= GOALS["cpu"]
            and self.lost_to_budget == 0
            and off <= GOALS["visits"] * self.visits
            and self.macs >= GOALS["macs"]
        )


def _candidates() -> dict[str, ModelsConfig]:
    found = {"YOLOX-nano + MoveNet": ModelsConfig("yolox-nano", "movenet-lightning-int8")}
    for entry in load().entries:
        if entry.built_in and entry.finds_people:
            found[f"built in: {entry.name}"] = ModelsConfig(entry.name, None)
    return found


def _trial(models: ModelsConfig, args: argparse.Namespace, progress: Progress) -> Trial:
    task = progress.add_task(models.detector or "", total=1.0)

    def advance(share: float) -> None:
        progress.update(task, completed=share)

    # One thread, as a unit does unless it was measured that more are better.
    runtime = RuntimeConfig()
    if args.scenes:
        return try_scenes(args.scenes, models, runtime, advance)
    return try_footage(
        args.data, models, runtime, (args.visits, args.timed, args.busy, args.seed), advance
    )


def _report(name: str, models: ModelsConfig, trial: Trial) -> Report:
    always, shipped = trial.counted
    detector, pose, reach = _macs(models)
    usual = USUAL_FPS * (detector + always.people / always.frames * pose)
    work = shipped.detected * detector + shipped.posed * pose + shipped.looks * reach
    ours = work / shipped.seconds
    cpu = [outcome.cpu_s for outcome in trial.timed]
    return Report(
        models=name,
        timed_s=trial.timed[0].seconds,
        busy=round(trial.busy, 3),
        cpu_always_s=round(cpu[0], 2),
        cpu_gated_s=round(cpu[1], 2),
        cpu_shipped_s=round(cpu[2], 2),
        cpu_gated=round(cpu[1] / cpu[0], 3),
        cpu_shipped=round(cpu[2] / cpu[0], 3),
        visits=len(trial.true),
        visits_always=len(always.visits),
        visits_shipped=len(shipped.visits),
        lost_always=missing(trial.true, always.visits),
        lost_shipped=missing(trial.true, shipped.visits),
        lost_to_budget=missing(always.visits, shipped.visits),
        dwell_always_s=round(_dwell(always), 1),
        dwell_shipped_s=round(_dwell(shipped), 1),
        gmacs_usual=round(usual / 1e9, 3),
        gmacs_shipped=round(ours / 1e9, 3),
        macs=round(usual / ours, 1),
    )


def _dwell(outcome: Outcome) -> float:
    return sum(one.leave_s - one.enter_s for one in outcome.visits)


def _macs(models: ModelsConfig) -> tuple[int, int, int]:
    """Of the detector, the pose model and one close look; those that are not run cost nothing."""
    manifest = load()
    assert models.detector is not None
    pose = 0 if models.pose is None else _of(manifest.get(models.pose))
    closely = manifest.built_in_reach
    reach = 0 if closely is None else _of(closely)
    return _of(manifest.get(models.detector)), pose, reach


def _of(entry: ModelEntry) -> int:
    if entry.macs is None:
        raise InputError(f"model {entry.name}: the manifest does not say its macs; add them")
    return entry.macs


def _show(reports: list[Report], preparations: list[Preparation]) -> None:
    console = Console()
    for one in reports:
        table = Table(title=f"{one.models}, {one.busy:.0%} busy")
        for title in ("", "always on", "gate alone", "as shipped", "ratio", "goal"):
            table.add_column(title, justify="right" if title else "left")
        for row in _rows(one):
            table.add_row(*row)
        console.print(table)
    table = Table(title="preparation of a 1080p frame")
    for title in ("", "us", "usual / this"):
        table.add_column(title, justify="right" if title else "left")
    for way in preparations:
        table.add_row(way.way, f"{way.us:.0f}", f"{way.ratio:.1f}")
    console.print(table)


def _rows(one: Report) -> list[tuple[str, ...]]:
    counted = one.visits_shipped / max(one.visits_always, 1)
    dwelt = one.dwell_shipped_s / max(one.dwell_always_s, 1e-9)
    figures: list[tuple[Any, ...]] = [
        (
            f"processor, s in {one.timed_s:.0f}", f"{one.cpu_always_s:.1f}",
            f"{one.cpu_gated_s:.1f} ({one.cpu_gated})", f"{one.cpu_shipped_s:.1f}",
            f"{one.cpu_shipped}", f"<= {GOALS['cpu']}",
        ),
        (
            f"visits ({one.visits} true)", one.visits_always, "", one.visits_shipped,
            f"{counted:.3f}", "within 1 %",
        ),
        ("true visits lost", one.lost_always, "", one.lost_shipped, "", ""),
        ("lost to the budget", "", "", one.lost_to_budget, "", 0),
        ("dwell, s", one.dwell_always_s, "", one.dwell_shipped_s, f"{dwelt:.3f}", ""),
        (
            "GMAC/s (usual: 15 fps)", f"{one.gmacs_usual:.2f}", "",
            f"{one.gmacs_shipped:.2f}", f"{one.macs}", f">= {GOALS['macs']:g}",
        ),
    ]  # fmt: skip
    return [tuple(str(cell) for cell in row) for row in figures]
