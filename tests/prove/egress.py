"""4 Egress: every packet of a unit's life is on the allow-list, every payload fits its schema.

A unit (vision and uplink) lives in a network namespace of its own. The only cable leads to a shop
with a broker, a name server, the address of a time server and, at every other address, somebody
who answers; the unit has a route to all of them, over IPv4 and IPv6. What is on the list: ARP and
IPv6's neighbour discovery (the kernel's own), the broker's port, the name service, the time
service. The link is without TLS here, for what is said to be read.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.config import UnitConfig
from tests.edge_agent.walkers import FLOOR, record
from tests.prove.capture import Capture, Packet, capturing, foreign_names, judged
from tests.prove.namespaces import (
    BROKER,
    BROKER_NAME,
    BROKER_PORT,
    NAMES,
    Cable,
    cable,
    missing,
    program,
)
from tests.prove.row import Row, Scale
from tests.prove.wire import Verdict, read

UNIT = UnitConfig("unit-1")
# What `smuggler` sends, and where the checker must tell of it: a packet, a look-up, a payload, or
# something that an MQTT packet carries.
SMUGGLED = {
    "UDP elsewhere": ("packets", "UDP with 198.51.100.7:9999"),
    "UDP over IPv6": ("packets", "2001:db8::7 next header 17"),
    "TCP elsewhere": ("packets", "TCP with 198.51.100.7:443"),
    "another port of the broker": ("packets", f"TCP with {BROKER}:{BROKER_PORT + 1}"),
    "an echo with a picture": ("packets", f"{BROKER} protocol 1"),
    "another name": ("names", "pictures.shop.test"),
    "a query with more in it": ("names", f"{BROKER_NAME} with more in it"),
    "a picture as counts": ("payloads", "counts: not JSON"),
    "a box in a state": ("payloads", "state: does not fit"),
    "a topic of its own": ("carrying", "/picture"),
    "a user property": ("carrying", "bytes of properties"),
    "another client id": ("carrying", "'a-camera'"),
}
_PATIENCE_S = 60.0
_RECORDED_PACE = 10


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """The life of a unit, packet by packet."""
    lacking = missing()
    if lacking:
        yield Row("egress", "this part can run", "yes", f"no: it needs {', '.join(lacking)}", False)
        return
    with cable(folder) as between, capturing(between.unit) as capture:
        between.plug()
        shop = Shop(between, folder)
        shop.open()
        lived = Life(shop, folder, scale).live()
        time.sleep(0.5)  # for what a kernel sends after a process is gone
        quiet = len(capture.frames)
        smuggler = between.python(
            between.unit, folder / "smuggler.log", "tests.prove.smuggler",
            UNIT.tenant, UNIT.store, UNIT.id,
        )  # fmt: skip
        code = smuggler.wait(_PATIENCE_S)
    yield from _rows(capture, quiet, lived)
    yield _control(capture.frames[quiet:], code)


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
    """

    steps: Counter[str] = field(default_factory=Counter)
    counted: dict[tuple[str, int], Any] = field(default_factory=dict)
    stored: dict[tuple[str, int], Any] = field(default_factory=dict)
    seconds: float = 0.0


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
        self._filmed_rows = scale.of(40, 3)
        self._rows = scale.of(60, 15)
        self._lived = Lived()
        self._starts = self._sites = 0
        self._services: dict[str, subprocess.Popen[bytes]] = {}

    def live(self) -> Lived:
        """All of it, in order."""
        began = time.monotonic()
        self._film()
        record(self._folder / "walk.jsonl", 100_000 / 20, every=7, stay=3)
        self._start(self._site("camera", protocol="5"))
        self._counted(self._filmed_rows)
        for number in range(self._rounds):
            self._reload("3.1.1" if number % 2 == 0 else "5")
            self._outage()
            self._crash()
        self._end()
        self._lived.seconds = time.monotonic() - began
        return self._lived

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
        camera |= {"loop": True}
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
        self._until(lambda: len(_lines(path)) >= known + rows, f"{rows} rows counted")

    def _arrived(self) -> None:
        """The sink has what was counted until now."""
        last = _lines(self._records())[-1]
        key = (last["boot"], last["seq"])
        self._until(
            lambda: any((row["boot"], row["seq"]) == key for row in self._shop.stored()),
            "the last row at the sink",
        )

    def _until(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {_PATIENCE_S:g} s")
            time.sleep(0.1)

    def _records(self) -> Path:
        return self._folder / f"records-{self._starts}.jsonl"


def _lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines only: the last may be in the making."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _rows(capture: Capture, quiet: int, lived: Lived) -> Iterator[Row]:
    packets = judged(capture.frames[:quiet])
    kinds = Counter(packet.kind for packet in packets if packet.kind is not None)
    outside = [packet.what for packet in packets if packet.kind is None]
    yield Row(
        "egress-packets",
        "every packet of a unit's side is on the allow-list (ARP, neighbour discovery, name "
        "service, broker, time); route to anywhere, IPv4 and IPv6",
        "0 outside",
        f"{len(packets)} packets, {len(outside)} outside{_first(outside)} ({_told(kinds)}; "
        f"{capture.dropped} missed by the capture)",
        not outside and capture.dropped == 0 and kinds["broker"] > 0,
    )
    asked = [name for packet in packets for name in packet.asked]
    foreign = foreign_names(packets)
    yield Row(
        "egress-names",
        "no name but the broker's is looked up",
        "0 others",
        f"{len(asked)} look-ups, {len(foreign)} of other names{_first(foreign)}",
        not foreign and len(asked) > 0,
    )
    verdict = read(_segments(packets), UNIT)
    yield from _telemetry(verdict)
    yield _life(lived, verdict)


def _telemetry(verdict: Verdict) -> Iterator[Row]:
    total, invalid = sum(verdict.payloads.values()), verdict.invalid
    needed = {"counts", "state", "health", "will", "ack"}
    yield Row(
        "egress-payloads",
        "every MQTT payload of the capture fits the schema of its topic",
        "0 invalid",
        f"{total} payloads, {len(invalid)} invalid{_first(invalid)} ({_told(verdict.payloads)})",
        not invalid and needed <= verdict.payloads.keys(),
    )
    carrying = verdict.carrying
    yield Row(
        "egress-mqtt",
        "no other field of MQTT carries anything: client id, will, topics, properties, user",
        "0 carry",
        f"{verdict.connections} connections, {verdict.control} packets without a payload, "
        f"{len(carrying)} carry something{_first(carrying)}",
        not carrying and verdict.control > 0,
    )


def _life(lived: Lived, verdict: Verdict) -> Row:
    lost = [key for key, row in lived.counted.items() if lived.stored.get(key) != row]
    return Row(
        "egress-life",
        "the unit lived meanwhile: counted by camera and recording, was reconfigured, cut off, "
        "killed, and everything counted arrived",
        "0 lost",
        f"{lived.seconds:.0f} s, {_told(lived.steps)}, {verdict.payloads['counts']} messages of "
        f"counts sent; {len(lived.counted)} counted, {len(lost)} lost",
        not lost and len(lived.counted) > 0 and len(lived.steps) == 4,
    )


def _control(frames: list[bytes], code: int) -> Row:
    packets = judged(frames)
    verdict = read(_segments(packets), UNIT)
    told = {
        "packets": [packet.what for packet in packets if packet.kind is None],
        "names": foreign_names(packets),
        "payloads": verdict.invalid,
        "carrying": verdict.carrying,
    }
    unseen = [
        name for name, (where, text) in SMUGGLED.items()
        if not any(text in line for line in told[where])
    ]  # fmt: skip
    return Row(
        "egress-control",
        "what is smuggled out of the same namespace is seen by the same checker",
        f"{len(SMUGGLED)} of {len(SMUGGLED)}",
        f"{len(SMUGGLED) - len(unseen)} of {len(SMUGGLED)}{_first(unseen)}",
        not unseen and code == 0,
    )


def _segments(packets: list[Packet]) -> list[Any]:
    return [packet.segment for packet in packets if packet.segment is not None]


def _first(found: list[str]) -> str:
    return f", first: {found[0]}" if found else ""


def _told(counter: Counter[Any]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counter.items()))
