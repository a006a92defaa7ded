"""What guards the services: their systemd units, and one list of whom a unit may reach."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.prove.confined import FIRMWARE
from tests.prove.row import Row, Scale

UNITS = ("shelflight-vision.service", "shelflight-uplink.service")
# What `systemd-analyze security` calls 0 is safe and 10 unsafe.
EXPOSURE = 1.5
_ALLOW = """\
broker 192.0.2.10
broker 2001:db8::10
time   192.0.2.123
name   192.0.2.53
"""
_ALLOWED = {
    ("192.0.2.10", "tcp", 8883),
    ("2001:db8::10", "tcp", 8883),
    ("192.0.2.123", "udp", 123),
    ("192.0.2.53", "udp", 53),
    ("192.0.2.53", "tcp", 53),
}


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """The units' exposure, and the list where it is written and where it works."""
    place = folder / "firmware"
    install(place, _ALLOW)
    scores = {unit: exposure(place / unit) for unit in UNITS}
    yield Row(
        "access.exposure",
        "`systemd-analyze security` of the shipped units, with the list of whom they may reach",
        f"<= {EXPOSURE} each",
        ", ".join(f"{unit.removesuffix('.service')} {score}" for unit, score in scores.items()),
        all(score <= EXPOSURE for score in scores.values()),
    )
    said = verified(place)
    claim = "`systemd-analyze verify` has nothing to say about them"
    yield Row("access.verify", claim, "nothing", said or "nothing", not said)
    yield _agree(place)
    yield _kept(scale, place)


def install(place: Path, allow: str) -> None:
    """The units in a folder, with what egress.py makes of a list."""
    place.mkdir()
    for unit in UNITS:
        shutil.copy(FIRMWARE / unit, place)
    listed = place / "allow.txt"
    listed.write_text(allow)
    words = ["--allow", listed, "--nftables", place / "nftables.conf", "--systemd", place]
    command = [sys.executable, FIRMWARE / "egress.py", *words]
    subprocess.run([*map(str, command)], check=True, capture_output=True, timeout=30)


def exposure(unit: Path) -> float:
    """What systemd thinks of it, with its drop-ins."""
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", "security", "--offline=yes", str(unit)],
        check=True, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    found = re.search(r"Overall exposure level for \S+ ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def verified(place: Path) -> str:
    """What systemd says against the units; the program need not be installed here."""
    checked = place / "verified"
    checked.mkdir()
    for unit in UNITS:
        text = (place / unit).read_text(encoding="utf-8")
        (checked / unit).write_text(
            text.replace("/opt/shelflight/bin/shelflight-agent", "/bin/true")
        )
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(checked / unit) for unit in UNITS)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return " ".join((done.stdout + done.stderr).split())


def listed(place: Path) -> dict[str, set[str]]:
    """Whom each file lets through, by what it is for."""
    rules = (place / "nftables.conf").read_text()
    found = {
        purpose: set(re.findall(rf'daddr (\S+) .*comment "{purpose}"', rules))
        for purpose in ("broker", "time", "name")
    }
    for service in ("shelflight-uplink", "systemd-timesyncd"):
        text = (place / f"{service}.service.d" / "allow.conf").read_text()
        found[service] = set(re.findall(r"^IPAddressAllow=(\S+)$", text, re.MULTILINE))
    return found


def _agree(place: Path) -> Row:
    found = listed(place)
    loopback = {"localhost"}
    agree = (
        found["shelflight-uplink"] == found["broker"] | found["name"] | loopback
        and found["systemd-timesyncd"] == found["time"] | found["name"] | loopback
        and all(found.values())
    )
    sound = subprocess.run(
        ["nft", "-c", "-f", str(place / "nftables.conf")], capture_output=True, timeout=30
    )
    addresses = len(found["broker"] | found["time"] | found["name"])
    figure = f"{addresses} addresses, {'the same' if agree else 'not the same'} in both; nft "
    figure += "takes the rules" if sound.returncode == 0 else sound.stderr.decode()
    claim = "nftables and systemd let through the same: one list makes both"
    return Row("access.one-list", claim, "the same", figure, agree and sound.returncode == 0)


def _kept(scale: Scale, place: Path) -> Row:
    """The rules at work, on a wire at whose other end everything is seen."""
    foreign, rules = _foreign(scale.of(2000, 200)), place / "nftables.conf"
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-m", "tests.prove.kept", str(rules)],
        input=json.dumps([*foreign, *sorted(_ALLOWED)]), capture_output=True, text=True, timeout=60,
        cwd=FIRMWARE.parent, check=True,
    )  # fmt: skip
    arrived = {tuple(way) for way in json.loads(done.stdout)}
    out = sorted(arrived - _ALLOWED)
    figure = (
        f"{len(out)} of {len(foreign)} foreign destinations reached, "
        f"{len(arrived & _ALLOWED)} of {len(_ALLOWED)} allowed ones"
    )
    figure += f"; {out[:5]}" if out else ""
    claim = "with the shipped rules a unit reaches its broker, time and name service, nobody else"
    return Row("access.kept-in", claim, "0, all", figure, arrived == _ALLOWED)


def _foreign(number: int) -> list[tuple[str, str, int]]:
    """Where nothing may go: the right hosts at wrong ports, neighbours, groups, anywhere."""
    chance = random.Random(8)
    ways = {
        (address, protocol, port)
        for address in ("192.0.2.10", "192.0.2.123", "192.0.2.53", "2001:db8::10")
        for protocol in ("tcp", "udp")
        for port in (22, 53, 80, 123, 443, 853, 1883, 8883)
    }
    ways |= {
        ("198.51.100.1", "udp", 67),
        ("224.0.0.251", "udp", 5353),
        ("239.255.255.250", "udp", 1900),
        ("255.255.255.255", "udp", 9),
    }
    while len(ways) < number:
        address = f"{chance.randrange(1, 224)}.{chance.randrange(256)}.0.{chance.randrange(1, 255)}"
        ways.add((address, chance.choice(("tcp", "udp")), chance.choice((53, 123, 443, 8883))))
    return sorted(way for way in ways - _ALLOWED if not way[0].startswith("127."))
