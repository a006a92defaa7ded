"""`make run`: a unit, a broker and the sink in one go, with counts to look at."""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from edge_agent.bench.desk import Desk, Program, desk, services, until_over
from edge_agent.clock import SystemClock
from edge_agent.config import Broker, Site, load_site, read_yaml
from edge_agent.errors import InputError, ShelflightError
from edge_agent.health import joined, read_all

# Of the built-in scene: long enough to differ from itself, short enough to be rendered while one
# waits; and windows so short that counts come in while one looks.
LOOP_S, WINDOW_S = 90, 10
# Seconds from one visit to the next: busy, but no crush.
VISIT_EVERY_S = 8
# What the sink may differ from the truth, as a share of the true visits.
TOLERANCE = 0.05
READY_S = 30.0
_OURS = ("*.db", "*.db-*", "*.db.*", "*.log", "*.health.json", "records.jsonl", "uplink.session")
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_COLUMNS = ("zone", "visits", "stops", "engaged", "mean dwell", "")
_BAR = 24
_FULL_BAR_S = 30.0


@dataclass(frozen=True, slots=True)
class Play:
    """What is played.

    Args:
        clip: the recording.
        site: its site file.
        pace: 1 = as it was filmed, 0 = as fast as it goes.
        loop: again and again.
        window_s: instead of the site's.
        truth: what to compare the counts with at the end.
    """

    clip: Path
    site: Path
    pace: float
    loop: bool = False
    window_s: int | None = None
    truth: Path | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--clip", type=Path, help="the recording to play once")
    parser.add_argument(
        "--seconds",
        type=int,
        help="render so many seconds of the built-in scene, play them once and compare the counts "
        "with the truth (default: 90, played again and again)",
    )
    parser.add_argument("--seed", type=int, default=1, help="which built-in scene")
    parser.add_argument("--site", type=Path, help="its site.yaml")
    parser.add_argument("--state", type=Path, default=Path(".run"), help="folder for the stores")
    parser.add_argument(
        "--pace",
        type=float,
        help="1 = as it was filmed (the built-in scene), 0 = as fast as it goes (a recording)",
    )


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    console = Console()
    play = _play(args)
    site = load_site(play.site)
    state = _fresh(args.state)
    broker, embedded = _broker(site)
    resolved = _resolve(play, state, broker, embedded)
    with desk(state) as table, contextlib.suppress(KeyboardInterrupt):
        address = _start(table, site, resolved, state, (broker, embedded))
        _introduce(console, site, broker, embedded, address, state)
        code = _watch(console, table, site, (resolved, state), address)
        if code == 0:
            rows = _totals(address)
            console.print(_table(rows), _summary(rows))
            if play.truth is not None:
                return _compare(console, rows, play.truth)
        return code
    return 130


def _play(args: argparse.Namespace) -> Play:
    """The recording that was asked for, or the built-in scene, rendered if it is not yet there."""
    if args.clip is not None and args.site is not None:
        if not args.clip.exists():
            raise InputError(f"{args.clip}: no such recording; name another with CLIP=")
        return Play(args.clip, args.site, args.pace or 0.0)
    if args.clip is not None or args.site is not None:
        raise InputError("CLIP and SITE belong together; name both, or neither for the scene")
    seconds = args.seconds or LOOP_S
    # Beside the state, not in it: no picture lies where a unit keeps its own.
    scene = args.state.with_name(f"{args.state.name}-scenes") / f"{args.seed}-{seconds}"
    if not (scene / "truth.json").exists():
        _render(scene, args.seed, seconds)
    once = args.seconds is not None
    pace = args.pace if args.pace is not None else (0.0 if once else 1.0)
    return Play(
        scene / "clip.mp4",
        scene / "site.yaml",
        pace,
        loop=not once,
        window_s=None if once else WINDOW_S,
        truth=scene / "truth.json" if once else None,
    )


def _render(scene: Path, seed: int, seconds: int) -> None:
    """Have the shop rendered; its progress bar is shown."""
    often = ("--visit-every", str(VISIT_EVERY_S))
    words = ("--seed", str(seed), "--seconds", str(seconds), *often, "--out", str(scene))
    done = subprocess.run((sys.executable, "-m", "models", "scene", *words), check=False)
    if done.returncode != 0:
        raise ShelflightError(
            f"the scene could not be rendered (exit {done.returncode}); see what it says above"
        )


def _compare(console: Console, rows: list[dict[str, Any]], truth: Path) -> int:
    """Tell how far the sink's visits are from the truth; 1 where it is too far."""
    visits = [visit["zone"] for visit in json.loads(truth.read_text())["visits"]]
    counted = {row["zone"]: int(row["pass_bys"]) for row in rows}
    table = Table(title="beside the truth", min_width=60)
    for title in ("zone", "true visits", "at the sink", "off by"):
        table.add_column(title, justify="left" if title == "zone" else "right")
    for zone in sorted(set(visits) | set(counted)):
        table.add_row(zone, *_beside(visits.count(zone), counted.get(zone, 0)))
    total = sum(counted.values())
    table.add_row("all", *_beside(len(visits), total), style="bold")
    console.print(table)
    return 0 if abs(total - len(visits)) <= TOLERANCE * len(visits) else 1


def _beside(true: int, counted: int) -> tuple[str, str, str]:
    return str(true), str(counted), f"{(counted - true) / true:+.1%}" if true else "-"


def _fresh(state: Path) -> Path:
    """The folder without what an earlier demo counted, which must not be added to this one's."""
    state.mkdir(parents=True, exist_ok=True)
    for pattern in _OURS:
        for path in state.glob(pattern):
            path.unlink()
    return state


def _broker(site: Site) -> tuple[Broker, bool]:
    """The broker to use, and whether it is ours to start."""
    named = site.uplink.broker
    if named is None:
        return Broker("127.0.0.1", _free_port()), True
    if _answers(named):
        return named, False
    if named.host in _LOCAL and not named.tls:
        return named, True
    raise ShelflightError(
        f"nothing answers at uplink.broker {named.host}:{named.port}; start it, or leave the key "
        "out to have one embedded"
    )


def _resolve(play: Play, state: Path, broker: Broker, embedded: bool) -> Path:
    """The site file with what this run sets, for the services to read."""
    values = read_yaml(play.site)
    camera = values.setdefault("camera", {})
    camera.update(source="file", path=str(play.clip.resolve()), pace=play.pace, loop=play.loop)
    if play.window_s is not None:
        values.setdefault("privacy", {}).update(window_s=play.window_s)
    uplink = values.setdefault("uplink", {})
    uplink["broker"] = broker.url
    for key in ("ca", "cert", "key"):
        if key in uplink:
            uplink[key] = str((play.site.parent / uplink[key]).resolve())
    if embedded:
        uplink["protocol"] = "3.1.1"
    path = state / "site.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    load_site(path)
    return path


def _start(table: Desk, site: Site, resolved: Path, state: Path, where: tuple[Broker, bool]) -> str:
    """Start everything in order; the sink listens before anything is sent."""
    broker, embedded = where
    if embedded:
        broker_words = ("-m", "edge_agent.bench.broker", "--port", str(broker.port))
        table.start(Program("broker", broker_words))
        _until(lambda: _answers(broker), "the embedded broker", table)
    protocol = "3" if embedded or site.uplink.protocol == 3 else "5"
    options = ("--broker", broker.url, "--protocol", protocol, "--http", "127.0.0.1:0")
    words = ("-m", "cloud_sink", "serve", *options, "--db", str(state / "sink.db"))
    child = table.start(Program("sink", words), piped=True)
    assert child.stdout is not None
    line = child.stdout.readline()
    if "http://" not in line:
        raise ShelflightError(f"the sink did not start\n{table.tail('sink')}")
    address = line[line.index("http://") :].strip()
    _until(lambda: _get(address, "/healthz") is not None, "the sink", table)
    for program in services(resolved, state, state / "records.jsonl"):
        table.start(program)
    return address


def _watch(console: Console, table: Desk, site: Site, unit: tuple[Path, Path], address: str) -> int:
    """Show the counts as they come in, until the recording is over and everything is sent."""
    clock = SystemClock()
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def redraw(seconds: float) -> None:
            progress = _progress(unit[1], site.unit.id, clock.wall())
            live.update(Group(_table(_totals(address)), progress), refresh=True)
            clock.sleep(seconds)

        return until_over(table, *unit, redraw)


def _introduce(
    console: Console, site: Site, broker: Broker, embedded: bool, address: str, state: Path
) -> None:
    kind = "embedded" if embedded else "yours"
    console.print(
        Panel(
            Group(
                f"unit     {site.unit.id}, zones {', '.join(zone.name for zone in site.zones)}",
                f"broker   {broker.url} ({kind})",
                f"counts   {address}/v1/counts",
                f"health   {address}/healthz   {address}/metrics",
                f"state    {state}/outbox.db, {state}/sink.db, logs in {state}/*.log",
                "privacy  k: 1, small counts are told as they are; no picture is kept or sent",
            ),
            title="Shelflight",
            border_style="green",
            expand=False,
        )
    )


def _totals(address: str) -> list[dict[str, Any]]:
    """The sums that the sink holds, a row a zone."""
    found: list[dict[str, Any]] = (_get(address, "/v1/counts?by=total") or {}).get("totals", [])
    return found


def _table(rows: list[dict[str, Any]]) -> Table:
    """Those as a table, with a bar of the mean dwell."""
    table = Table(title="at the sink", min_width=60)
    for title in _COLUMNS:
        table.add_column(title, justify="left" if title in ("zone", "") else "right")
    for row in rows:
        dwell = row["mean_dwell_s"]
        told = "-" if dwell is None else f"{dwell:.1f} s"
        bar = "\u2588" * round(_BAR * min(1.0, (dwell or 0.0) / _FULL_BAR_S))
        counts = (str(row[key]) for key in ("pass_bys", "stops", "engaged"))
        table.add_row(row["zone"], *counts, told, Text(bar, style="green"))
    return table


def _progress(state: Path, unit: str, now: float) -> Text:
    """What the unit is doing, from its services' health files."""
    health = joined(read_all(state), unit, now)
    if health is None or health.analysed is None:
        return Text("starting", style="dim")
    waiting = "" if health.waiting is None else f", {health.waiting} windows on their way"
    troubles = "".join(f", {trouble.value}" for trouble in health.troubles)
    speed = "" if health.fps is None else f" ({health.fps:.0f}/s)"
    return Text(f"{health.analysed} frames analysed{speed}{waiting}{troubles}", style="dim")


def _summary(rows: list[dict[str, Any]]) -> Text:
    visits = sum(row["pass_bys"] for row in rows)
    plural = "visit" if visits == 1 else "visits"
    return Text(f"{visits} {plural} in the sink", style="bold green")


def _get(address: str, path: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(address + path, timeout=5) as answer:  # noqa: S310 - our own sink
            found: dict[str, Any] = json.load(answer)
            return found
    except (urllib.error.URLError, OSError, ValueError):
        return None


def _answers(broker: Broker) -> bool:
    try:
        with socket.create_connection((broker.host, broker.port), timeout=2):
            return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _until(ready: Callable[[], bool], what: str, table: Desk) -> None:
    clock = SystemClock()
    deadline = clock.monotonic() + READY_S
    while not ready():
        over = table.ended()
        if over is not None:
            raise ShelflightError(f"{over[0].name} ended\n{table.tail(over[0].name)}")
        if clock.monotonic() > deadline:
            raise ShelflightError(f"{what} did not answer within {READY_S:g} s")
        clock.sleep(0.1)
