"""Copies that are broken on purpose: a check that cannot fail proves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Break:
    """One change of the code.

    Args:
        file: of the tree.
        old, new: what stands there once, and what a broken copy has in its place.
        parts: those that must see it.
    """

    file: str
    old: str
    new: str
    parts: tuple[str, ...]


BREAKS: dict[str, Break] = {
    # A box printed into a field.
    "box": Break(
        "edge_agent/transport/link.py",
        "sealed.topic, sealed.payload, sealed.qos",
        "sealed.topic, sealed.payload.replace("
        'b\'"seq":\', b\'"box":[0.41,0.62,0.08,0.35],"seq":\'), sealed.qos',
        ("telemetry", "egress"),
    ),
    # A picture in a payload.
    "jpeg": Break(
        "edge_agent/transport/link.py",
        "sealed.topic, sealed.payload, sealed.qos",
        "sealed.topic, sealed.payload.replace("
        'b\'"zone":"\', b\'"zone":"/9j/4AAQSkZJRgABAQ\'), sealed.qos',
        ("telemetry", "egress"),
    ),
    # A purge before the receipt: the broker's word is taken for the sink's.
    "early-ack": Break(
        "edge_agent/transport/delivery.py",
        "self._out[key].since = now",
        "self._receipted[key] = self._out.pop(key).since",
        ("kills", "storage"),
    ),
    # A frame written to disk.
    "retention": Break(
        "edge_agent/services/vision.py",
        "        self._t = seen.t\n",
        "        self._t = seen.t\n"
        '        __import__("cv2").imwrite('
        'str(self._health._path.with_name("last.jpg")), seen.image)\n',
        ("retention",),
    ),
    # A cut in the chain: a row says something else than what stands before it.
    "chain": Break(
        "edge_agent/outbox/writer.py",
        "windows, head or self._link())",
        "windows, digest(b''))",
        ("ledger",),
    ),
}


def run(name: str, parts: Sequence[str]) -> int:
    """Prove a broken copy in the short form; its own exit code, and what it prints."""
    broken = BREAKS[name]
    wanted = [part for part in parts if part in broken.parts]
    with tempfile.TemporaryDirectory(prefix=f"broken-{name}-") as folder:
        copy = Path(folder)
        _copy(copy)
        _break(copy / broken.file, broken)
        print(f"a copy with {broken.file} broken ({name}):", file=sys.stderr, flush=True)
        words = ("-m", "tests.prove", "--short", "--parts", ",".join(wanted))
        # The copy first, before what is installed.
        environment = {**os.environ, "PYTHONPATH": str(copy)}
        return subprocess.run((sys.executable, *words), cwd=copy, env=environment).returncode


def _copy(to: Path) -> None:
    """What git knows of, as it is now."""
    listed = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        source = ROOT / name
        if source.is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            (to / name).write_bytes(source.read_bytes())


def _break(path: Path, broken: Break) -> None:
    text = path.read_text(encoding="utf-8")
    if text.count(broken.old) != 1:
        raise SystemExit(f"{path.name}: the line that is to be broken stands there no more")
    path.write_text(text.replace(broken.old, broken.new), encoding="utf-8")
