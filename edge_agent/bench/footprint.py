"""How big a unit's processes are and how fast they start, each measured as a process of its own."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from edge_agent.camera.recorded import RecordingWriter
from edge_agent.clock import SystemClock
from edge_agent.errors import ShelflightError
from edge_agent.observations import Detections

_LIBRARIES = ("numpy", "cv2", "onnxruntime")
_READY_S = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--rounds", type=int, default=5, help="starts of each; medians are told")
    parser.add_argument("--json", action="store_true", help="print one JSON object as last line")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    with tempfile.TemporaryDirectory() as folder:
        site = _site(Path(folder))
        report = {
            name: _median([_start(name, site, Path(folder)) for _ in range(args.rounds)])
            for name in ("uplink", "vision")
        }
    if args.json:
        print(json.dumps({name: asdict(one) for name, one in report.items()}))
        return 0
    table = Table(title="processes, before model and frames")
    for title in ("", "ready after, s", "resident, MB", "picture libraries loaded"):
        table.add_column(title, justify="right" if title else "left")
    for name, one in report.items():
        loaded = ", ".join(one.libraries) or "none"
        table.add_row(name, f"{one.ready_s:.2f}", f"{one.rss_mb:.1f}", loaded)
    Console().print(table)
    return 0


def _site(folder: Path) -> Path:
    """A unit that plays an empty recording at its own pace, with no broker there."""
    with RecordingWriter(folder / "empty.jsonl", 5.0, (640, 360)) as writer:
        for i in range(600):
            writer.add(Detections(i / 5, np.empty((0, 4)), np.empty(0)))
    path = folder / "site.yaml"
    values = {
        "unit": {"id": "footprint"},
        "camera": {"source": "recorded", "path": str(folder / "empty.jsonl")},
        "zones": [{"name": "table", "floor": [[0, 0], [1, 0], [1, 1]]}],
        "uplink": {"broker": "mqtt://127.0.0.1:1"},
    }
    path.write_text(yaml.safe_dump(values))
    return path


@dataclass(frozen=True, slots=True)
class Footprint:
    """One process: seconds until ready, MB resident, picture libraries mapped."""

    ready_s: float
    rss_mb: float
    libraries: tuple[str, ...]


def _start(name: str, site: Path, folder: Path) -> Footprint:
    """Start a service; ready = it wrote its health (uplink) or made its outbox (vision)."""
    clock = SystemClock()
    state = Path(tempfile.mkdtemp(dir=folder))
    sign = state / ("uplink.health.json" if name == "uplink" else "outbox.db")
    words = ("-m", "edge_agent", name, "--site", str(site), "--state", str(state))
    begun = clock.monotonic()
    child = subprocess.Popen((sys.executable, *words), stderr=subprocess.DEVNULL)
    try:
        while not sign.exists():
            if child.poll() is not None or clock.monotonic() - begun > _READY_S:
                raise ShelflightError(f"{name} did not get ready; start it by hand to see why")
            clock.sleep(0.005)
        ready_s = clock.monotonic() - begun
        clock.sleep(1.0)
        return Footprint(ready_s, memory_mb(child.pid, "VmRSS"), _loaded(child.pid))
    finally:
        child.terminate()
        child.wait(20)


def memory_mb(process: int | str, kind: str) -> float:
    """What Linux says of a process's memory, MB.

    Args:
        process: its id, or "self".
        kind: as in /proc/PID/status: VmRSS = resident now, VmHWM = the peak of that.

    Raises:
        OSError: no such process, or no Linux.
        ShelflightError: the process has no such size.
    """
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) / 1024
    raise ShelflightError(f"process {process} has no {kind}")


def _loaded(pid: int) -> tuple[str, ...]:
    """Which picture libraries the process has mapped, by the files it has in memory."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return tuple(name for name in _LIBRARIES if f"/{name}/" in maps)


def _median(several: list[Footprint]) -> Footprint:
    return Footprint(
        round(median(one.ready_s for one in several), 3),
        round(median(one.rss_mb for one in several), 1),
        several[0].libraries,
    )
