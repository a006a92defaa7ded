"""One way of running one model, in a process of its own: its time, its memory, what it finds.

Two TFLite interpreters in one process share symbols and thread pools, and memory can only be told
of a process that holds nothing else.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.clock import SystemClock
from edge_agent.config import RuntimeConfig, Tflite
from edge_agent.detector import build_detector
from edge_agent.errors import ShelflightError
from edge_agent.manifest import load, model_path
from edge_agent.pose import build_pose
from edge_agent.runtimes import open_runtime
from models.bench import inputs
from models.bench.trial import Trial
from models.evaluate.candidate import Candidate, look_into
from models.evaluate.matching import Found

Run = Callable[[NDArray[Any]], list[NDArray[Any]]]
_WARM = 3


def words(trial: Trial, pictures: Path, results: Path | None) -> list[str]:
    """The command line that measures a trial.

    Args:
        trial: what to run.
        pictures: as `inputs.save` wrote them.
        results: where to write what was found; None = nowhere.
    """
    runtime = trial.runtime
    asked = {
        "model": trial.model,
        "threads": runtime.threads,
        "providers": runtime.providers,
        "tflite": None if runtime.tflite is None else runtime.tflite.value,
        "pictures": str(pictures),
        "results": None if results is None else str(results),
    }
    return [sys.executable, "-m", "models.bench.worker", json.dumps(asked)]


@dataclass(slots=True)
class Timed:
    """Stands in for a runtime and times it.

    Args:
        run: the runtime.
        wall: seconds by the wall.
        processor: seconds of processor time, all threads together.
    """

    run: Run
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def __call__(self, tensor: NDArray[Any]) -> list[NDArray[Any]]:
        """Run once."""
        now = SystemClock().monotonic
        used, start = process_time(), now()
        outputs = self.run(tensor)
        self.wall.append(now() - start)
        self.processor.append(process_time() - used)
        return outputs


def measure(asked: dict[str, Any]) -> dict[str, Any]:
    """Run the model on every picture.

    Returns:
        What `models.bench.measure.Round` holds.

    Raises:
        ModelError: the model cannot be run so.
    """
    entry = load().get(asked["model"])
    tflite = asked["tflite"]
    way = RuntimeConfig(
        asked["threads"], tuple(asked["providers"]), None if tflite is None else Tflite(tflite)
    )
    runtime = open_runtime(entry, model_path(entry), way.threads, way.providers, tflite)
    blank = np.zeros(runtime.input_shape, runtime.input_dtype)
    for _ in range(_WARM):
        runtime(blank)
    timed = Timed(runtime)
    pictures = Path(asked["pictures"])
    if not entry.finds_people:
        pose = build_pose(entry, timed)
        found = [
            look_into(pose, one.frame, Found(one.boxes, np.ones(len(one.boxes))))
            for one in inputs.load(pictures)
        ]
    else:
        candidate = Candidate(entry.name, build_detector(entry, timed), None, 0.0)
        found = [candidate.people(one.frame) for one in inputs.load(pictures)]
    if asked["results"] is not None:
        save(Path(asked["results"]), found)
    return {
        "ms": [1e3 * seconds for seconds in timed.wall],
        "cpu_ms": 1e3 * median(timed.processor) if timed.processor else 0.0,
        "rss_mb": _rss_mb(),
        "name": runtime.name,
    }


def save(path: Path, found: list[Found]) -> None:
    """Write what was found in each picture."""
    arrays: dict[str, NDArray[Any]] = {}
    for i, one in enumerate(found):
        arrays |= {f"boxes{i}": one.boxes, f"scores{i}": one.scores}
        if one.keypoints is not None:
            arrays[f"keypoints{i}"] = one.keypoints
    np.savez(path, count=len(found), **arrays)


def read(path: Path) -> list[Found]:
    """What `save` wrote."""
    with np.load(path) as file:
        return [
            Found(
                file[f"boxes{i}"],
                file[f"scores{i}"],
                file[f"keypoints{i}"] if f"keypoints{i}" in file.files else None,
            )
            for i in range(int(file["count"]))
        ]


def main(argv: list[str]) -> int:
    """Measure what the one argument asks; the last line of output is one JSON object."""
    try:
        told = measure(json.loads(argv[0]))
    except ShelflightError as error:
        told = {"error": str(error)}
    print(json.dumps(told))
    return 0


def _rss_mb() -> float:
    """Resident now; the peak that the kernel keeps may be the parent's."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
