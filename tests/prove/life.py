"""A unit's life in a shop: started, counting, reconfigured, cut off, killed, ended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.config import UnitConfig
from tests.edge_agent.walkers import FLOOR, record
from tests.prove.namespaces import BROKER, BROKER_NAME, BROKER_PORT, NAMES, Cable, program
from tests.prove.row import Scale
from tests.prove.smuggler import ELSEWHERE

UNIT = UnitConfig("unit-1")
_PATIENCE_S = 30.0
_RECORDED_PACE = 10


class Shop:
    """What is at the other end: a real broker, a real name server, the sink."""

    def __init__(self, between: Cable, folder: Path) -> None:
        self._between = between
        self._folder = folder
        self._broker: subprocess.Popen[bytes] | None = None

    @property
    def between(self) -> Cable:
        """The cable to it."""
        return self._between

    def open(self) -> None:
        """Start all of it."""
        self._start(
            "names", str(program("dnsmasq")), "--keep-in-foreground", "--no-resolv", "--no-hosts",
            "--conf-file=/dev/null", "--pid-file=", "--user=root", "--bind-interfaces",
            f"--listen-address={NAMES}", f"--host-record={BROKER_NAME},{BROKER}",
            f"--address=/#/{ELSEWHERE}",  # every other name there is, so that it is gone to
        )  # fmt: skip
        self.connect()
        self._between.python(
            self._between.shop, self._folder / "sink.log", "cloud_sink", "serve",
            "--broker", f"mqtt://{BROKER}:{BROKER_PORT}",
            "--db", str(self._folder / "sink.db"), "--http", "127.0.0.1:0",
        )  # fmt: skip

    def connect(self) -> None:
        """Start the broker."""
        config = self._folder / "mosquitto.conf"
        config.write_text(
            f"listener {BROKER_PORT} {BROKER}\nallow_anonymous true\npersistence false\nuser root\n"
        )
        self._broker = self._start("broker", str(program("mosquitto")), "-c", str(config))

    def cut(self) -> None:
        """Kill the broker."""
        assert self._broker is not None
        self._broker.kill()
        self._broker.wait(10)

    def stored(self) -> list[dict[str, Any]]:
        """What the sink holds."""
        words = ("export", "--db", str(self._folder / "sink.db"), "--format", "jsonl")
        done = subprocess.run(
            (sys.executable, "-m", "cloud_sink", *words),
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return [json.loads(line) for line in done.stdout.splitlines()]

    def _start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        return self._between.start(self._between.shop, self._folder / f"{name}.log", *words)


@dataclass(slots=True)
class Lived:
    """What a unit went through.

    Args:
        steps: how often each happened.
        counted: rows that vision stored, as it published them, by boot and seq.
        stored: rows that the sink holds, by boot and seq.
        seconds: how long it lived.
        trouble: what it could not go on for, None where it lived to its end.
    """

    steps: Counter[str] = field(default_factory=Counter)
    counted: dict[tuple[str, int], Any] = field(default_factory=dict)
    stored: dict[tuple[str, int], Any] = field(default_factory=dict)
    seconds: float = 0.0
    trouble: str | None = None


class Life:
    """A unit that is started, reconfigured, cut off, killed and ended.

    Args:
        shop: what it talks to.
        folder: where its state lies.
        scale: how often it all happens.
    """

    def __init__(self, shop: Shop, folder: Path, scale: Scale) -> None:
        self._shop = shop
        self._folder = folder
        self._rounds = scale.of(5, 1)
        # A library that reports to its maker does so within some ten seconds.
        self._filmed_rows = scale.of(60, 13)
        self._rows = scale.of(60, 12)
        self._lived = Lived()
        self._starts = self._sites = 0
        self._services: dict[str, subprocess.Popen[bytes]] = {}

    def live(self) -> Lived:
        """All of it, in order, as far as it goes: what was captured until then is judged too."""
        began = time.monotonic()
        try:
            self._all()
        except (RuntimeError, TimeoutError, subprocess.SubprocessError) as error:
            self._lived.trouble = str(error)
            for service in self._services.values():
                service.kill()
                service.wait(10)
        self._lived.seconds = time.monotonic() - began
        return self._lived

    def _all(self) -> None:
        self._film()
        record(self._folder / "walk.jsonl", 100_000 / 20, every=7, stay=3)
        self._start(self._site("camera", protocol="5"))
        self._counted(self._filmed_rows)
        for number in range(self._rounds):
            self._reload("3.1.1" if number % 2 == 0 else "5")
            self._outage()
            self._crash()
        self._end()

    def _film(self) -> None:
        """A rendered shop for the camera, with a second of it for each analysed five frames."""
        words = ("scene", "--seed", "7", "--seconds", "3", "--fps", "5", "--size", "320x180")
        subprocess.run(
            (sys.executable, "-m", "models", *words, "--out", str(self._folder / "shop")),
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip

    def _site(self, source: str, protocol: str) -> Path:
        """Another site file each time: the zone's name says which."""
        self._sites += 1
        camera: dict[str, Any] = {"source": "file", "path": str(self._folder / "shop/clip.mp4")}
        # A little faster than it was filmed: its windows then keep the clip's own seconds, whatever
        # this machine's clock is worth.
        camera |= {"loop": True, "pace": 1.1}
        if source == "recorded":
            path = str(self._folder / "walk.jsonl")
            camera = {"source": "recorded", "path": path, "pace": _RECORDED_PACE}
        site = {
            "unit": {"id": UNIT.id, "tenant": UNIT.tenant, "store": UNIT.store},
            "camera": camera,
            "zones": [{"name": f"{source}-{self._sites}", "floor": FLOOR}],
            "privacy": {"k": 1, "window_s": 1},
            "uplink": {
                "broker": f"mqtt://{BROKER_NAME}:{BROKER_PORT}",
                "protocol": protocol,
                "backoff_s": 0.5,
                "receipt_s": 2,
            },
        }
        path = self._folder / f"site-{self._sites}.yaml"
        path.write_text(json.dumps(site))
        return path

    def _start(self, site: Path) -> None:
        self._starts += 1
        self._lived.steps["starts"] += 1
        self._serve("uplink", site)
        self._serve("vision", site, "--records", str(self._records()))

    def _serve(self, name: str, site: Path, *more: str) -> None:
        self._services[name] = self._shop.between.python(
            self._shop.between.unit, self._folder / f"{name}.log", "edge_agent", name,
            "--site", str(site), "--state", str(self._folder / "state"), *more,
        )  # fmt: skip

    def _drain(self) -> None:
        self._serve("uplink", self._folder / f"site-{self._sites}.yaml", "--drain")
        if self._services["uplink"].wait(_PATIENCE_S) != 0:
            raise RuntimeError("the uplink could not bring everything to the sink")

    def _reload(self, protocol: str) -> None:
        """Both services end as systemd ends them and start with another file."""
        self._signal(signal.SIGTERM)
        self._start(self._site("recorded", protocol))
        self._counted(self._rows)
        self._lived.steps["reloads"] += 1

    def _outage(self) -> None:
        self._shop.cut()
        self._counted(self._rows)
        self._shop.connect()
        self._arrived()
        self._lived.steps["outages"] += 1

    def _crash(self) -> None:
        self._signal(signal.SIGKILL)
        self._start(self._folder / f"site-{self._sites}.yaml")
        self._counted(self._rows)
        self._lived.steps["crashes"] += 1

    def _end(self) -> None:
        self._signal(signal.SIGTERM)
        # Vision commits its last window when it ends.
        self._drain()
        for number in range(1, self._starts + 1):
            for row in _lines(self._folder / f"records-{number}.jsonl"):
                self._lived.counted[row["boot"], row["seq"]] = row
        self._lived.stored = {(row["boot"], row["seq"]): row for row in self._shop.stored()}

    def _signal(self, number: signal.Signals) -> None:
        """To both; a row that is stored and not yet sent is sent by the next."""
        for service in self._services.values():
            service.send_signal(number)
        for name, service in self._services.items():
            code = service.wait(30)
            if code not in (0, -signal.SIGKILL):
                raise RuntimeError(f"{name} ended with {code}: see {self._folder}/{name}.log")

    def _counted(self, rows: int) -> None:
        """So many rows more are stored by the vision that runs."""
        path = self._records()
        known = len(_lines(path))
        patience_s = _PATIENCE_S + 2 * rows
        self._until(lambda: len(_lines(path)) >= known + rows, f"{rows} rows counted", patience_s)

    def _arrived(self) -> None:
        """The sink has what was counted until now."""
        last = _lines(self._records())[-1]
        key = (last["boot"], last["seq"])
        self._until(
            lambda: any((row["boot"], row["seq"]) == key for row in self._shop.stored()),
            "the last row at the sink",
        )

    def _until(self, true: Callable[[], bool], what: str, patience_s: float = _PATIENCE_S) -> None:
        deadline = time.monotonic() + patience_s
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {patience_s:g} s")
            time.sleep(0.1)

    def _records(self) -> Path:
        return self._folder / f"records-{self._starts}.jsonl"


def _lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines only: the last may be in the making."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
