"""`models evaluate dwell-tracking`: dwell from poor boxes, our tracker beside ByteTrack."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from edge_agent.aggregates import Epoch
from edge_agent.bench import rivals
from edge_agent.config import Site, parse_site
from edge_agent.observations import Detections, Floats, Tracks, Visit
from edge_agent.pipeline import Models, build_pipeline
from edge_agent.pipeline.schedule import MOST_APART_S
from edge_agent.zones import Floors
from models.evaluate.damage import worse_boxes
from models.evaluate.dwell import pair_visits
from models.evaluate.goals import Measure, Sums, judged, show
from models.evaluate.recording import as_visit
from models.evaluate.resample import seeds_in
from models.evaluate.spread import spread
from models.evaluate.tally import ratio
from models.scene.crowd import Crowd, crowd

EPILOG = """\
Makes shops without pictures: the true boxes of everybody, whoever stands before them. Each edge is
moved by 3 % of the box's size (normal), and 7 % of boxes are missed. Our tracker and ByteTrack
(supervision's, its defaults, in an environment of its own that `make bench` installs) get the same
boxes, 30 and 5 times a second, and the same floors make visits of their tracks. Dwell error is
seconds a true visit: what each visit found is off, the whole of each that was missed, and the
whole of each too many. Low to high: 95 % of 1000 samples of the shops (bootstrap).

examples:
  python -m models evaluate dwell-tracking
  python -m models evaluate dwell-tracking --seeds 8001-8100 --json
"""
_SEEDS, _SECONDS = "8001-8020", 60.0
_HIGH_FPS, _LOW_FPS = 30, 5
_RIVAL, _SCORE = "supervision", 0.9
# A person of whom the picture holds less is not found.
_LEAST_VISIBLE = 0.25


def _error(sums: Sums, way: str) -> float:
    return ratio(sums[way], sums["visits"])


def _beside(sums: Sums, one: str, other: str) -> float:
    return ratio(sums[one], sums[other])


MEASURES = (
    Measure("ours_5", "dwell error at 5 fps, s", lambda s: _error(s, "ours_5")),
    Measure("bytetrack_5", "ByteTrack's", lambda s: _error(s, "bytetrack_5")),
    Measure(
        "of_bytetrack_5", "of ByteTrack's, at most",
        lambda s: _beside(s, "ours_5", "bytetrack_5"), most=0.6,
    ),
    Measure("ours_30", "dwell error at 30 fps, s", lambda s: _error(s, "ours_30")),
    Measure("bytetrack_30", "ByteTrack's", lambda s: _error(s, "bytetrack_30")),
    Measure(
        "of_bytetrack_30", "of ByteTrack's, at most",
        lambda s: _beside(s, "ours_30", "bytetrack_30"), most=0.6,
    ),
    Measure(
        "slow_of_fast", "ours at 5 of ByteTrack's at 30, at most",
        lambda s: _beside(s, "ours_5", "bytetrack_30"), most=1.0,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """One shop, its visits, and what a poor detector sees of it.

    Args:
        site: its floors.
        visits: the true ones.
        frames: what is detected at the high rate.
        size: width, height, pixels.
    """

    site: Site
    visits: tuple[Visit, ...]
    frames: list[Detections]
    size: tuple[int, int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--seeds", default=_SEEDS, help=f"shops (default {_SEEDS})")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of each (default 60)")
    parser.add_argument(
        "--rivals", type=Path, default=Path(".venv-rivals"), metavar="DIR",
        help="folder of the environment that ByteTrack lives in (default .venv-rivals)",
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
    with rivals.started(_RIVAL, args.rivals):
        pass  # a missing environment is told before minutes of work
    shops = list(_judge(seeds_in(args.seeds), args))
    visits = sum(shop["visits"] for shop in shops)
    title = f"dwell from poor boxes: {len(shops)} shops without pictures, {visits:.0f} visits"
    show(title, judged(shops, MEASURES), MEASURES, args.json, args.picture)
    return 0


def dwell_error_s(found: Sequence[Visit], true: Sequence[Visit]) -> float:
    """Seconds by which dwell is off, all visits together.

    Visits that an end of the recording cuts off count as they are: both sides see the same part.
    """
    pairs = pair_visits(found, true)
    extra = set(range(len(found))) - {i for i, _ in pairs}
    missed = set(range(len(true))) - {j for _, j in pairs}
    return (
        sum(abs(found[i].dwell_s - true[j].dwell_s) for i, j in pairs)
        + sum(found[i].dwell_s for i in extra)
        + sum(true[j].dwell_s for j in missed)
    )


def shop_of(people: Crowd, name: str, seed: int) -> Shop:
    """What a poor detector sees of a shop's people.

    Args:
        people: at the high rate.
        name: for messages.
        seed: of the damage.
    """
    zones = {"unit": {"id": "shop"}, "zones": list(people.zones)}
    site = parse_site(zones, name, Path())
    rng, labels = np.random.default_rng(seed), people.labels
    frames = []
    for frame in range(people.frames):
        rows = (labels.frame == frame) & (labels.visible >= _LEAST_VISIBLE)
        boxes, found = worse_boxes(labels.boxes[rows].astype(np.float64), rng)
        boxes = boxes[found]
        frames.append(Detections(frame / people.fps, boxes, np.full(len(boxes), _SCORE)))
    return Shop(site, tuple(as_visit(one) for one in people.visits), frames, people.size)


def ours(shop: Shop, every: int) -> list[Visit]:
    """Visits by the pipeline that ships, of each so many'th frame."""
    site = _at(shop.site, _HIGH_FPS / every)
    pipeline = build_pipeline(site, Epoch(), Models(None, None))
    visits: list[Visit] = []
    for seen in shop.frames[::every]:
        visits += pipeline.step(seen).visits
    return visits + pipeline.finish(shop.frames[-1].t).visits


def bytetracks(shop: Shop, every: int, worker: rivals.Worker) -> list[Visit]:
    """Visits by ByteTrack's tracks, on the same floors."""
    fps, scale = _HIGH_FPS / every, np.array([*shop.size] * 2, np.float64)
    rows = [
        np.column_stack([seen.boxes * scale, seen.scores]).tolist() for seen in shop.frames[::every]
    ]
    worker.ask("load", "shop", fps=fps, scale=shop.size, frames=rows)
    floors = Floors(shop.site.zones, max(1 / fps, MOST_APART_S))
    visits: list[Visit] = []
    for seen, tracked in zip(shop.frames[::every], worker.ask("track", "shop"), strict=True):
        visits += floors.update(_tracks(seen.t, np.array(tracked).reshape(-1, 5), scale))
    return visits + floors.finish()


def _tracks(t: float, rows: Floats, scale: Floats) -> Tracks:
    sure = np.ones(len(rows))
    return Tracks(t, rows[:, 0].astype(np.int64), rows[:, 1:] / scale, sure, sure > 0)


def _at(site: Site, fps: float) -> Site:
    return replace(site, camera=replace(site.camera, fps=fps))


def _judge(seeds: Sequence[int], args: argparse.Namespace) -> Iterator[Sums]:
    job = partial(_job, seconds=args.seconds, folder=args.rivals)
    return spread(job, seeds, args.workers)


def _job(seed: int, seconds: float, folder: Path) -> Sums:
    shop = shop_of(crowd(seed, seconds, _HIGH_FPS), f"shop {seed}", seed)
    sums = {"visits": float(len(shop.visits))}
    with rivals.started(_RIVAL, folder) as worker:
        for fps in (_LOW_FPS, _HIGH_FPS):
            every = _HIGH_FPS // fps
            sums[f"ours_{fps}"] = dwell_error_s(ours(shop, every), shop.visits)
            theirs = bytetracks(shop, every, worker)
            sums[f"bytetrack_{fps}"] = dwell_error_s(theirs, shop.visits)
    return sums
