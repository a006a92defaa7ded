"""Run every trial in turns, and judge each by its family's reference."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from edge_agent.manifest import ModelEntry
from models.bench import worker
from models.bench.trial import Family, Trial
from models.evaluate.joints import VISIBLE
from models.evaluate.keypoints import Tally
from models.evaluate.matching import IGNORED, Found, People, match

# Boxes of people below it do not count, an overlap from which two boxes are one (the contract's).
SCORE, _IOU = 0.3, 0.5
_LONGEST_S = 600.0
Start = Callable[[Trial, Path, Path | None], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Result:
    """What one way of running a model gave.

    Args:
        trial: the way.
        ms: median of an inference, by the wall.
        p95_ms: 95th percentile.
        cpu_ms: processor time of an inference, all threads.
        rss_mb: resident memory of the process.
        accuracy: agreement with the reference, 0..1: of boxes the lesser of recall and precision,
            of joints PCK@0.2, of a model for both the least; None where it could not be run.
        error: why it could not be run.
    """

    trial: Trial
    ms: float = 0.0
    p95_ms: float = 0.0
    cpu_ms: float = 0.0
    rss_mb: float = 0.0
    accuracy: float | None = None
    error: str | None = None


def measure(
    family: Family,
    pictures: Path,
    sizes: Sequence[tuple[int, int]],
    rounds: int,
    folder: Path,
    tick: Callable[[], None] = lambda: None,
    start: Start | None = None,
) -> list[Result]:
    """Measure a family's trials, each in a process of its own, in turns.

    Args:
        family: its first trial is the reference.
        pictures: the inputs' file.
        sizes: width and height of each picture, pixels.
        rounds: how often each is run; times are medians over all.
        folder: for what the trials find.
        tick: told when one run is over.
        start: runs a trial; None = as a process.

    Returns:
        In the order of the trials.
    """
    told: list[list[dict[str, Any]]] = [[] for _ in family.trials]
    for number in range(rounds):
        for i, trial in enumerate(family.trials):
            if not any("error" in one for one in told[i]):
                results = folder / f"{i}.npz" if number == 0 else None
                told[i].append((start or run)(trial, pictures, results))
            tick()
    failed = "error" in told[0][0]
    reference = None if failed else worker.read(folder / "0.npz")
    return [
        _result(family.root, trial, some, folder / f"{i}.npz", reference, sizes)
        for i, (trial, some) in enumerate(zip(family.trials, told, strict=True))
    ]


def run(trial: Trial, pictures: Path, results: Path | None) -> dict[str, Any]:
    """One process; what it told, or ``{"error": why}``."""
    try:
        done = subprocess.run(
            worker.words(trial, pictures, results),
            capture_output=True, text=True, check=False, timeout=_LONGEST_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {_LONGEST_S:.0f} s"}
    if done.returncode < 0:
        return {"error": f"crashed with signal {-done.returncode}"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no reason told"])[-1]}
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def agreement(
    root: ModelEntry,
    found: Sequence[Found],
    reference: Sequence[Found],
    sizes: Sequence[tuple[int, int]],
) -> float | None:
    """How far results are the reference's, 0..1; None where the reference finds nothing."""
    parts: list[float | None] = []
    if root.finds_people:
        parts += _boxes_agree(found, reference)
    if root.finds_joints:
        parts.append(_joints_agree(root, found, reference, sizes))
    known = [part for part in parts if part is not None]
    return min(known) if known else None


def _result(
    root: ModelEntry,
    trial: Trial,
    told: list[dict[str, Any]],
    results: Path,
    reference: Sequence[Found] | None,
    sizes: Sequence[tuple[int, int]],
) -> Result:
    error = next((one["error"] for one in told if "error" in one), None)
    if error is not None:
        return Result(trial, error=error)
    every = np.concatenate([one["ms"] for one in told])
    if not len(every):
        return Result(trial, error="nobody in the pictures to look at")
    if reference is None:
        accuracy = None
    else:
        accuracy = agreement(root, worker.read(results), reference, sizes)
    return Result(
        trial,
        float(np.median(every)),
        float(np.percentile(every, 95)),
        median(one["cpu_ms"] for one in told),
        max(one["rss_mb"] for one in told),
        accuracy,
    )


def _boxes_agree(
    found: Sequence[Found], reference: Sequence[Found]
) -> tuple[float | None, float | None]:
    """Recall and precision against the reference's people."""
    right = given = wanted = 0
    for mine, theirs in zip(found, reference, strict=True):
        people = theirs.above(SCORE)
        true = People(people.boxes, np.zeros(len(people.boxes), bool))
        taken = match(mine.above(SCORE), true, _IOU)
        right += int((taken >= 0).sum())
        given += int((taken != IGNORED).sum())
        wanted += true.count
    return (right / wanted if wanted else None), (right / given if given else None)


def _joints_agree(
    root: ModelEntry,
    found: Sequence[Found],
    reference: Sequence[Found],
    sizes: Sequence[tuple[int, int]],
) -> float | None:
    """PCK@0.2 of the joints that the reference believes, of the people whom both find.

    Where the reference sees nobody's torso (a camera close to a shelf), OKS in its place.
    """
    tally = Tally(root.name)
    for mine, theirs, size in zip(found, reference, sizes, strict=True):
        people = theirs.above(SCORE)
        if people.keypoints is None:
            continue
        labelled = people.keypoints.copy()
        labelled[:, :, 2] = np.where(labelled[:, :, 2] >= root.limits.score, VISIBLE, 0)
        true = People(people.boxes, np.zeros(len(people.boxes), bool), labelled)
        tally.add(mine.above(SCORE), true, size)
    row = tally.row()
    value = row["oks"] if row["pck"] is None else row["pck"]
    return value if isinstance(value, float) else None
