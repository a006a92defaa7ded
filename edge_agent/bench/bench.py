"""What the pipeline adds to its models: whole frames beside bare inference, in one run."""

from __future__ import annotations

import argparse
import gc
import json
import resource
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_agent.aggregates import Epoch
from edge_agent.bench.footprint import memory_mb
from edge_agent.camera import open_camera
from edge_agent.clock import SystemClock, process_age
from edge_agent.config import Site, load_site
from edge_agent.observations import Floats, Frame
from edge_agent.pipeline import STAGES, Models, build_pipeline, open_models, with_clip
from edge_agent.pipeline.flow import FindsHands, FindsJoints

ROUNDS = 7
_WARM_FRAMES = 100
# Frames whose time lies around the median stand for the median frame, whose stages then add up.
_MIDDLE = (40, 60)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("clip", type=Path, help="the recording to measure on")
    parser.add_argument("--site", type=Path, required=True, help="the unit's site.yaml")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="times the clip is played")
    parser.add_argument("--json", action="store_true", help="print one JSON object as last line")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    site = with_clip(load_site(args.site), args.clip, None, pace=0)
    models = open_models(site)
    startup_s = process_age()
    report = measure(site, models, args.rounds)
    report["startup_s"] = round(startup_s, 3)
    if args.json:
        print(json.dumps(report))
    else:
        _show(report)
    return 0


Bare = Callable[[], object]
"""One inference on an input that a frame gave, to be run again."""


class _Tap:
    """Stands in for the runtime of a model that looks at one person, and keeps what it is given.

    Args:
        model: whose runtime it is.
        kept: gets the inferences.
    """

    def __init__(self, model: FindsJoints | FindsHands, kept: list[Bare]) -> None:
        self._model, self._run, self._kept = model, model.runtime, kept
        model.runtime = self

    def __call__(self, tensor: NDArray[Any]) -> list[NDArray[Any]]:
        self._kept.append(partial(self._run, tensor.copy()))
        return self._run(tensor)

    def remove(self) -> None:
        """The model runs as before."""
        self._model.runtime = self._run


def measure(site: Site, models: Models, rounds: int) -> dict[str, Any]:
    """Play the clip to warm up and note what small models are given, then time it `rounds` times.

    Each frame is timed through the pipeline and, right before or right after in turn, as the bare
    inference of the same sessions on the same inputs. The overhead of a frame is the median over
    the rounds of the ratio of such a pair: the two share what the machine was doing just then, and
    a hiccup on one side of one pair does not pass for overhead. Frames that the budget leaves out
    are played, not timed: there is no inference to compare them with.
    """
    rss_mb = _warm_up(site, models)
    gc.freeze()  # as the vision service does
    asked = _asked(site, models)
    timed = sum(one is not None for one in asked)
    frame_s, bare_s = np.empty((rounds, timed)), np.empty((rounds, timed))
    laps = np.empty((rounds, timed, len(STAGES)))
    for i in track(range(rounds), "bench", console=Console(stderr=True), transient=True):
        pipeline = build_pipeline(site, Epoch(), models)
        j = 0
        for frame, inputs in zip(_frames(site), asked, strict=True):
            if inputs is None:
                pipeline.step(frame)
                continue
            watch = _Watch()
            before = (i + j) % 2 == 0
            bare = _bare(models, frame, inputs) if before else 0.0
            watch.start()
            pipeline.step(frame, watch.lap)
            frame_s[i, j] = watch.total_s
            laps[i, j] = watch.laps
            bare_s[i, j] = bare if before else _bare(models, frame, inputs)
            j += 1
    return {"frames": len(asked), **_report(frame_s, bare_s, laps), "rss_mb": rss_mb}


def _warm_up(site: Site, models: Models) -> float:
    """Run a while as a unit does; the peak of resident memory so far, MB."""
    pipeline = build_pipeline(site, Epoch(), models)
    for _, frame in zip(range(_WARM_FRAMES), _frames(site), strict=False):
        pipeline.step(frame)
    return _peak_mb()


def _peak_mb() -> float:
    """Peak of resident memory, MB.

    getrusage would do but for Linux, which has a child begin with the peak of its parent.
    """
    try:
        return round(memory_mb("self", "VmHWM"), 1)
    except OSError:
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _asked(site: Site, models: Models) -> list[list[Bare] | None]:
    """Per frame what models that look at one person infer; None where the detector rests."""
    kept: list[Bare] = []
    taps = [_Tap(one, kept) for one in (models.pose, models.reach) if one is not None]
    pipeline = build_pipeline(site, Epoch(), models)
    found: list[list[Bare] | None] = []
    for frame in _frames(site):
        ran = pipeline.step(frame).detections is not None
        found.append(kept.copy() if ran else None)
        kept.clear()
    for tap in taps:
        tap.remove()
    return found


def _frames(site: Site) -> Iterator[Frame]:
    camera = open_camera(site.camera, SystemClock())
    try:
        while (frame := camera.read()) is not None:
            assert isinstance(frame, Frame)
            yield frame
    finally:
        camera.close()


def _bare(models: Models, frame: Frame, asked: list[Bare]) -> float:
    """Seconds that the models alone take on what this frame gives them."""
    assert models.detector is not None
    tensor = models.detector.prepare(frame)
    watch = _Watch()
    watch.start()
    models.detector.runtime(tensor)
    for infer in asked:
        infer()
    watch.lap("")
    return watch.total_s


class _Watch:
    """A stop watch with laps."""

    def __init__(self) -> None:
        self._now = SystemClock().monotonic
        self.laps: list[float] = []

    def start(self) -> None:
        self._started = self._last = self._now()

    def lap(self, _name: str) -> None:
        now = self._now()
        self.laps.append(now - self._last)
        self._last = now

    @property
    def total_s(self) -> float:
        return self._last - self._started


def _report(frame_s: Floats, bare_s: Floats, laps: Floats) -> dict[str, Any]:
    """Sum up [rounds, frames] of whole frames and bare inference, [rounds, frames, stages]."""
    frame_ms = np.median(frame_s, axis=0) * 1e3
    low, high = np.percentile(frame_ms, _MIDDLE)
    middle = laps[:, (frame_ms >= low) & (frame_ms <= high)].mean(axis=(0, 1))
    share = middle / middle.sum()
    return {
        "detected": len(frame_ms),
        "frame_ms": _percentiles(frame_ms),
        "inference_ms": _percentiles(np.median(bare_s, axis=0) * 1e3),
        "overhead": _percentiles(np.median(frame_s / bare_s, axis=0)),
        "stages_ms": {
            name: round(float(part * np.median(frame_ms)), 4)
            for name, part in zip(STAGES, share, strict=True)
        },
    }


def _percentiles(values: Floats) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(values, q)), 4) for q in (50, 95)}


def _show(report: dict[str, Any]) -> None:
    console = Console()
    table = Table(title=f"{report['frames']} frames, the detector ran on {report['detected']}")
    for name in ("", "p50", "p95"):
        table.add_column(name, justify="right" if name else "left")
    for key in ("frame_ms", "inference_ms", "overhead"):
        table.add_row(key, *(f"{report[key][q]:.3f}" for q in ("p50", "p95")))
    console.print(table)
    stages = "  ".join(f"{name} {ms:.2f}" for name, ms in report["stages_ms"].items())
    console.print(f"stages of the median frame, ms: {stages}")
    console.print(f"{report['rss_mb']} MB resident, models ready after {report['startup_s']} s")
