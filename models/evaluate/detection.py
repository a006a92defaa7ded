"""`models evaluate detection`: are people found, where they are, and nobody else?"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from edge_agent.clock import SystemClock
from edge_agent.errors import InputError
from edge_agent.manifest import load
from models.evaluate.candidate import Candidate, open_candidates
from models.evaluate.labels import mot_pairs
from models.evaluate.matching import (
    IOUS,
    Floats,
    Found,
    People,
    average_precision,
    precision_recall,
)
from models.evaluate.picture import curves
from models.evaluate.report import Figure, Row, tell
from models.evaluate.samples import Sample, add_sources, filter_of, samples, truth_by

EPILOG = """\
AP is COCO's average precision of person boxes: AP50 at an overlap of 0.5, AP the mean of 0.50 to
0.95. Recall and precision are at the working threshold (--score) and an overlap of 0.5.

examples:
  python -m models evaluate detection shelflight-nano yolox-nano --scene DIR \\
      --min-height 100 --min-visible 0.4 --picture curve.png
  python -m models evaluate detection yolox-nano-int8 --images DIR --reference yolox-nano
  python -m models evaluate detection --mot MOT17-09-FRCNN      (its own det.txt beside its truth)
"""
_FIGURES = (
    Figure("pictures", "pictures", "d"),
    Figure("people", "people", "d"),
    Figure("ap50", "AP50"),
    Figure("ap", "AP"),
    Figure("recall", "recall"),
    Figure("precision", "precision"),
    Figure("ms", "ms a picture", ".1f"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="detectors, side by side")
    add_sources(parser)
    parser.add_argument(
        "--mot", type=Path, nargs="+", metavar="DIR",
        help="MOTChallenge sequences: scores their own det.txt beside gt.txt (no pictures needed)",
    )  # fmt: skip
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    if not args.names and not args.mot:
        raise InputError("name a detector, or --mot DIR")
    tallies = [_of_mot(folder, args) for folder in args.mot or ()]
    if args.names:
        tallies += measure(args)
    rows = [tally.row(args.score) for tally in tallies]
    tell(_title(args), rows, _FIGURES, args.json)
    if args.picture:
        lines = {tally.name: tally.curve() for tally in tallies}
        curves(args.picture, "people found, overlap of 0.5", ("recall", "precision"), lines)
    return 0


@dataclass(slots=True)
class Tally:
    """One candidate's pictures."""

    name: str
    pairs: list[tuple[Found, People]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def row(self, score: float) -> Row:
        """What is told of it.

        Args:
            score: the working threshold.
        """
        precision, recall, scores = precision_recall(self.pairs, IOUS[0])
        above = int((scores >= score).sum())
        return {
            "name": self.name,
            "pictures": len(self.pairs),
            "people": sum(people.count for _, people in self.pairs),
            "ap50": average_precision(precision, recall),
            "ap": float(
                np.mean([average_precision(*precision_recall(self.pairs, iou)[:2]) for iou in IOUS])
            ),
            "recall": float(recall[above - 1]) if above else 0.0,
            "precision": float(precision[above - 1]) if above else None,
            "ms": median(self.seconds) * 1e3 if self.seconds else None,
        }

    def curve(self) -> tuple[Floats, Floats]:
        """Recall and precision as the threshold falls."""
        precision, recall, _ = precision_recall(self.pairs, IOUS[0])
        return recall, precision


def measure(args: argparse.Namespace) -> list[Tally]:
    """Show every picture to every candidate."""
    manifest = load()
    candidates = open_candidates(args.names, manifest, args.threads)
    reference = None
    if args.reference:
        (reference,) = open_candidates([args.reference], manifest, args.threads)
    tallies = [Tally(candidate.name) for candidate in candidates]
    now = SystemClock().monotonic
    for sample in samples(args):
        people = _people(sample, reference, args)
        for candidate, tally in zip(candidates, tallies, strict=True):
            start = now()
            found = candidate.people(sample.frame)
            tally.seconds.append(now() - start)
            tally.pairs.append((found, people))
    return tallies


def _people(sample: Sample, reference: Candidate | None, args: argparse.Namespace) -> People:
    if sample.people is not None:
        return sample.people
    assert reference is not None, "samples() asks for a reference"
    return truth_by(reference, sample.frame, args.score, filter_of(args), joints=False)


def _of_mot(folder: Path, args: argparse.Namespace) -> Tally:
    return Tally(f"{folder.name} det.txt", list(mot_pairs(folder, filter_of(args))))


def _title(args: argparse.Namespace) -> str:
    return f"person boxes against {truth_in_words(args)}, score >= {args.score:g}"


def truth_in_words(args: argparse.Namespace) -> str:
    """What the scores are against."""
    known: Sequence[Path] = [*(args.scene or ()), *(getattr(args, "mot", None) or ())]
    words = [f"the truth of {len(known)} clip{'s' if len(known) > 1 else ''}"] if known else []
    if args.reference:
        words.append(args.reference)
    limits = []
    if args.min_height:
        limits.append(f"from {args.min_height:g} px")
    if args.min_visible:
        limits.append(f"from {args.min_visible:.0%} visible")
    return " and ".join(words) + "".join(f", {limit}" for limit in limits)
