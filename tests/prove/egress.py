"""4 Egress: every packet of a unit's life is on the allow-list, every payload fits its schema.

A unit (vision and uplink) lives in a network namespace of its own. The only cable leads to a shop
with a broker, a name server, the address of a time server and, at every other address, somebody
who answers; the unit has a route to all of them, over IPv4 and IPv6. What is on the list: ARP and
IPv6's neighbour discovery (the kernel's own), the broker's port, the name service, the time
service. The link is without TLS here, for what is said to be read.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.prove.capture import Capture, Packet, capturing, foreign_names, judged
from tests.prove.life import UNIT, Life, Lived, Shop
from tests.prove.mqtt import Verdict, read
from tests.prove.namespaces import BROKER, BROKER_NAME, BROKER_PORT, cable, missing
from tests.prove.row import Row, Scale

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
        f"counts sent; {len(lived.counted)} counted, {len(lost)} lost"
        + (f"; {lived.trouble}" if lived.trouble else ""),
        not lost and len(lived.counted) > 0 and len(lived.steps) == 4 and lived.trouble is None,
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
