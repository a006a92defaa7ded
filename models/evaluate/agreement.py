"""How far a model's person boxes are those of another, and what it takes of the other's time.

For a quantized model beside its float one. Both look at the same pictures; boxes are matched one
to one, best first, as `models.evaluate.matching` does it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.progress import track

from edge_agent.errors import ModelError
from edge_agent.manifest import load
from edge_agent.observations import Detections, Frame
from models.evaluate.candidate import Candidate, open_candidates
from models.evaluate.matching import Found, People, match
from models.quantize.pictures import read_pictures

_SCORE, _IOU = 0.3, 0.5
_THREADS = 1
# Of one picture's inputs through both models, in turn.
_ROUNDS = 3
_EPILOG = """\
example:
  python -m models evaluate agreement yolox-nano-int8 --reference yolox-nano --images photos
"""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two models have in common.

    Args:
        matched: boxes that both have.
        wanted: the reference's boxes.
        found: the other's.
    """

    matched: int
    wanted: int
    found: int

    @property
    def recall(self) -> float:
        """Of the reference's boxes, those that the other has too; 1 where there are none."""
        return self.matched / self.wanted if self.wanted else 1.0

    @property
    def precision(self) -> float:
        """Of the other's boxes, those that the reference has too; 1 where there are none."""
        return self.matched / self.found if self.found else 1.0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.matched + other.matched, self.wanted + other.wanted, self.found + other.found
        )


def agreement(wanted: Found, found: Found, score: float = _SCORE, iou: float = _IOU) -> Agreement:
    """Compare one picture's boxes.

    Args:
        wanted: the reference's, best first.
        found: the other's, best first.
        score: boxes below it are none, 0..1.
        iou: the least overlap of a match, 0..1.
    """
    ours, theirs = found.above(score), wanted.above(score)
    nobody_ignored = People(theirs.boxes, theirs.scores < 0)
    taken = match(ours, nobody_ignored, iou)
    return Agreement(int((taken >= 0).sum()), len(theirs.boxes), len(ours.boxes))


def found_in(detections: Detections) -> Found:
    """What a detector found, best first."""
    order = np.argsort(-detections.scores, kind="stable")
    return Found(detections.boxes[order], detections.scores[order])


def time_in_turn(
    one: Callable[[], object], other: Callable[[], object], rounds: int,
    now: Callable[[], float] = time.perf_counter,
) -> list[tuple[float, float]]:  # fmt: skip
    """Time both in turn, so that what else the machine does falls on both.

    Args:
        one: called ``rounds`` times.
        other: too; who is first changes each time.
        rounds: how often.
        now: seconds.

    Returns:
        Seconds of both, a pair a round.
    """

    def timed(call: Callable[[], object]) -> float:
        start = now()
        call()
        return now() - start

    pairs = []
    for turn in range(rounds):
        if turn % 2:
            second = timed(other)
            pairs.append((timed(one), second))
        else:
            pairs.append((timed(one), timed(other)))
    return pairs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("name", metavar="NAME", help="the model under test, a detector")
    parser.add_argument("--reference", required=True, metavar="NAME", help="what it should say")
    parser.add_argument(
        "--images", type=Path, required=True, metavar="DIR", help="a folder of photographs"
    )
    parser.add_argument(
        "--score", type=float, default=_SCORE, help="boxes below it are none (default 0.3)"
    )
    parser.add_argument(
        "--rounds", type=int, default=_ROUNDS, metavar="N",
        help="how often each picture is timed through both models (default 3)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object as last line")
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def main(args: argparse.Namespace) -> int:
    """Print recall, precision and the ratio of times.

    Raises:
        ModelError, InputError: a model or the folder cannot be used.
    """
    manifest = load()
    for name in (args.name, args.reference):
        if not manifest.get(name).finds_people:
            raise ModelError(f"{name} finds no people; agreement is of two detectors")
    if args.rounds < 1:
        raise ModelError(f"--rounds is {args.rounds}; 1 or more is allowed")
    frames = [picture.frame for picture in read_pictures(args.images)]
    (theirs,) = open_candidates([args.reference], manifest, _THREADS)
    (ours,) = open_candidates([args.name], manifest, _THREADS)
    total, pairs = Agreement(0, 0, 0), []
    for frame in track(frames, args.name, console=Console(stderr=True), transient=True):
        total += agreement(theirs.people(frame), ours.people(frame), args.score)
        pairs += _timed(ours, theirs, frame, args.rounds)
    ratio = median(a / b for a, b in pairs)
    found = {
        "recall": round(total.recall, 4),
        "precision": round(total.precision, 4),
        "time_ratio": round(ratio, 4),
        **asdict(total),
        "images": len(frames),
        "ms": round(median(a for a, _ in pairs) * 1000, 3),
        "reference_ms": round(median(b for _, b in pairs) * 1000, 3),
    }
    print(
        f"{args.name} beside {args.reference} on {len(frames)} pictures, score >= {args.score:g}, "
        f"IoU >= {_IOU:g}, one thread:\n"
        f"  recall {total.recall:.3f} ({total.matched} of {total.wanted}), precision "
        f"{total.precision:.3f} ({total.matched} of {total.found})\n"
        f"  time {found['ms']} ms beside {found['reference_ms']} ms: {ratio:.3f} (pairs in turn)"
    )
    if args.json:
        print(json.dumps(found))
    return 0


def _timed(
    ours: Candidate, theirs: Candidate, frame: Frame, rounds: int
) -> list[tuple[float, float]]:
    """Bare inference of both on one picture."""
    mine, other = ours.detector.prepare(frame), theirs.detector.prepare(frame)
    return time_in_turn(
        lambda: ours.detector.runtime(mine), lambda: theirs.detector.runtime(other), rounds
    )
