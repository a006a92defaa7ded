"""The shipping pipeline on a recording, as fast as it goes, timed by the recording's own clock."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from edge_agent.aggregates import Batch, Epoch
from edge_agent.bench.overlay import Overlay
from edge_agent.camera import open_camera
from edge_agent.camera.file import FileCamera
from edge_agent.clock import SystemClock
from edge_agent.config import Site, load_site
from edge_agent.errors import InputError
from edge_agent.journal import RecordsFile
from edge_agent.observations import Abstained, Handling, Reach, ShelfEvent, Stock, Visit
from edge_agent.pipeline import Pipeline, build_pipeline, with_clip
from edge_agent.records import Counts, Window, digest, encode, release

# A recording has no start of its own: the same one gives the same records each time.
_BOOT = "0" * 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("clip", type=Path, help="the recording, any format that OpenCV reads")
    parser.add_argument("--site", type=Path, required=True, help="the unit's site.yaml")
    parser.add_argument(
        "--events",
        type=Path,
        help="write visits, reaches, picks, put-backs and stock here, one JSON object a line",
    )
    parser.add_argument("--records", type=Path, help="write what a unit would publish here")
    parser.add_argument("--fps", type=float, help="analysed frames a second (default: the site's)")
    parser.add_argument(
        "--overlay", type=Path, help="write a video with boxes, skeletons, zones and counts here"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    site = with_clip(load_site(args.site), args.clip, args.fps, pace=0)
    pipeline = build_pipeline(site, Epoch())
    with Log(site, args.events, args.records) as log:
        frames = replay(site, pipeline, log, args.overlay)
    if args.json:
        print(
            json.dumps(
                {
                    "frames": frames,
                    "visits": log.visits,
                    "reaches": log.reaches,
                    "messages": log.messages,
                }
            )
        )
    else:
        print(
            f"{frames} frames analysed, {log.visits} visits, {log.reaches} reaches, "
            f"{log.messages} messages"
        )
    return 0


def replay(site: Site, pipeline: Pipeline, log: Log, overlay: Path | None) -> int:
    """Play the site's clip through.

    Returns:
        How many frames were analysed.
    """
    camera = open_camera(site.camera, SystemClock())
    assert isinstance(camera, FileCamera)
    drawing = None if overlay is None else Overlay(overlay, site)
    frames, t = 0, 0.0
    try:
        with _progress() as progress:
            task = progress.add_task("replay", total=camera.duration_s)
            while (frame := camera.read()) is not None:
                analysis = pipeline.step(frame)
                frames, t = frames + 1, frame.t
                log.write([*analysis.visits, *analysis.events], analysis.batches)
                if drawing is not None:
                    drawing.add(frame, analysis)
                progress.update(task, completed=t)
            last = pipeline.finish(t)
            log.write([*last.visits, *last.events], last.batches)
    finally:
        camera.close()
        if drawing is not None:
            drawing.close()
    return frames


class Log:
    """Where events and records go, each if wanted."""

    def __init__(self, site: Site, events: Path | None, records: Path | None) -> None:
        self._unit = site.unit.id
        self._events = None if events is None else _writable(events)
        self._records = None if records is None else RecordsFile(records)
        self._k, self._waiting = site.privacy.k, tuple[Window, ...]()
        self._head: str | None = None
        self.visits = 0
        self.reaches = 0
        self.messages = 0

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._events, self._records):
            if file is not None:
                file.close()

    def write(self, events: Iterable[Visit | ShelfEvent], batches: Iterable[Batch]) -> None:
        """Add what one frame gave."""
        for event in events:
            self.visits += isinstance(event, Visit)
            self.reaches += isinstance(event, Reach)
            if self._events is not None and not isinstance(event, Abstained):
                self._events.write(json.dumps(as_event(event)) + "\n")
        for batch in batches:
            released = release(self._waiting, batch, self._k)
            self._waiting = released.waiting
            if released.told:
                self._publish(released.told)

    def _publish(self, windows: tuple[Window, ...]) -> None:
        """As a unit's outbox would: numbered and chained."""
        self.messages += 1
        payload = encode(Counts(self._unit, _BOOT, self.messages, windows, self._head))
        self._head = digest(payload)
        if self._records is not None:
            self._records.write(_BOOT, self.messages, payload)


def _writable(path: Path) -> TextIO:
    try:
        return path.open("w")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def as_event(event: Visit | Reach | Handling | Stock) -> dict[str, object]:
    """An event as a line of events.jsonl (bench only: it never leaves a unit)."""
    if isinstance(event, Visit):
        return {
            "event": "visit",
            "zone": event.zone,
            "enter_s": round(event.enter_s, 3),
            "leave_s": round(event.leave_s, 3),
            "dwell_s": round(event.dwell_s, 3),
            "bridged_s": round(event.bridged_s, 3),
            "censored": event.censored.value,
            "staff": event.staff,
        }
    if isinstance(event, Reach):
        return {
            "event": "reach",
            "zone": event.zone,
            "facing": event.facing,
            "start_s": round(event.start_s, 3),
            "end_s": round(event.end_s, 3),
            "evidence": event.evidence.value,
            "confidence": round(event.confidence, 3),
            "censored": event.censored.value,
        }
    name = event.move.value if isinstance(event, Handling) else "stock"
    at = {"event": name, "zone": event.zone, "facing": event.facing, "t_s": round(event.t_s, 3)}
    if isinstance(event, Stock):
        return {**at, "present": event.present, "level": event.level and event.level.value}
    return {**at, "confidence": round(event.confidence, 3)}


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    quiet = "CI" in os.environ
    return Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True, disable=quiet
    )
