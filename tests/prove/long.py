"""Part 9: eight hours and twenty minutes on end, a camera that lies, a model that hangs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import yaml

from tests.edge_agent.walkers import record
from tests.prove.hanging_model import write_endless
from tests.prove.lone_unit import TREE, LoneUnit, until
from tests.prove.readings import Reading, Slope, read, slope
from tests.prove.row import Row, Scale
from tests.prove.stand_in_camera import StandInCamera, black, camera, frozen, shop
from tests.prove.stand_in_systemd import StandInSystemd

_START_S = 90.0
# A camera that shows the wrong thing is told within; one that is gone.
_BLIND_S, _GONE_S = 10.0, 2.0
# What the stand-in for systemd allows; firmware allows more, see docs.
_WATCHDOG_S = 4.0
# What may grow all the same: noise of the allocator, far below what a year would need to matter.
# By the recording's hours; twenty minutes with models tell no less than a page in a second.
_KB_PER_HOUR = {"recorded": 50.0, "models": 1000.0}
# An interval that is wider than so many times that proves nothing by having 0 in it.
_NARROW = 4
# In the short form, in all: less than two pictures a second, or a hundred bytes a recorded frame.
_KB_SHORT = {"recorded": 2000.0, "models": 10_000.0}
_BLOCKS = 24
# Of the recording far shorter than a unit's: what a process keeps of each row shows thirty times as
# much, and what SQLite keeps of the first two thousand (its page cache, in a process of its own
# +1.4 MB, then none for ten thousand more) is there before the measurement begins.
_WINDOW_S = {"recorded": 2.0, "models": 60.0}


@dataclass(frozen=True, slots=True)
class _Half:
    """One unit that runs for long.

    Args:
        name: of it.
        seconds: how long, by the clock.
        pace: its recording's seconds in one of the clock.
        warm_s: by the clock; what a process takes until then is its start-up.
    """

    name: str
    seconds: float
    pace: float
    warm_s: float


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """All side by side: two units that run for long, one with a bad camera, one whose model hangs.

    The camera's and the model's troubles are over long before the long halves are.
    """
    recorded = _Half("recorded", *((32.0, 100.0, 12.0) if scale.short else (1440.0, 20.0, 240.0)))
    models = _Half("models", *((32.0, 1.0, 12.0) if scale.short else (1200.0, 1.0, 420.0)))
    with ThreadPoolExecutor(4) as pool:
        halves = [
            pool.submit(_recorded, folder / "recorded", recorded),
            pool.submit(_models, folder / "models", models),
        ]
        watched: list[Future[list[Row]]] = [
            pool.submit(_bad_camera, folder / "camera", scale.of(20, 1)),
            pool.submit(_hanging, folder / "hanging", scale.of(10, 1)),
        ]
        for future in watched:
            yield from future.result()
        for half, readings in zip((recorded, models), halves, strict=True):
            yield from _flat(half, readings.result(), scale.short)


# Two units that run for long.

_Readings = dict[str, list[Reading]]


def _recorded(folder: Path, half: _Half) -> _Readings:
    """Eight hours of detections, twenty times faster: vision, uplink, broker and sink."""
    folder.mkdir(parents=True)
    clip = record(folder / "walk.jsonl", (half.seconds + _START_S) * half.pace, every=15)
    return _run(folder, half, {"source": "recorded", "path": str(clip), "pace": half.pace})


def _models(folder: Path, half: _Half) -> _Readings:
    """A rendered shop, as it is filmed, again and again, with the built-in models."""
    folder.mkdir(parents=True)
    words = ("-m", "models", "scene", "--seed", "3", "--seconds", "20", "--out", str(folder / "s"))
    subprocess.run(
        (sys.executable, *words), check=True, timeout=300, cwd=TREE, stdout=subprocess.DEVNULL
    )
    zones = yaml.safe_load((folder / "s" / "site.yaml").read_text())["zones"]
    clip = {"source": "file", "path": str(folder / "s" / "clip.mp4"), "loop": True, "pace": 1}
    return _run(folder, half, clip, zones=zones)


def _run(folder: Path, half: _Half, eye: dict[str, object], **more: object) -> _Readings:
    """Start everything, look at it for the time it runs, end everything."""
    port = _free_port()
    site = {
        "privacy": {"k": 1, "window_s": _WINDOW_S[half.name]},
        "uplink": {"broker": f"mqtt://127.0.0.1:{port}", "protocol": 5},
        **more,
    }
    with ExitStack() as stack:
        unit = stack.enter_context(LoneUnit(folder / "unit", eye, **site))
        start = _starter(stack, unit, folder)
        start("broker", _mosquitto(), "-c", str(_broker_file(folder, port)))
        until(lambda: _answers(port), "the broker", _START_S)
        sink = ("cloud_sink", "serve", "--broker", f"mqtt://127.0.0.1:{port}")
        store = ("--db", str(folder / "sink.db"), "--http", "127.0.0.1:0")
        pids = {
            "sink": start("sink", sys.executable, "-m", *sink, *store).pid,
            "uplink": start("uplink", *unit.words("uplink")).pid,
            "vision": start("vision", *unit.words("vision")).pid,
        }
        until(lambda: unit.health().get("analysed"), f"{half.name}: a frame", _START_S)
        return _look(half, pids)


def _look(half: _Half, pids: dict[str, int]) -> _Readings:
    found: _Readings = {name: [] for name in pids}
    started, tick = time.monotonic(), threading.Event()
    while (at := time.monotonic() - started) < half.seconds:
        for name, pid in pids.items():
            found[name].append(read(pid, at))
        tick.wait(max(0.5, half.seconds / 1000))
    return {name: [one for one in all_ if one.at >= half.warm_s] for name, all_ in found.items()}


def _flat(half: _Half, readings: _Readings, short: bool) -> Iterator[Row]:
    hours = (half.seconds * half.pace) / 3600
    span = f"{hours:.1f} hours" if hours >= 1 else f"{half.seconds * half.pace / 60:.0f} minutes"
    lines = {name: _memory(half, found) for name, found in readings.items()}
    bound = _KB_SHORT[half.name] / hours if short else _KB_PER_HOUR[half.name]
    told = (
        f"{name} {line.each:+.1f} ± {line.margin:.1f} (at {found[-1].memory_kb / 1024:.0f} MB)"
        for (name, line), found in zip(lines.items(), readings.values(), strict=True)
    )
    yield Row(
        f"memory-{half.name}",
        f"memory of a unit's services and the sink is flat over {span}"
        + (f" at {half.pace:g}x" if half.pace != 1 else " with models"),
        f"at most {bound:.0f} KB an hour, or 0 within a 95 % interval of ± {_NARROW * bound:.0f}",
        ", ".join(told) + " KB an hour",
        all(
            line.each <= bound or (line.flat and line.margin <= _NARROW * bound)
            for line in lines.values()
        ),
    )
    for what in ("handles", "threads"):
        drift = {name: _drift(found, what) for name, found in readings.items()}
        yield Row(
            f"{what}-{half.name}",
            f"{'open files' if what == 'handles' else 'threads'} are flat meanwhile",
            "as many at the end as at the beginning",
            ", ".join(f"{name} {first} to {last}" for name, (first, last) in drift.items()),
            all(last <= first for first, last in drift.values()),
        )


def _memory(half: _Half, found: Sequence[Reading]) -> Slope:
    """KB in an hour of the recording."""
    hours = [one.at * half.pace / 3600 for one in found]
    return slope(hours, [one.memory_kb for one in found], _BLOCKS)


def _drift(found: Sequence[Reading], what: str) -> tuple[int, int]:
    """The middle of the first quarter, and of the last."""
    values = [int(getattr(one, what)) for one in found]
    quarter = len(values) // 4
    first, last = sorted(values[:quarter]), sorted(values[-quarter:])
    return first[quarter // 2], last[quarter // 2]


# A camera that shows nothing new, nothing at all, or is gone.


def _bad_camera(folder: Path, rounds: int) -> list[Row]:
    folder.mkdir(parents=True)
    took: dict[str, list[float]] = {"camera_frozen": [], "camera_dark": [], "camera_absent": []}
    with (
        camera(folder / "pipe", shop()) as eye,
        LoneUnit(folder / "unit", eye.config) as unit,
        _watched(folder, unit, unit.words("vision")) as systemd,
    ):
        until(lambda: unit.health().get("analysed", 0) > 10, "pictures", _START_S)
        for _ in range(rounds):
            for trouble, show in (("camera_frozen", frozen(shop())), ("camera_dark", black())):
                took[trouble].append(_shows(unit, eye, trouble, show))
            # Away for three times as long as a service may be silent.
            took["camera_absent"].append(_gone(unit, eye, 3 * _WATCHDOG_S))
        restarts = len(systemd.told.exits)
    rows = [
        _noticed("frozen", "freezes on its last picture", took["camera_frozen"], _BLIND_S),
        _noticed("black", "goes black", took["camera_dark"], _BLIND_S),
        _noticed("unplugged", "is unplugged", took["camera_absent"], _GONE_S),
    ]
    away = f"{rounds} x {3 * _WATCHDOG_S:g} s without a camera, {restarts} restarts"
    claim = f"waiting for a camera is no hang: the watchdog ({_WATCHDOG_S:g} s) stays quiet"
    return [*rows, Row("outage", claim, "0 restarts", away, restarts == 0)]


def _shows(unit: LoneUnit, eye: StandInCamera, trouble: str, show: Callable[[int], bytes]) -> float:
    """Seconds until a wrong picture is told; then the right one is there again."""
    right, eye.show = eye.show, show
    took = until(lambda: trouble in unit.health().get("troubles", ()), trouble, 3 * _BLIND_S)
    eye.show = right
    until(lambda: unit.health().get("troubles") == [], f"{trouble} is over", _START_S)
    return took


def _gone(unit: LoneUnit, eye: StandInCamera, seconds: float) -> float:
    eye.unplug()
    took = until(
        lambda: {"camera_absent", "camera_stalled"} & set(unit.health().get("troubles", ())),
        "the camera is gone", 3 * _BLIND_S,
    )  # fmt: skip
    threading.Event().wait(seconds - took)
    eye.plug()
    until(lambda: unit.health().get("troubles") == [], "the camera is back", _START_S)
    return took


def _noticed(check: str, how: str, took: Sequence[float], within_s: float) -> Row:
    return Row(
        check,
        f"a camera that {how} is noticed",
        f"within {within_s:g} s",
        f"{max(took):.1f} s at most of {len(took)}",
        max(took) <= within_s,
    )


# A model that hangs.


def _hanging(folder: Path, rounds: int) -> list[Row]:
    folder.mkdir(parents=True)
    flag = folder / "hang"
    write_endless(Path(f"{flag}.onnx"))
    silences, backs = [], []
    with camera(folder / "pipe", shop()) as eye, LoneUnit(folder / "unit", eye.config) as unit:
        words = unit.words("vision", "tests.prove.hanging_model", str(flag))
        with _watched(folder, unit, words) as systemd:
            for _ in range(rounds):
                until(lambda: unit.health().get("analysed", 0) > 10, "pictures", _START_S)
                silence, back = _hang(unit, flag, systemd)
                silences.append(silence)
                backs.append(back)
            exits, pings = systemd.told.exits, systemd.told.pings
            apart = max(b - a for a, b in pairwise(pings) if b - a < 3)
    ended = sum(code in (-6, -9) for code in exits)
    return [
        Row(
            "hang",
            f"a model that never returns trips the watchdog ({_WATCHDOG_S:g} s; signs of life come "
            f"every {apart:.1f} s), and the unit counts again after the restart",
            f"silence told within {_WATCHDOG_S + 0.5:g} s, every hang ended, counting again",
            f"{max(silences):.1f} s at most, {ended} of {rounds} ended, counting again "
            f"{max(backs):.1f} s later at most",
            max(silences) <= _WATCHDOG_S + 0.5 and ended == rounds == len(exits),
        )
    ]


def _hang(unit: LoneUnit, flag: Path, systemd: StandInSystemd) -> tuple[float, float]:
    """Seconds from the hang to the end of patience, and from there until counting goes on."""
    boot, before = unit.health()["boot"], len(systemd.told.silent)
    flag.touch()
    until(lambda: not flag.exists(), "the model hangs", _START_S)
    hung = time.monotonic()
    until(lambda: len(systemd.told.silent) > before, "the watchdog", _START_S)
    silent = systemd.told.silent[-1]

    def counts() -> bool:
        told = unit.health()
        return bool(told) and told["boot"] != boot and told["analysed"] > 10

    until(counts, "counting again", _START_S)
    return silent - hung, time.monotonic() - silent


# What both need.


def _watched(folder: Path, unit: LoneUnit, words: Sequence[str]) -> StandInSystemd:
    return StandInSystemd(words, _WATCHDOG_S, folder / "vision.log", unit.environ, unit.state)


def _starter(
    stack: ExitStack, unit: LoneUnit, folder: Path
) -> Callable[..., subprocess.Popen[bytes]]:
    """Starts processes that end with the stack, last first."""

    def start(name: str, *words: str) -> subprocess.Popen[bytes]:
        with (folder / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(words, stdout=log, stderr=log, env=unit.environ, cwd=folder)
        stack.callback(_end, child)
        return child

    return start


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(15)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _mosquitto() -> str:
    found = [path for path in ("/usr/sbin/mosquitto", "/usr/bin/mosquitto") if os.path.exists(path)]
    if not found:
        raise FileNotFoundError("apt-get install mosquitto")
    return found[0]


def _broker_file(folder: Path, port: int) -> Path:
    path = folder / "mosquitto.conf"
    path.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")
    return path


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
