"""`models evaluate keypoints`: are the joints of the people found where they are?

A detector's boxes go into the pose model as on a unit, so that a box too tight is paid for. People
are found at an overlap of 0.5. See `models.evaluate.joints` for what PCK and OKS mean here.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import numpy as np

from edge_agent.manifest import load
from edge_agent.observations import Frame
from models.evaluate.candidate import Candidate, open_candidates
from models.evaluate.detection import truth_in_words
from models.evaluate.joints import NAMES, Floats, Likeness, compare, pck
from models.evaluate.matching import Found, People, match
from models.evaluate.picture import curves
from models.evaluate.report import Figure, Row, tell
from models.evaluate.samples import add_sources, filter_of, samples, truth_by

EPILOG = """\
PCK@0.2: the share of visible joints found within 0.2 of the torso's length, which is that from the
true left shoulder to the true right hip; where one is out of the picture, from the right shoulder
to the left hip; people without either are left out of PCK (told as "no torso"). PCK is of people
found; "PCK all" counts the joints of people who were not found as wrong. OKS is COCO's.

examples:
  python -m models evaluate keypoints shelflight-nano yolox-nano+movenet-lightning-int8 \\
      --scene DIR --min-height 100 --min-visible 0.4
  python -m models evaluate keypoints shelflight-nano --images DIR \\
      --reference yolox-nano+movenet-lightning-int8
"""
WITHIN = 0.2
_FIGURES = (
    Figure("people", "people", "d"),
    Figure("found", "found"),
    Figure("pck", "PCK@0.2"),
    Figure("pck_all", "PCK all"),
    Figure("wrists", "wrists"),
    Figure("hips", "hips"),
    Figure("oks", "OKS"),
    Figure("no_torso", "no torso", "d"),
)
_IOU = 0.5
_CURVE = np.linspace(0, 0.5, 51)
_WRISTS, _HIPS = slice(9, 11), slice(11, 13)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help="a model for both, or DETECTOR+POSE; side by side"
    )
    add_sources(parser)
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    tallies = measure(args)
    title = f"joints against {truth_in_words(args)}"
    tell(title, [tally.row() for tally in tallies], _FIGURES, args.json)
    if args.picture:
        lines = {tally.name: (_CURVE, tally.curve()) for tally in tallies}
        axes = ("within so many torso lengths", "share of visible joints")
        curves(args.picture, "joints of people found", axes, lines)
    return 0


@dataclass(slots=True)
class Tally:
    """One candidate's people: those found, and those missed (compared with nothing)."""

    name: str
    found: list[Likeness] = field(default_factory=list)
    missed: list[Likeness] = field(default_factory=list)

    def add(self, found: Found, people: People, size: tuple[int, int]) -> None:
        """Take one picture.

        Args:
            found: the people, with joints.
            people: the truth, with joints.
            size: of the picture, pixels.
        """
        assert people.keypoints is not None
        taken = match(found, people, _IOU)
        which = {int(person): row for row, person in enumerate(taken) if person >= 0}
        for person in np.flatnonzero(~people.ignored).tolist():
            true, box = people.keypoints[person], people.boxes[person]
            if person in which:
                assert found.keypoints is not None
                self.found.append(compare(found.keypoints[which[person]], true, box, size))
            else:
                self.missed.append(compare(None, true, box, size))

    def row(self) -> Row:
        """What is told of it."""
        near = self._distances(self.found)
        everyone = self._distances([*self.found, *self.missed])
        people = len(self.found) + len(self.missed)
        oks = [one.oks for one in self.found if not np.isnan(one.oks)]
        each = {f"pck {name}": pck(near[:, i], WITHIN) for i, name in enumerate(NAMES)}
        return {
            "name": self.name,
            "people": people,
            "found": len(self.found) / people if people else None,
            "pck": pck(near, WITHIN),
            "pck_all": pck(everyone, WITHIN),
            "wrists": pck(near[:, _WRISTS], WITHIN),
            "hips": pck(near[:, _HIPS], WITHIN),
            "oks": float(np.mean(oks)) if oks else None,
            "no_torso": sum(not one.torso for one in self.found),
            **each,
        }

    def curve(self) -> Floats:
        """PCK at each threshold of the picture's axis."""
        near = self._distances(self.found)
        return np.array([pck(near, within) or 0.0 for within in _CURVE])

    @staticmethod
    def _distances(some: list[Likeness]) -> Floats:
        return np.array([one.distances for one in some]).reshape(-1, len(NAMES))


def measure(args: argparse.Namespace) -> list[Tally]:
    """Show every picture to every candidate."""
    manifest = load()
    candidates = open_candidates(args.names, manifest, args.threads)
    reference = None
    if args.reference:
        (reference,) = open_candidates([args.reference], manifest, args.threads)
    tallies = [Tally(candidate.name) for candidate in candidates]
    for sample in samples(args):
        people = sample.people
        if people is None:
            assert reference is not None, "samples() asks for a reference"
            people = truth_by(reference, sample.frame, args.score, filter_of(args), joints=True)
        size = (sample.frame.width, sample.frame.height)
        for candidate, tally in zip(candidates, tallies, strict=True):
            tally.add(_with_joints(candidate, sample.frame, args.score), people, size)
    return tallies


def _with_joints(candidate: Candidate, frame: Frame, score: float) -> Found:
    return candidate.joints(frame, candidate.people(frame).above(score))
