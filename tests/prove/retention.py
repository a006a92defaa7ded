"""Part 5: nothing image-like ever touches storage, and what does is found."""

from __future__ import annotations

import logging
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from edge_agent.journal import Journal, Terms
from edge_agent.outbox import set_aside
from edge_agent.records import Definitions, Quality, Window
from edge_agent.retention import Retention
from edge_agent.retention.sweep import sweep
from tests.prove.lone_unit import TREE, LoneUnit, until
from tests.prove.plants import hidden, pictures
from tests.prove.row import Row, Scale
from tests.prove.stand_in_camera import PICTURE_BYTES, camera, noise

_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL)
_TROUBLES = {"retained_image", "core_dumps_on", "swap_plain", "temp_on_disk"}
# All that vision may leave behind, the last being GStreamer's list of its plugins; any other name
# is a file that nobody knows.
_KNOWN = re.compile(
    r"registry\.\w+\.bin|outbox\.db(-wal|-shm)?|site\.yaml|vision\.log|\.?vision\.health\.json(\.new)?"
)
_PATTERN_BYTES = 48
_START_S = 60.0
_BLOCK = 1 << 20


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """Look at files that are no pictures and at some that are, then crash with one in memory."""
    yield _quiet(folder / "quiet", scale.of(1024, 48))
    yield _planted(folder / "planted")
    yield _control(folder / "control")
    yield from _crashes(folder / "crashes", scale.of(10, 1))
    yield _told(folder / "told")
    yield _cost(folder / "cost", scale.of(100_000, 10_000))


def _quiet(folder: Path, megabytes: int) -> Row:
    """No false alarm."""
    folder.mkdir()
    _ordinary(folder)
    for number in range(megabytes // 16):
        (folder / f"random-{number}").write_bytes(os.urandom(16 * _BLOCK))
    models = [TREE / "models" / "built_in"]
    if os.environ.get("SHELFLIGHT_DATA"):
        models.append(Path(os.environ["SHELFLIGHT_DATA"]) / "models")
    found = sweep([folder, *models])
    size = sum(path.stat().st_size for top in (folder, *models) for path in top.iterdir())
    shutil.rmtree(folder)
    return Row(
        "quiet",
        "what a unit keeps (outbox, a damaged one, log, health, sites, models) and chance bytes "
        "are taken for no picture",
        "0",
        f"{found.pictures} of {found.files} files, {size / 1e6:.0f} MB",
        found.pictures == 0 and found.whole and found.files > 8,
    )


def _ordinary(folder: Path) -> None:
    window = Window("table", 0.0, 60.0, 60.0, Quality.SYNCED, Definitions(5, 15, 2), 3, 2, 1)
    outbox = folder / "outbox.db"
    with Journal(outbox, Terms("unit-1", 20_000), lambda: 1.7e9) as journal:
        for _ in range(300):
            journal.write((window,))
    set_aside(outbox, 1_700_000_000)
    with Journal(outbox, Terms("unit-1", 20_000), lambda: 1.7e9) as journal:
        journal.write((window,))
    texts = {
        "vision.log": "INFO shelflight.vision: camera gstreamer is open\n" * 5000,
        "uplink.session": "1700000000\n",
        "vision.health.json": '{"v":1,"unit":"unit-1","troubles":["retained_image"]}',
        "about.txt": "GIF89a, BMP, RIFF, ftyp, P5 and PNG are names; /9j/ is how base64 begins\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    for path in (TREE / "tests" / "sites").glob("*.yaml"):
        shutil.copy(path, folder / path.name)


def _planted(folder: Path) -> Row:
    """Every kind, plain and hidden, in every folder of a unit."""
    paths: list[Path] = []
    with LoneUnit(folder, {}) as unit:
        for place in (unit.state, unit.run, unit.temp):
            for kind, picture in pictures().items():
                paths += hidden(place, kind, picture)
        found = sweep(unit.folders)
        missed = [path.name for path in paths if not sweep([path]).pictures]
    least = f"; not {', '.join(missed[:5])}" if missed else ""
    return Row(
        "planted",
        "pictures and films of each kind, plain, packed, in a log or a database, in the folders "
        "for state, run and temporary files, are found",
        f"{len(paths)} of {len(paths)}",
        f"{len(paths) - len(missed)} of {len(paths)}{least}",
        not missed and found.pictures == len(paths),
    )


@dataclass(frozen=True, slots=True)
class _Crash:
    """What one crash left.

    Args:
        number: the signal.
        held: a picture was in memory just before.
        sealed: a core of the process had no room.
        left: files with a known picture in them, or that nobody knows.
        told: troubles of health just before.
        written, seen: bytes that vision wrote, and bytes of pictures that it saw.
    """

    number: signal.Signals
    held: bool
    sealed: bool
    left: tuple[str, ...]
    told: frozenset[str]
    written: int
    seen: int


def _crashes(folder: Path, each: int) -> Iterator[Row]:
    with ThreadPoolExecutor(len(_CRASHES)) as pool:
        numbers = list(enumerate(_CRASHES * each))
        found = list(pool.map(lambda one: _crash(folder / str(one[0]), *one), numbers))
    unmarked = sum(not (crash.held and crash.sealed) for crash in found)
    left = [name for crash in found for name in crash.left]
    names = ", ".join(f"{each} x {number.name}" for number in _CRASHES)
    yield Row(
        "crash",
        f"vision and GStreamer crashed with a picture in memory ({names}): nothing of it is on "
        "storage, nor in a file that was deleted but open, nor is there a file that nobody knows",
        "0 files",
        f"{len(left)} files{': ' + ', '.join(sorted(set(left))[:5]) if left else ''}; "
        f"{len(found) - unmarked} of {len(found)} held one and had core dumps off",
        not left and not unmarked,
    )
    written, seen = (sum(getattr(crash, key) for crash in found) for key in ("written", "seen"))
    yield Row(
        "written",
        "what vision writes is a small part of one picture for each that it sees",
        "at most 5 %",
        f"{written / 1e3:.0f} KB while {seen / 1e6:.1f} MB of pictures passed "
        f"({100 * written / seen:.2f} %)",
        written <= 0.05 * seen,
    )
    alarms = sorted({name for crash in found for name in crash.told & _TROUBLES})
    here = {"swap_plain"} if len(Path("/proc/swaps").read_text().splitlines()) > 1 else set()
    yield Row(
        "no-alarm",
        "a unit that keeps nothing says so: no trouble of retention in its health",
        "none" + (" but this machine's plain swap" if here else ""),
        ", ".join(alarms) or "none",
        not set(alarms) - here,
    )


def _crash(folder: Path, index: int, number: signal.Signals) -> _Crash:
    folder.mkdir(parents=True)
    show = noise(index)
    patterns = _patterns([show(i) for i in range(7)])
    with camera(folder / "pipe", show) as eye, LoneUnit(folder / "unit", eye.config) as unit:
        child = _start(unit)
        try:
            until(lambda: unit.health().get("analysed", 0) >= 20, "20 pictures", _START_S)
            told = frozenset(unit.health()["troubles"])
            held = any(pattern in part for part in _memory(child.pid) for pattern in patterns)
            sealed = _sealed(child.pid)
            written, seen = _written(child.pid), unit.health()["analysed"] * PICTURE_BYTES
            left = [f"{path} (deleted)" for path in _deleted(child.pid, patterns)]
            # GStreamer, which holds pictures too.
            for helper in _children(child.pid):
                os.kill(helper, number)
        finally:
            child.send_signal(number)
            child.wait(30)
        left += _left(unit.folders, patterns)
    return _Crash(number, held, sealed, tuple(left), told, written, seen)


def _start(unit: LoneUnit) -> subprocess.Popen[bytes]:
    """Vision, by a parent who allows core dumps of any size, in a folder where one would lie."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    with (unit.state / "vision.log").open("ab") as log:
        return subprocess.Popen(
            unit.words("vision"), stderr=log, cwd=unit.state, env=unit.environ,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, unlimited),
        )  # fmt: skip


def _patterns(shown: Sequence[bytes]) -> list[bytes]:
    """Some bytes of each picture, brightness from its middle."""
    middle = PICTURE_BYTES // 3
    return [picture[middle : middle + _PATTERN_BYTES] for picture in shown]


def _memory(pid: int) -> Iterator[bytes]:
    """What a process holds in memory of its own, part by part."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(place, 16) for place in span.split("-"))
            if rights.startswith("rw") and end - start < 512 * _BLOCK:
                try:
                    memory.seek(start)
                    yield memory.read(end - start)
                except (OSError, ValueError):  # unmapped meanwhile, or the kernel's own
                    continue


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(word) for task in tasks for word in (task / "children").read_text().split()]


def _sealed(pid: int) -> bool:
    limits = Path(f"/proc/{pid}/limits").read_text()
    found = re.search(r"Max core file size +(\S+)", limits)
    return found is not None and found[1] in ("0", "1")


def _written(pid: int) -> int:
    found = re.search(r"wchar: (\d+)", Path(f"/proc/{pid}/io").read_text())
    assert found is not None
    return int(found[1])


def _deleted(pid: int, patterns: Sequence[bytes]) -> Iterator[str]:
    """Open files without a name that hold a picture."""
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(handle)
            if target.endswith("(deleted)") and _holds(handle, patterns):
                yield target
        except OSError:  # closed meanwhile
            continue


def _left(folders: Sequence[Path], patterns: Sequence[bytes]) -> list[str]:
    files = [path for top in folders for path in top.rglob("*") if path.is_file()]
    return [
        path.name
        for path in files
        if not _KNOWN.fullmatch(path.name) or _holds(path, patterns) or sweep([path]).pictures
    ]


def _holds(path: Path, patterns: Sequence[bytes]) -> bool:
    content = path.read_bytes()
    return any(pattern in content for pattern in patterns)


def _control(folder: Path) -> Row:
    """The same search finds a picture where a crash leaves one."""
    folder.mkdir()
    claim = "a process that is not sealed leaves its memory in a core, and this search finds it"
    where = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if where.startswith("|") or "/" in where:
        figure = f"not tried: cores go to {where} on this machine"
        return Row("control", claim, "1 file", figure, True)
    picture = noise(9)(0)
    (folder / "picture").write_bytes(picture)
    code = (
        "import os, signal; held = open('picture', 'rb').read(); os.unlink('picture');"
        "os.kill(os.getpid(), signal.SIGABRT)"
    )
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    subprocess.run(
        (sys.executable, "-c", code), cwd=folder, timeout=30,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, unlimited),
    )  # fmt: skip
    left = _left([folder], _patterns([picture]))
    return Row("control", claim, "1 file", f"{len(left)} file", len(left) == 1)


def _told(folder: Path) -> Row:
    """A planted picture shows in health."""
    folder.mkdir()
    with camera(folder / "pipe", noise(7)) as eye, LoneUnit(folder / "unit", eye.config) as unit:
        (unit.temp / "debug-0001").write_bytes(pictures()["jpg"])
        child = _start(unit)
        try:
            started = until(lambda: unit.health().get("analysed"), "a picture", _START_S)
            took = until(lambda: "retained_image" in unit.health()["troubles"], "health", 20)
        except TimeoutError:
            started, took = float("nan"), float("inf")
        finally:
            child.terminate()
            child.wait(30)
        named = "debug-0001" in (unit.state / "vision.log").read_text()
    return Row(
        "told",
        "a picture in the temporary folder shows in health and by name in the log after a start",
        "within 10 s of the first picture",
        f"{took:.1f} s (start-up {started:.1f} s), {'named' if named else 'not named'}",
        took <= 10 and named,
    )


def _cost(folder: Path, frames: int) -> Row:
    """What a frame pays."""
    folder.mkdir()
    _ordinary(folder)
    took = []
    # Hours of a process that is not sealed, in a moment: what it says is no news.
    logging.getLogger("shelflight.retention").setLevel(logging.CRITICAL)
    retention = Retention([folder])
    for number in range(frames):
        started = time.perf_counter()
        retention.step(number * 1.0)  # a second a step: sweeps are due as in hours of running
        took.append(time.perf_counter() - started)
    retention.close()
    took.sort()
    mean, most = sum(took) / len(took), took[-1]
    return Row(
        "cost",
        "the watch costs a frame at most 1 ms; starting a sweep, once an hour, less than a frame",
        "mean 1 ms, most 200 ms",
        f"mean {1e3 * mean:.4f} ms, most {1e3 * most:.1f} ms of {frames} frames",
        mean <= 1e-3 and most <= 0.2,
    )
