"""`models evaluate robustness`: reaches where skeletons are bad, beside a wrist in the polygon."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from edge_agent.aggregates import Epoch
from edge_agent.camera import open_camera
from edge_agent.clock import SystemClock
from edge_agent.config import BudgetConfig, Site
from edge_agent.errors import InputError
from edge_agent.observations import Detections, Frame, Poses, Reach, ShelfEvent
from edge_agent.pipeline import Models, Pipeline, build_pipeline, with_clip
from models.evaluate.damage import worse_joints
from models.evaluate.given import HIDDEN_SCORE, Given, detections_of
from models.evaluate.goals import Measure, Sums, judged, show
from models.evaluate.labels import load_labels
from models.evaluate.recording import Truth, load_truth, rendered, site_for
from models.evaluate.resample import seeds_in
from models.evaluate.spread import spread
from models.evaluate.tally import Tally, f1, ratio, tally
from models.evaluate.wrists import wrist_runs
from models.scene.files import LABELS

EPILOG = """\
Renders shops (kept in --scenes) and gives the pipeline that ships their true boxes and joints in
place of a detector's; gate, schedule, tracker and shelves are the real ones. Then, --damages times
over, each joint is moved by 5 % of the torso's length (normal), 10 % of joints are lost and 2 % of
people have left and right swapped in a frame. The plain method to compare with calls each run of
frames a reach in which a wrist lies in the shelf's polygon; which score a wrist needs and how long
a run, is chosen so that it finds as many of the true reaches as we do, with the fewest false ones.
Low to high: 95 % of 1000 samples of the shops (bootstrap).

examples:
  python -m models evaluate robustness --scenes shops
  python -m models evaluate robustness --seeds 7201-7220 --every 2 --picture robustness.png
"""
_SEEDS, _SECONDS, _FPS, _DAMAGES, _EVERY = "8001-8004", 60.0, 5.0, 20, 2
# What the plain method is tried with: the score that a wrist needs, and the shortest run, seconds.
PLAIN = tuple((score, round(0.1 * i, 1)) for score in (0.2, 0.5) for i in range(51))


@dataclass(frozen=True, slots=True)
class Trial:
    """In which ways each shop is played.

    Args:
        fps: analysed frames a second.
        damages: how often its joints are damaged, each time with a seed of its own from 1 up.
        every: in one of the ways the detector runs on each so many'th frame.
        hidden: score of joints that something hides, 0..1.
    """

    fps: float
    damages: int
    every: int
    hidden: float = HIDDEN_SCORE


@dataclass(slots=True)
class Run:
    """One pipeline on one recording, and what it said so far.

    Args:
        pipeline: fed with what is given in place of a detector.
        joints: of the frames on which the detector ran, for the plain method.
    """

    pipeline: Pipeline
    events: list[ShelfEvent] = field(default_factory=list)
    joints: list[Poses] = field(default_factory=list)

    def step(self, frame: Frame) -> None:
        """Take one frame."""
        analysis = self.pipeline.step(frame)
        self.events += analysis.events
        if analysis.poses is not None:
            self.joints.append(analysis.poses)

    def finish(self, t: float) -> None:
        """End observation."""
        self.events += self.pipeline.finish(t).events


@dataclass(frozen=True, slots=True)
class Outcome:
    """Reaches of one shop: what was found of them in which way.

    Args:
        clean, damaged: by the pipeline as it ships, the damaged one summed over all damages.
        every, nth: with the detector on every analysed frame, and on each Nth.
        plain, plain_damaged: by a wrist in the polygon, for each of PLAIN.
    """

    clean: Tally
    damaged: Tally
    every: Tally
    nth: Tally
    plain: tuple[Tally, ...]
    plain_damaged: tuple[Tally, ...]


def _f1(sums: Sums, way: str) -> float:
    return f1(sums[f"{way}_right"], sums[f"{way}_said"], sums[f"{way}_true"])


def _recall(sums: Sums, way: str) -> float:
    return ratio(sums[f"{way}_right"], sums[f"{way}_true"])


def _false(sums: Sums, way: str) -> float:
    return sums[f"{way}_said"] - sums[f"{way}_right"]


def _times_fewer(sums: Sums, ours: str, plain: str) -> float:
    """How many times fewer false reaches; where we have none, at least so many."""
    return _false(sums, plain) / max(1.0, _false(sums, ours)) if sums["clean_true"] else np.nan


MEASURES = (
    Measure("f1_clean", "reach F1, true joints", lambda s: _f1(s, "clean")),
    Measure("f1_damaged", "reach F1, damaged joints", lambda s: _f1(s, "damaged")),
    Measure(
        "points_lost", "points of F1 lost, at most",
        lambda s: 100 * (_f1(s, "clean") - _f1(s, "damaged")), ".1f", most=5.0,
    ),
    Measure("recall", "recall", lambda s: _recall(s, "clean")),
    Measure("recall_plain", "recall, wrist in polygon", lambda s: _recall(s, "plain")),
    Measure("false", "false reaches", lambda s: _false(s, "clean"), ".0f"),
    Measure("false_plain", "false, wrist in polygon", lambda s: _false(s, "plain"), ".0f"),
    Measure(
        "times_fewer", "times fewer, at least",
        lambda s: _times_fewer(s, "clean", "plain"), ".1f", least=5.0,
    ),
    Measure("recall_damaged", "damaged: recall", lambda s: _recall(s, "damaged")),
    Measure("recall_plain_damaged", "wrist in polygon", lambda s: _recall(s, "plain_damaged")),
    Measure("false_damaged", "damaged: false reaches", lambda s: _false(s, "damaged"), ".0f"),
    Measure("false_plain_damaged", "wrist in polygon", lambda s: _false(s, "plain_damaged"), ".0f"),
    Measure(
        "times_fewer_damaged", "times fewer, at least",
        lambda s: _times_fewer(s, "damaged", "plain_damaged"), ".1f", least=5.0,
    ),
    Measure("f1_every", "F1, detector on every frame", lambda s: _f1(s, "every")),
    Measure("f1_nth", "F1, on each Nth", lambda s: _f1(s, "nth")),
    Measure(
        "nth_lost", "F1 lost by that, at most",
        lambda s: _f1(s, "every") - _f1(s, "nth"), most=0.02,
    ),
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--seeds", default=_SEEDS, help=f"rendered shops (default {_SEEDS})")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of each (default 60)")
    parser.add_argument("--scenes", type=Path, help="folder that keeps rendered shops")
    parser.add_argument("--fps", type=float, default=_FPS, help="analysed a second (default 5)")
    parser.add_argument(
        "--damages", type=int, default=_DAMAGES, metavar="N",
        help="how often each shop's joints are damaged anew (default 20)",
    )  # fmt: skip
    parser.add_argument(
        "--every", type=int, default=_EVERY, metavar="N",
        help="compare the detector on each Nth analysed frame with every one (default 2); it runs "
        "twice a second at least",
    )  # fmt: skip
    parser.add_argument(
        "--hidden", type=float, default=HIDDEN_SCORE, metavar="SCORE",
        help="of joints that something hides (default 0.3, as the built-in model guesses them; "
        "0 = they are not found)",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as last line")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE.png", help="draw the figures (needs matplotlib)"
    )
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.damages < 1 or args.every < 1:
        raise InputError("--damages and --every are 1 or more")
    seeds = seeds_in(args.seeds)
    with tempfile.TemporaryDirectory() as aside:
        folders = [(args.scenes or Path(aside)) / str(seed) for seed in seeds]
        outcomes = list(_judge(folders, args))
    shops, chosen = summed(outcomes)
    rows = judged(shops, MEASURES)
    plain, worse = (f"score {PLAIN[i][0]:g}, {PLAIN[i][1]:g} s" for i in chosen)
    title = (
        f"{len(shops)} shops, {sum(one.clean.reaches for one in outcomes):.0f} reaches, joints "
        f"damaged {args.damages} times; wrist in polygon: {plain}; damaged: {worse}"
    )
    show(title, rows, MEASURES, args.json, args.picture)
    return 0


def summed(outcomes: Sequence[Outcome]) -> tuple[list[Sums], tuple[int, int]]:
    """What each shop adds, the plain method at the recall that is nearest to ours.

    Returns:
        The sums of each shop; which of PLAIN was chosen with true and with damaged joints.
    """
    plain = _alike([one.clean for one in outcomes], [one.plain for one in outcomes])
    worse = _alike([one.damaged for one in outcomes], [one.plain_damaged for one in outcomes])
    shops: list[Sums] = [
        _named("clean", one.clean)
        | _named("damaged", one.damaged)
        | _named("every", one.every)
        | _named("nth", one.nth)
        | _named("plain", one.plain[plain])
        | _named("plain_damaged", one.plain_damaged[worse])
        for one in outcomes
    ]
    return shops, (plain, worse)


def _alike(ours: Iterable[Tally], plain: Sequence[tuple[Tally, ...]]) -> int:
    """Which of PLAIN has the recall nearest to ours; of equal ones, the fewest false reaches."""
    right = sum(one.reaches_right for one in ours)
    totals = [sum(ways, Tally()) for ways in zip(*plain, strict=True)]
    return min(
        range(len(totals)),
        key=lambda i: (abs(totals[i].reaches_right - right), totals[i].reaches_said),
    )


def _named(way: str, one: Tally) -> dict[str, float]:
    return {
        f"{way}_true": one.reaches,
        f"{way}_said": one.reaches_said,
        f"{way}_right": one.reaches_right,
    }


def _judge(folders: Sequence[Path], args: argparse.Namespace) -> Iterator[Outcome]:
    trial = Trial(args.fps, args.damages, args.every, args.hidden)
    job = partial(_job, seconds=args.seconds, trial=trial)
    return spread(job, folders, args.workers)


def _job(folder: Path, seconds: float, trial: Trial) -> Outcome:
    import cv2

    cv2.setNumThreads(1)
    return outcome(load_truth(rendered(folder, seconds, trial.fps)), trial)


def outcome(truth: Truth, trial: Trial) -> Outcome:
    """Play one shop in all ways at once, so that its clip is decoded once.

    Args:
        truth: of a rendered shop, its labels beside it.
        trial: the ways.
    """
    labels = load_labels(truth.source.parent / LABELS)
    site = with_clip(site_for(truth, None), truth.clip, trial.fps, pace=0)
    said = detections_of(labels, round(truth.values["duration_s"] * labels.fps), trial.hidden)
    aspect = labels.size[0] / labels.size[1]

    def run(given: Sequence[Detections], budget: BudgetConfig) -> Run:
        models = Models(Given(given, labels.fps), None)
        return Run(build_pipeline(replace(site, budget=budget), Epoch(), models))

    clean = run(said, site.budget)
    each = run(said, replace(site.budget, detect_every=1))
    nth = run(said, replace(site.budget, detect_every=trial.every))
    seeds = range(1, trial.damages + 1)
    worse = [run(_damaged(said, aspect, seed), site.budget) for seed in seeds]
    _play(site, [clean, each, nth, *worse])
    true = truth.values["reaches"]
    return Outcome(
        _tally(clean.events, true),
        sum((_tally(one.events, true) for one in worse), Tally()),
        _tally(each.events, true),
        _tally(nth.events, true),
        tuple(_plain([clean], site, true)),
        tuple(_plain(worse, site, true)),
    )


def _damaged(said: Sequence[Detections], aspect: float, seed: int) -> list[Detections]:
    rng = np.random.default_rng(seed)
    return [worse_joints(one, aspect, rng) for one in said]


def _play(site: Site, runs: Sequence[Run]) -> None:
    camera, t = open_camera(site.camera, SystemClock()), 0.0
    try:
        while (frame := camera.read()) is not None:
            t = frame.t
            for run in runs:
                run.step(frame)
    finally:
        camera.close()
    for run in runs:
        run.finish(t)


def _tally(events: Iterable[ShelfEvent], true: object) -> Tally:
    return tally([one for one in events if isinstance(one, Reach)], {"reaches": true})


def _plain(runs: Sequence[Run], site: Site, true: object) -> Iterator[Tally]:
    """For each of PLAIN what a wrist in the polygon says, all runs together."""
    scores = {score for score, _ in PLAIN}
    found = {score: [wrist_runs(run.joints, site.zones, score) for run in runs] for score in scores}
    for score, least in PLAIN:
        yield sum(
            (
                _tally([one for one in some if one.end_s - one.start_s >= least - 1e-6], true)
                for some in found[score]
            ),
            Tally(),
        )
