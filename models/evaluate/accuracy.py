"""`models evaluate accuracy`: what a unit says of shops whose truth is known, with how sure."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edge_agent.certainty import Kind
from edge_agent.errors import InputError
from models.evaluate.picture import bars
from models.evaluate.recording import load_truth, play, rendered, site_for
from models.evaluate.report import Figure, Row, tell
from models.evaluate.resample import ends, resampled, seeds_in
from models.evaluate.spread import spread
from models.evaluate.sureness import Told, calibrated, coverage, told
from models.evaluate.tally import Tally, f1, ratio, tally

EPILOG = """\
Renders shops (kept in --scenes), lets the shipping pipeline analyse each, and compares what it
says with what was so. Low to high: 95 % of 1000 samples of the recordings (bootstrap). Of what
telemetry says of its own errors: over groups of recordings with 30 true events or more, how often
the truth lies within its low..high (held), and how wide that is beside the truth (width).

examples:
  python -m models evaluate accuracy --seeds 8001-8020
  python -m models evaluate accuracy --truth bottle-shelf.truth.json store-aisle.truth.json
"""
_SECONDS, _FPS = 60.0, 5.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a tally.

    Args:
        name: as the floors file says it.
        of: the figure; NaN = nothing to judge.
    """

    name: str
    of: Callable[[Tally], float]


def _mean_dwell(t: Tally) -> float:
    return ratio(ratio(t.dwell_said_s, t.dwells_said), ratio(t.dwell_s, t.dwells))


MEASURES = (
    Measure("visits", lambda t: ratio(t.visits_said, t.visits)),
    Measure("mean_dwell", _mean_dwell),
    Measure("reach_precision", lambda t: ratio(t.reaches_right, t.reaches_said)),
    Measure("reach_recall", lambda t: ratio(t.reaches_right, t.reaches)),
    Measure("reach_f1", lambda t: f1(t.reaches_right, t.reaches_said, t.reaches)),
    Measure("pick_f1", lambda t: f1(t.picks_right, t.picks_said, t.picks)),
    Measure("put_back_f1", lambda t: f1(t.put_backs_right, t.put_backs_said, t.put_backs)),
    Measure("stock", lambda t: ratio(t.stock_right, t.stock)),
)
Judged = tuple[Tally, dict[Kind, Told]]
"""What one recording's unit said, as sums, and with how sure."""
# Of a ratio of totals: how far it is from 1 is what counts.
_TOTALS = ("visits", "mean_dwell")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--seeds", help="rendered shops, as 8001-8020")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of each (default 60)")
    parser.add_argument("--scenes", type=Path, help="folder that keeps rendered shops")
    parser.add_argument(
        "--truth", type=Path, nargs="+", default=[], metavar="FILE",
        help="truth files beside their clips, or folders that `models scene` wrote",
    )  # fmt: skip
    parser.add_argument("--fps", type=float, default=_FPS, help="analysed a second (default 5)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--floors", type=Path, help="file of floors: exit 1 below any")
    parser.add_argument("--json", action="store_true", help="print one JSON object as last line")
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="also tell what edge_agent/certainty.py should say after these recordings",
    )
    parser.add_argument(
        "--picture", type=Path, metavar="FILE.png", help="draw the figures (needs matplotlib)"
    )
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    seeds = seeds_in(args.seeds)
    if not seeds and not args.truth:
        raise InputError("nothing to judge: name --seeds, --truth, or both")
    floors = read_floors(args.floors) if args.floors else {}
    with tempfile.TemporaryDirectory() as aside:
        folder = args.scenes or Path(aside)
        jobs = [*args.truth, *(folder / str(seed) for seed in seeds)]
        judged = list(_judge(jobs, args.seconds, args.fps, args.workers))
    tallies = [one for one, _ in judged]
    figure, *ends_of = figures(tallies)
    sure = _sure(judged)
    rows = [{**figure, **sure}, *({**row, **dict.fromkeys(sure)} for row in ends_of)]
    title = f"{len(jobs)} recordings, {sum(tallies, Tally()).visits:.0f} visits"
    names = [one.name for one in MEASURES] + [name for kind in Kind for name in _names(kind)]
    tell(title, rows, [Figure(name, name.replace("_", " ")) for name in names], args.json)
    if args.calibrate:
        for kind in Kind:
            print(kind.value, calibrated(_of(judged, kind)), file=sys.stderr)
    if args.picture:
        triples = {m.name: np.array([row[m.name] for row in rows], float) for m in MEASURES}
        bars(args.picture, title, triples)
    return _below(rows[0], floors)


def figures(tallies: Sequence[Tally], seed: int = 0) -> list[Row]:
    """All tallies together: the figure of each measure, and the ends of its 95 % interval."""
    sums = [Tally(*row) for row in resampled(np.array([astuple(one) for one in tallies]), seed)]
    whole = sum(tallies, Tally())
    sure = {one.name: ends([one.of(some) for some in sums]) for one in MEASURES}
    return [
        {"name": "figure", **{one.name: _told(one.of(whole)) for one in MEASURES}},
        {"name": "low", **{name: low for name, (low, _) in sure.items()}},
        {"name": "high", **{name: high for name, (_, high) in sure.items()}},
    ]


def _of(judged: Sequence[Judged], kind: Kind) -> list[Told]:
    return [told[kind] for _, told in judged if kind in told]


def _names(kind: Kind) -> tuple[str, str, str]:
    return f"{kind.value}_groups", f"{kind.value}_held", f"{kind.value}_width"


def _sure(judged: Sequence[Judged]) -> Row:
    """Whether the truth lies within the error bars of each kind, and how wide those are."""
    known: dict[str, float | None] = {}
    for kind in Kind:
        found = coverage(kind, _of(judged, kind))
        values = (found.groups, found.held, found.width)
        known |= dict(zip(_names(kind), values, strict=True))
    return known


def _told(value: float) -> float | None:
    return None if np.isnan(value) else value


def read_floors(path: Path) -> dict[str, float]:
    """Lines of `name floor`; of visits and mean_dwell, how far from 1 they may be at most.

    Raises:
        InputError: the file cannot be read, or a line is none of that.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    known, floors = {measure.name for measure in MEASURES}, {}
    for number, line in enumerate(lines, start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            name, floor = words
            floors[name] = float(floor)
        except ValueError:
            raise InputError(f"{path}, line {number}: wanted NAME FLOOR, found {line!r}") from None
        if name not in known:
            raise InputError(f"{path}, line {number}: {name} is none of {', '.join(known)}")
    return floors


def _below(row: Row, floors: dict[str, float]) -> int:
    """Tell what is below its floor; returns the exit status."""
    status = 0
    for name, floor in floors.items():
        value = row[name]
        if not isinstance(value, float):
            continue
        off = name in _TOTALS
        if (abs(value - 1) > floor) if off else (value < floor):
            word = "off by more than" if off else "below its floor"
            print(f"{name} {value:.3f} is {word} {floor:g}", file=sys.stderr)
            status = 1
    return status


def _judge(jobs: Sequence[Path], seconds: float, fps: float, workers: int) -> Iterator[Judged]:
    judge = partial(_job, seconds=seconds, fps=fps)
    return spread(judge, jobs, workers)


def _job(path: Path, seconds: float, fps: float) -> Judged:
    import cv2

    cv2.setNumThreads(1)
    truth = load_truth(rendered(path, seconds, fps))
    said = play(site_for(truth, None), truth.clip, fps)
    return tally(said, truth.values), told(said, truth.values)
