"""Our tracker beside two libraries: speed and quality, alternated in one run.

Each tracker runs in a process of its own, the rivals in environments of their own (their
requirements contradict each other's). All get the same detections and their documented defaults
with the right frame rate. Time is what one call of update takes, median over a round's frames; a
figure is the median of the rounds, a ratio the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from edge_agent.bench import mot, rival_worker
from edge_agent.bench.score import Score, score
from edge_agent.errors import InputError
from edge_agent.observations import Floats

RIVALS = ("supervision", "trackers")
PEOPLE = (10, 100)
# How many times faster than each rival, at each of PEOPLE.
SPEED_GOALS = {"supervision": (30.0, 20.0), "trackers": (12.0, 8.0)}
# How much of the better rival's HOTA and IDF1, by what a sequence's name begins with.
QUALITY_GOALS = {"MOT17": 1.0, "TUD": 0.97}
# Frames a second and size where a sequence has no seqinfo.ini.
_WITHOUT_INFO = {"TUD": (25.0, (640, 480))}

_FRAMES = 200  # of walkers in one round
_WARM_UP = 50  # frames until as many tracks live as will
_SIZE = (1920, 1080)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("--data", type=Path, help="folder with mot/; without it only speed")
    parser.add_argument("--rivals", type=Path, default=Path(".venv-rivals"), help="environments")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take each Nth frame")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")


def main(args: argparse.Namespace) -> int:
    """Print the comparison; 0 where every goal is met, else 1."""
    result = compare(args.data, args.rivals, args.rounds, args.every)
    _show(result)
    if args.json:
        print(json.dumps(result))
    return 0 if result["passed"] else 1


def compare(data: Path | None, rivals: Path, rounds: int = 5, every: int = 1) -> dict[str, Any]:
    """Measure all three.

    Args:
        data: folder that holds ``mot/<sequence>/{det,gt}.txt``; None = speed only.
        rivals: folder that holds one virtual environment for each of RIVALS.
        rounds: of timing, each of every tracker in turn.
        every: analyse every Nth frame of the sequences.

    Returns:
        ``speed`` and ``quality``, lists of what is measured beside its goal, and ``passed``.

    Raises:
        InputError: an environment or a sequence is missing.
    """
    with ExitStack() as stack:
        workers = {name: stack.enter_context(started(name, rivals)) for name in ("ours", *RIVALS)}
        speed = [row for people in PEOPLE for row in _speed(workers, people, rounds)]
        quality = _quality(workers, data / "mot", every) if data else []
    return {
        "speed": speed,
        "quality": quality,
        "passed": all(row["passed"] for row in [*speed, *quality]),
    }


class Worker:
    """One tracker in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, do: str, name: str, **more: Any) -> Any:
        """Send a request and wait for its answer."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps({"do": do, "name": name, **more}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise InputError(f"{self._process.args!r} ended; see what it wrote above")
        return json.loads(answer)


@contextmanager
def started(name: str, rivals: Path) -> Iterator[Worker]:
    """Start one tracker, ours or a rival's, and end it when done.

    Raises:
        InputError: its environment is missing.
    """
    python = Path(sys.executable) if name == "ours" else rivals / name / "bin" / "python"
    if not python.exists():
        raise InputError(f"{python} is missing: make bench installs the rivals, or pass --rivals")
    # One thread each: ours is meant for one, and none of them gains from more.
    alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [str(python), str(rival_worker.__file__), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **alone},
    )
    with process:
        yield Worker(process)
        assert process.stdin
        process.stdin.close()


def walkers(people: int, frames: int = _FRAMES, fps: float = 30.0, seed: int = 0) -> list[Floats]:
    """Detections of people who cross each other's way, for each frame [N, 5]: box and score.

    Straight walks at 0.2 to 0.6 heights a second that turn at the picture's edge; 3 % jitter, 7 %
    misses, one false box to twenty people, one box in ten of low score. Pixels of 1920 x 1080.
    """
    random = np.random.default_rng(seed)
    height = random.uniform(0.15, 0.3, people) * min(1.0, (10 / people) ** 0.5) * _SIZE[1]
    size = np.stack([0.4 * height, height], 1)
    start = random.uniform(0, 1, (people, 2)) * _SIZE
    pace = random.uniform(0.2, 0.6, people) * height * random.choice([-1, 1], people)
    velocity = np.stack([pace, random.normal(0, 0.1, people) * height], 1)
    out = []
    for frame in range(frames):
        way = (start + velocity * frame / fps) / _SIZE
        centre = np.abs((way + 1) % 2 - 1) * _SIZE
        real = np.hstack([centre - size / 2, centre + size / 2])
        real += random.normal(0, 0.03, real.shape) * np.hstack([size, size])
        real = real[random.random(people) > 0.07]
        some = random.integers(0, people, random.poisson(people / 20))
        corner = random.uniform(0, 1, (len(some), 2)) * _SIZE
        boxes = np.vstack([real, np.hstack([corner, corner + size[some]])])
        low = random.random(len(boxes)) < 0.1
        scores = np.where(
            low, random.uniform(0.15, 0.5, len(low)), random.uniform(0.5, 1, len(low))
        )
        out.append(random.permutation(np.column_stack([boxes, scores])))
    return out


def _speed(workers: dict[str, Worker], people: int, rounds: int) -> list[dict[str, Any]]:
    frames = [rows.tolist() for rows in walkers(people)]
    spent: dict[str, list[float]] = {name: [] for name in workers}
    given = {"fps": 30.0, "scale": _SIZE, "warm_up": _WARM_UP, "frames": frames}
    for worker in workers.values():
        worker.ask("load", f"walkers-{people}", **given)
    for _ in range(rounds):
        for name, worker in workers.items():
            spent[name].append(median(worker.ask("time", f"walkers-{people}")))
    rows = []
    for rival in RIVALS:
        ratio = median(a / b for a, b in zip(spent[rival], spent["ours"], strict=True))
        goal = SPEED_GOALS[rival][PEOPLE.index(people)]
        rows.append(
            {
                "people": people,
                "rival": rival,
                "ours_us": median(spent["ours"]),
                "rival_us": median(spent[rival]),
                "ratio": ratio,
                "goal": goal,
                "passed": ratio >= goal,
            }
        )
    return rows


def _quality(workers: dict[str, Worker], folder: Path, every: int) -> list[dict[str, Any]]:
    names = sorted(path.parent.name for path in folder.glob("*/det.txt"))
    if not names:
        raise InputError(f"{folder}: no sequence (a folder with det.txt and gt.txt)")
    totals: dict[str, dict[str, Score]] = {}
    rows = []
    for name in names:
        kind = next((kind for kind in QUALITY_GOALS if name.startswith(kind)), "")
        scores = _sequence(workers, folder / name, kind, every)
        rows.append(_beside(name, None, scores))
        known = totals.get(kind)
        totals[kind] = {w: known[w] + s if known else s for w, s in scores.items()}
    for kind, scores in totals.items():
        rows.append(_beside(f"{kind} together", QUALITY_GOALS.get(kind), scores))
    return rows


def _beside(name: str, goal: float | None, scores: dict[str, Score]) -> dict[str, Any]:
    row: dict[str, Any] = {"sequence": name, "goal": goal, "passed": True}
    for figure in ("hota", "idf1"):
        values = {who: getattr(one, figure) for who, one in scores.items()}
        ratio = values["ours"] / max(1e-9, *(values[rival] for rival in RIVALS))
        row[figure] = {**values, "ratio": ratio}
        row["passed"] &= goal is None or ratio >= goal
    return row


def _sequence(workers: dict[str, Worker], folder: Path, kind: str, every: int) -> dict[str, Score]:
    fps, size = _info(folder, kind)
    found = mot.by_frame(mot.read(folder / "det.txt"))
    people = mot.by_frame(mot.truth(mot.read(folder / "gt.txt")))
    numbers = range(1, max(*found, *people) + 1, every)
    frames = [
        np.column_stack([found[n].boxes, found[n].scores]).tolist() if n in found else []
        for n in numbers
    ]
    truth = {n: people[n] for n in numbers if n in people}
    scores = {}
    for who, worker in workers.items():
        worker.ask("load", folder.name, fps=fps / every, scale=size, frames=frames)
        tracks = worker.ask("track", folder.name)
        scores[who] = score(truth, _boxes(dict(zip(numbers, tracks, strict=True))))
    return scores


def _boxes(frames: dict[int, list[list[float]]]) -> mot.Sequence:
    rows = {number: np.array(rows).reshape(-1, 5) for number, rows in frames.items() if rows}
    return {
        number: mot.Boxes(some[:, 0].astype(np.int64), some[:, 1:], np.ones(len(some)))
        for number, some in rows.items()
    }


def _info(folder: Path, kind: str) -> tuple[float, tuple[int, int]]:
    path = folder / "seqinfo.ini"
    if not path.exists():
        if kind not in _WITHOUT_INFO:
            raise InputError(f"{path} is missing: it says frameRate, imWidth and imHeight")
        return _WITHOUT_INFO[kind]
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    info = {key.strip(): value.strip() for key, value in pairs}
    return float(info["frameRate"]), (int(info["imWidth"]), int(info["imHeight"]))


def _show(result: dict[str, Any]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 110)
    table = Table("people", "rival", "ours, us", "rival, us", "ratio", "goal", "", title="Speed")
    for row in result["speed"]:
        table.add_row(
            str(row["people"]),
            row["rival"],
            f"{row['ours_us']:.1f}",
            f"{row['rival_us']:.1f}",
            f"{row['ratio']:.1f}",
            f">= {row['goal']:g}",
            _verdict(row["passed"]),
        )
    console.print(table)
    if not result["quality"]:
        return
    table = Table(title=f"Quality, %: ours | {' | '.join(RIVALS)}")
    for heading in ("sequence", "HOTA", "IDF1", "of the better", ""):
        table.add_column(heading, no_wrap=True)
    for row in result["quality"]:
        figures = [
            " | ".join(f"{100 * row[figure][who]:.1f}" for who in ("ours", *RIVALS))
            for figure in ("hota", "idf1")
        ]
        judged = row["goal"] is not None
        goal = f">= {row['goal']:g}" if judged else ""
        table.add_row(row["sequence"], *figures, goal, _verdict(row["passed"]) if judged else "")
    console.print(table)


def _verdict(passed: bool) -> str:
    return "[green]pass[/green]" if passed else "[red]miss[/red]"
