"""A unit as it ships, from camera to sink: its users and filters are real, its secrets stay so."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_agent.outbox import OutboxReader
from tests.prove.authority import Authority, Identity
from tests.prove.confined import FIRMWARE, Account, account, command
from tests.prove.guarded import PATIENCE_S, Guarded, until
from tests.prove.row import Row

_UNIT = ("demo", "store-1", "shelf-s")
_PASSWORD = "hunter2"
# This tree, whatever is installed; what its users may not write they need not try to.
_ENVIRONMENT = {
    **os.environ, "PYTHONPATH": str(FIRMWARE.parent), "PYTHONDONTWRITEBYTECODE": "1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Where one unit and its sink live.

    Args:
        folder: all of it.
        broker: that they meet at.
        unit, sink: their certificates.
        vision, uplink: the services' users.
    """

    folder: Path
    broker: Guarded
    unit: Identity
    sink: Identity
    vision: Account
    uplink: Account

    @property
    def site(self) -> Path:
        return self.folder / "site.yaml"

    @property
    def state(self) -> Path:
        return self.folder / "var/lib/shelflight"

    @property
    def run(self) -> Path:
        return self.folder / "run/shelflight"

    def log(self, name: str) -> Path:
        """What a process says."""
        return self.folder / f"{name}.log"


def prove(authority: Authority, folder: Path) -> Iterator[Row]:
    """Vision and uplink as their units run them, then a look into all that they left."""
    with Guarded(folder / "shipped-broker", authority) as broker:
        place = _place(authority, folder / "shipped", broker)
        seen = _through(place)
        rows = len(_exported(place))
        left = OutboxReader(place.state / "outbox.db").count()
        clock = _asks_the_clock(place)
        users = f"users {place.vision.user} and {place.uplink.user}, group {place.uplink.groups}"
        yield Row(
            "access.confined",
            "vision and uplink work as the shipped units run them: users of their own, system "
            "calls filtered, no memory written and run, vision without a network",
            "counts arrive and are purged, the clock may be asked",
            f"{rows} rows arrived, {left} left, from {users}; clock asked: {clock}",
            rows > 0 and left == 0 and clock,
        )
        found = _leaks(place, seen)
        yield Row(
            "access.secrets",
            "no key in a log, a command line, an environment or a file that others may read",
            "0 found",
            f"{len(found)} found in {len(seen)} processes and {len(_written(place))} files"
            + (f": {'; '.join(found)}" if found else ""),
            not found,
        )
        yield _careless(place)


def _place(authority: Authority, folder: Path, broker: Guarded) -> Place:
    for part in ("etc", "var/lib", "run"):
        (folder / part).mkdir(parents=True)
    for path in (folder.parent, folder):
        path.chmod(0o755)
    for program, file in (("systemd-sysusers", "sysusers"), ("systemd-tmpfiles", "tmpfiles")):
        create = ["--create"] if file == "tmpfiles" else []
        subprocess.run(
            [program, f"--root={folder}", *create, str(FIRMWARE / f"{file}.conf")],
            check=True, capture_output=True, timeout=30,
        )  # fmt: skip
    broker.configure(["/".join(_UNIT)])
    broker.start()
    unit = authority.issue("shipped", "/O={}/OU={}/CN={}".format(*_UNIT))
    sink = authority.issue("shipped-sink", "/CN=sink")
    place = Place(
        folder, broker, unit, sink,
        account(folder, "shelflight-vision"), account(folder, "shelflight-uplink"),
    )  # fmt: skip
    _lay_out(place, authority)
    return place


def _lay_out(place: Place, authority: Authority) -> None:
    """What an installer puts in /etc: the site for all, the key for the uplink alone."""
    for name, path in (("ca", authority.ca), ("cert", place.unit.cert), ("key", place.unit.key)):
        copy = place.folder / f"{name}.pem"
        copy.write_bytes(path.read_bytes())
        copy.chmod(0o640 if name == "key" else 0o644)
        os.chown(copy, 0, place.uplink.group if name == "key" else 0)
    clip = cv2.VideoWriter(
        str(place.folder / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 5.0, (320, 240)
    )
    for number in range(15):
        clip.write(np.full((240, 320, 3), 40 + 10 * number, np.uint8))
    clip.release()
    tenant, store, unit = _UNIT
    site = {
        "unit": {"id": unit, "tenant": tenant, "store": store},
        "camera": {"source": "file", "path": "clip.mp4", "pace": 0},
        "zones": [{"name": "table", "floor": [[0, 0], [1, 0], [1, 1], [0, 1]]}],
        "privacy": {"k": 1, "window_s": 1},
        "uplink": {
            "broker": place.broker.url, "ca": "ca.pem", "cert": "cert.pem", "key": "key.pem",
            "receipt_s": 1,  # what it sends before the sink is there it sends again
        },
    }  # fmt: skip
    place.site.write_text(json.dumps(site))


def _through(place: Place) -> dict[str, str]:
    """Count, send, store; what the processes' command lines and environments showed meanwhile."""
    seen: dict[str, str] = {}
    _ended(_service(place, "vision"), place.log("vision"), seen)
    uplink = _service(place, "uplink")
    sink = subprocess.Popen(
        _sink(place, place.broker.url), stdout=subprocess.DEVNULL,
        stderr=place.log("sink").open("w"), cwd=place.folder, env=_ENVIRONMENT,
    )  # fmt: skip
    try:
        until(lambda: place.log("sink").exists() and _exported(place), "counts at the sink")
        for name, process in (("uplink", uplink), ("sink", sink)):
            seen[name] = _shown(process.pid)
    finally:
        for process in (uplink, sink):
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)
    return seen


def _service(place: Place, name: str) -> subprocess.Popen[bytes]:
    words = [
        sys.executable, "-m", "edge_agent", name, "--site", str(place.site),
        "--state", str(place.state), "--run", str(place.run),
    ]  # fmt: skip
    who = place.vision if name == "vision" else place.uplink
    unit = FIRMWARE / f"shelflight-{name}.service"
    return subprocess.Popen(
        command(unit, who, place.folder, words), stderr=place.log(name).open("w"), cwd=place.folder,
        env=_ENVIRONMENT,
    )  # fmt: skip


def _ended(process: subprocess.Popen[bytes], log: Path, seen: dict[str, str]) -> None:
    shown = ""
    while process.poll() is None:
        shown = _shown(process.pid) or shown
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    seen["vision"] = shown
    if process.returncode:
        raise RuntimeError(f"vision ended with {process.returncode}: {log.read_text()}")


def _sink(place: Place, url: str) -> list[str]:
    return [
        sys.executable, "-m", "cloud_sink", "serve", "--broker", url,
        "--db", str(place.folder / "sink.db"), "--http", "127.0.0.1:0",
        "--ca", str(place.broker.authority.ca), "--cert", str(place.sink.cert),
        "--key", str(place.sink.key),
    ]  # fmt: skip


def _exported(place: Place) -> list[bytes]:
    words = ["export", "--db", str(place.folder / "sink.db"), "--format", "jsonl"]
    done = subprocess.run(
        [sys.executable, "-m", "cloud_sink", *words],
        capture_output=True,
        timeout=30,
        env=_ENVIRONMENT,
    )
    return done.stdout.splitlines()


def _asks_the_clock(place: Place) -> bool:
    """Whether the filter lets the kernel be asked: refused, a unit would never be synchronized."""
    ask = "import ctypes; print(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)))"
    answers = []
    for name in ("vision", "uplink"):
        unit, who = (
            FIRMWARE / f"shelflight-{name}.service",
            account(place.folder, f"shelflight-{name}"),
        )
        words = command(unit, who, place.folder, [sys.executable, "-c", ask])
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
        answers.append(int(done.stdout))
    return all(answer >= 0 for answer in answers)


def _shown(pid: int) -> str:
    """What `ps` shows of a process, and its environment."""
    try:
        return "".join(
            Path(f"/proc/{pid}/{name}").read_text("latin-1") for name in ("cmdline", "environ")
        )
    except OSError:
        return ""


def _written(place: Place) -> list[Path]:
    return [path for top in (place.state, place.run) for path in top.rglob("*") if path.is_file()]


def _leaks(place: Place, seen: dict[str, str]) -> list[str]:
    secrets = [
        line for identity in (place.unit, place.sink)
        for line in identity.key.read_text().splitlines()[1:-1]
    ]  # fmt: skip
    texts = {f"what ps shows of {name}": text for name, text in seen.items()}
    logs = (
        *place.folder.glob("*.log"),
        place.broker.log,
        place.folder / "sink.db",
        *_written(place),
    )
    texts |= {path.name: path.read_bytes().decode("latin-1") for path in logs}
    found = [f"a key in {where}" for where, text in texts.items() if _any_in(secrets, text)]
    open_files = [path for path in _written(place) if path.stat().st_mode & stat.S_IRWXO]
    found += [f"{path.name} open to all" for path in open_files]
    found += [f"nothing seen of {name}" for name, text in seen.items() if not text]
    return found


def _any_in(secrets: Sequence[str], text: str) -> bool:
    return any(secret in text or "PRIVATE KEY" in text for secret in secrets)


def _careless(place: Place) -> Row:
    """What an installer gets wrong is refused, and not repeated."""
    site = json.loads(place.site.read_text())
    agent = [sys.executable, "-m", "edge_agent"]
    # So that the key's own mode is all that is wrong.
    with_password = place.folder / "password.yaml"
    url = place.broker.url.replace("//", f"//shelf:{_PASSWORD}@")
    with_password.write_text(json.dumps({**site, "uplink": {"broker": url}}))
    (place.folder / "key.pem").chmod(0o644)
    place.sink.key.chmod(0o644)
    refused, state = [], ["--state", str(place.folder / "careless")]
    for what, words, must_say in (
        ("check, a key for all to read", [*agent, "check", "--site", str(place.site)], "may read"),
        ("uplink, a key for all to read",
         [*agent, "uplink", "--site", str(place.site), *state], "may read"),
        ("check, a password in the address",
         [*agent, "check", "--site", str(with_password)], "no user or password"),
        ("uplink, a password in the address",
         [*agent, "uplink", "--site", str(with_password), *state], "no user or password"),
        ("sink, a key for all to read", _sink(place, place.broker.url), "may read"),
        ("sink, a password in the address", _sink(place, url), "no credentials"),
    ):  # fmt: skip
        refused.append((what, _refuses(words, must_say)))
    missed = [what for what, held in refused if not held]
    figure = f"{len(refused) - len(missed)} of {len(refused)} refused"
    figure += f"; not: {', '.join(missed)}" if missed else ""
    claim = "a key that all may read and a password in an address are refused, and not repeated"
    return Row("access.careless", claim, "all", figure, not missed)


def _refuses(words: Sequence[str], must_say: str) -> bool:
    """Whether a program ends with exit 2, saying why and no password."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=PATIENCE_S, env=_ENVIRONMENT
        )
    except subprocess.TimeoutExpired:  # it works with what it should refuse
        return False
    said = done.stdout + done.stderr
    return done.returncode == 2 and must_say in said and _PASSWORD not in said
