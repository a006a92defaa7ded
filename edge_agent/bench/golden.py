"""Golden replays: what was once seen of a story, and what the unit made of it then and makes now.

A story is a folder: ``site.yaml``, ``said.jsonl.gz`` (see `tape`), and what is expected of them:
``events.jsonl`` and ``records.jsonl``. Tracker, zones, shelf and aggregates are all played again;
where they say anything else than expected the difference is shown.
"""

from __future__ import annotations

import argparse
import difflib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_agent.aggregates import Epoch
from edge_agent.bench.replay import Log, replay
from edge_agent.bench.tape import (
    Line,
    Tape,
    TapedDetector,
    TapedEyes,
    TapedLookout,
    TapedReach,
    ToldDetector,
    ToldEyes,
    ToldLookout,
    ToldReach,
    read_tape,
    write_tape,
)
from edge_agent.config import BudgetConfig, Site, load_site
from edge_agent.errors import InputError
from edge_agent.observations import Frame
from edge_agent.pipeline import Models, Pipeline, build_pipeline, open_models, with_clip

SITE, SAID, EVENTS, RECORDS = "site.yaml", "said.jsonl.gz", "events.jsonl", "records.jsonl"
EXPECTED = (EVENTS, RECORDS)

EPILOG = """\
examples:
  python -m edge_agent golden tests/golden/*              compare; exit 1 where anything differs
  python -m edge_agent golden tests/golden/* --update     take what is said now as expected
  python -m edge_agent golden tests/golden/new --record clip.mp4 --site site.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("stories", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument(
        "--update", action="store_true", help="show the difference and take it as expected"
    )
    parser.add_argument("--record", type=Path, metavar="CLIP", help="make a story of a recording")
    parser.add_argument("--site", type=Path, help="of the recording")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.record is not None:
        if args.site is None or len(args.stories) != 1:
            raise InputError("--record needs --site and one folder for the story")
        (story,) = args.stories
        record(args.record, args.site, story)
        play(story, story)
        print(f"{story}: recorded; read {EVENTS} and see that it is right before it is kept")
        return 0
    same = True
    for story in args.stories:
        lines = list(difference(story))
        same = same and not lines
        print(f"{story.name}: {'as expected' if not lines else 'differs'}")
        sys.stdout.writelines(lines)
        if args.update:
            play(story, story)
    return 0 if same or args.update else 1


def difference(story: Path) -> Iterator[str]:
    """What a story gives now beside what is expected, as a unified diff; nothing where the same.

    Raises:
        InputError: a file is missing or broken, or something is asked that nobody recorded.
    """
    with tempfile.TemporaryDirectory() as aside:
        now = Path(aside)
        play(story, now)
        for name in EXPECTED:
            old, new = (_lines(folder / name) for folder in (story, now))
            yield from difflib.unified_diff(old, new, f"expected/{name}", f"now/{name}", n=1)


def play(story: Path, out: Path) -> None:
    """Play a story through; its events and records are written to a folder."""
    size, lines = read_tape(story / SAID)
    site, tape = _site(load_site(story / SITE)), Tape()
    # A unit that looks at no hands closely has a story without.
    reach = ToldReach(tape) if any("hands" in line for line in lines) else None
    models = Models(ToldDetector(tape), None, reach)
    pipeline = build_pipeline(site, Epoch(), models, ToldLookout(tape), ToldEyes(tape))
    with Log(site, out / EVENTS, out / RECORDS) as log:
        _run(pipeline, log, _told(tape, lines, size))


def record(clip: Path, site_path: Path, story: Path) -> None:
    """Make a story of a recording.

    Raises:
        CameraError, ModelError, InputError: as for a replay.
    """
    story.mkdir(parents=True, exist_ok=True)
    if site_path.resolve() != (story / SITE).resolve():
        shutil.copyfile(site_path, story / SITE)
    site, tape = _site(with_clip(load_site(site_path), clip, None, pace=0)), Tape()
    if site.models.pose is not None:
        raise InputError("a story is recorded with a detector that gives joints too, no pose model")
    known = open_models(site)
    reach = None if known.reach is None else TapedReach(known.reach, tape)
    models = Models(TapedDetector(known, tape), None, reach)
    pipeline = build_pipeline(site, Epoch(), models, TapedLookout(tape), TapedEyes(tape))
    with Log(site, None, None) as log:
        replay(site, pipeline, log, None)
    write_tape(story / SAID, tape.size, tape.lines)


def _run(pipeline: Pipeline, log: Log, frames: Iterator[Frame]) -> None:
    t = 0.0
    for frame in frames:
        analysis = pipeline.step(frame)
        t = frame.t
        log.write([*analysis.visits, *analysis.events], analysis.batches)
    closing = pipeline.finish(t)
    log.write([*closing.visits, *closing.events], closing.batches)


def _site(site: Site) -> Site:
    """Every frame is looked at: what a schedule leaves out is not the story's."""
    return replace(site, budget=BudgetConfig(gate=False, detect_every=1, cool=False))


def _told(tape: Tape, lines: Sequence[Line], size: tuple[int, int]) -> Iterator[Frame]:
    nothing = np.zeros((1, 1, 3), np.uint8)
    for line in lines:
        tape.line = line
        yield Frame(nothing, line["t"], *size)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True) if path.exists() else []
