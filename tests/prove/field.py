"""A small shop on tape, for the parts about faults: its site file, and what was counted in it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.camera.recorded import RecordedDetections, RecordingWriter, open_recording
from edge_agent.config import Site, load_site
from edge_agent.observations import Detections
from edge_agent.records import Health, Trouble, decode_counts
from edge_agent.services.vision import Vision

UNIT = "shelf-0042"
# Each zone is a third of the picture; where its shopper stands, how often one comes.
_ZONES = {"door": (0.17, 0.7), "table": (0.5, 1.0), "wall": (0.83, 1.6)}
# What is summed up of a window: every count, and the seconds that go with them.
_SUMMED = (
    "observed_s", "pass_bys", "stops", "engaged", "reaches", "picks", "put_backs", "dwell_s",
    "bridged_s", "censored", "censored_dwell_s", "merged", "reached", "empty_handed", "abstained",
)  # fmt: skip


def tape(path: Path, seconds: float, fps: float = 5.0, every_s: float = 20.0) -> Path:
    """What a detector said while shoppers came and went at three zones."""
    with RecordingWriter(path, fps, (640, 360)) as writer:
        for i in range(round(seconds * fps) + 1):
            boxes = [box for zone in _ZONES.values() if (box := _shopper(i / fps, every_s, *zone))]
            writer.add(
                Detections(i / fps, np.array(boxes).reshape(-1, 4), np.full(len(boxes), 0.9))
            )
    return path


def _shopper(t: float, every_s: float, x: float, rhythm: float) -> list[float] | None:
    """Stays for 0.1 to 0.7 of the time between two, another share each time."""
    visit, phase = divmod(t, every_s * rhythm)
    share = phase / (every_s * rhythm)
    if share > 0.1 + 0.6 * (visit * 0.618 % 1):
        return None
    middle = x + 0.04 * (share - 0.5)
    return [middle - 0.05, 0.4, middle + 0.05, 0.8]


def write_site(
    folder: Path,
    clip: Path,
    port: int = 1,
    camera: dict[str, Any] | None = None,
    window_s: float = 1.0,
    uplink: dict[str, Any] | None = None,
    **sections: Any,
) -> Path:
    """A site file of three fixtures with four facings each; port 1 = a broker that is not there."""
    values = {
        "unit": {"id": UNIT},
        "camera": {"source": "recorded", "path": str(clip), "fps": 5, "pace": 0, **(camera or {})},
        "zones": [_fixture(name, x) for name, (x, _) in _ZONES.items()],
        "privacy": {"k": 1, "window_s": window_s},
        "uplink": {
            "broker": f"mqtt://127.0.0.1:{port}", "backoff_s": 0.5, "receipt_s": 2, **(uplink or {})
        },
        **sections,
    }  # fmt: skip
    path = folder / "site.yaml"
    path.write_text(json.dumps(values))  # JSON is YAML
    return path


def _fixture(name: str, x: float) -> dict[str, Any]:
    left, right = x - 0.15, x + 0.15
    facings = [
        {"name": f"{name}-{i}", "brand": "acme", "polygon": _square(left + 0.07 * i, 0.1, 0.06)}
        for i in range(4)
    ]
    floor = [[left, 0.5], [right, 0.5], [right, 1.0], [left, 1.0]]
    return {"name": name, "floor": floor, "shelf": _square(left, 0.1, 0.28), "facings": facings}


def _square(x: float, y: float, side: float) -> list[list[float]]:
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]


class TapeClock:
    """Time that passes with the frames of a tape."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now

    def synced(self) -> bool:
        return True

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Watched:
    """A tape of which somebody is told each frame's time before vision gets it."""

    def __init__(self, eye: RecordedDetections, clock: TapeClock, tell: Callable[[float], None]):
        self._eye, self._clock, self._tell = eye, clock, tell
        self.close, self.troubles = eye.close, eye.troubles

    def read(self) -> Detections | None:
        seen = self._eye.read()
        if seen is not None:
            self._clock.now = seen.t
            self._tell(seen.t)
        return seen


def watch_tape(
    site: Site | Path,
    state: Path,
    run: Path,
    records: Path | None = None,
    tell: Callable[[float], None] = lambda _t: None,
    clock: TapeClock | None = None,
) -> None:
    """Vision, in this process, from the tape's beginning to its end, as fast as it goes.

    Args:
        site: whose camera is a tape.
        state, run: folders of the outbox and of the health files; made.
        records: as `--records`.
        tell: called with each frame's time before it is analysed: here a disk fills, a file breaks.
        clock: passes with the frames.
    """
    site = site if isinstance(site, Site) else load_site(site)
    clock = clock or TapeClock()
    for folder in (state, run):
        folder.mkdir(parents=True, exist_ok=True)

    def eye() -> Watched:
        return Watched(open_recording(site.camera, clock), clock, tell)

    with Vision(site, state, run, clock, records, eye=eye) as vision:
        while vision.step():
            pass


def undisturbed(site: Path, folder: Path) -> Counter[tuple[str, str]]:
    """The sums of the same tape where nothing goes wrong."""
    records = folder / "undisturbed.jsonl"
    watch_tape(site, folder / "undisturbed", folder / "undisturbed", records)
    shutil.rmtree(folder / "undisturbed")
    return sums(records.read_bytes().splitlines())


def sums(payloads: Iterable[bytes]) -> Counter[tuple[str, str]]:
    """Every count of every zone summed up, seconds to the hundredth."""
    total: Counter[tuple[str, str]] = Counter()
    for payload in payloads:
        for window in decode_counts(payload).windows:
            for name in _SUMMED:
                total[window.zone, name] += getattr(window, name) or 0
    return Counter({key: round(value, 2) for key, value in total.items()})


def told_trouble(healths: Iterable[Health], trouble: Trouble) -> bool:
    """Whether one of the services says so."""
    return any(trouble in health.troubles for health in healths)
