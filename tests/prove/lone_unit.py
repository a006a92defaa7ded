"""One unit's folders and site file, and how its services are started in them."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[2]
FLOOR = [[0.4, 0.5], [0.8, 0.5], [0.8, 1.0], [0.4, 1.0]]
_TICK_S = 0.02
# Libraries keep silent where they take a machine for a test's; a unit is none.
_OF_TESTS = frozenset({"CI", "XDG_CACHE_HOME", "NOTIFY_SOCKET", "WATCHDOG_USEC"})


class LoneUnit:
    """A unit; a context manager that takes its temporary folder away.

    Args:
        folder: an empty one.
        camera: as in a site file.
        more: further keys of the site file.

    Attributes:
        state, run, home, temp: its folders, the last in RAM.
    """

    def __init__(self, folder: Path, camera: Mapping[str, Any], **more: Any) -> None:
        self.state, self.run, self.home = (folder / name for name in ("state", "run", "home"))
        for made in (self.state, self.run, self.home):
            made.mkdir(parents=True)
        self.temp = Path(tempfile.mkdtemp(prefix="prove-", dir="/dev/shm"))
        self._site = self.state / "site.yaml"
        values = {
            "unit": {"id": "unit-1"},
            "camera": dict(camera),
            "zones": [{"name": "table", "floor": FLOOR}],
            "privacy": {"k": 1, "window_s": 1},
            # Nobody listens on the port of discard.
            "uplink": {"broker": "mqtt://127.0.0.1:9"},
            **more,
        }
        self._site.write_text(json.dumps(values))

    def __enter__(self) -> LoneUnit:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.temp, ignore_errors=True)

    @property
    def folders(self) -> tuple[Path, ...]:
        """All that it may write to."""
        return self.state, self.run, self.temp, self.home

    @property
    def environ(self) -> dict[str, str]:
        """Of its services: this tree before whatever is installed, a unit's and no test's."""
        named = {key: value for key, value in os.environ.items() if key not in _OF_TESTS}
        ours = {"PYTHONPATH": str(TREE), "TMPDIR": str(self.temp), "HOME": str(self.home)}
        return {**named, **ours}

    def words(self, service: str, *module: str) -> tuple[str, ...]:
        """The command line of a service."""
        where = ("--site", str(self._site), "--state", str(self.state), "--run", str(self.run))
        program = ("-m", *(module or ("edge_agent",)))
        return (sys.executable, *program, service, *where)

    def health(self) -> dict[str, Any]:
        """What vision says of itself; nothing where it has not spoken yet."""
        try:
            told: dict[str, Any] = json.loads((self.run / "vision.health.json").read_text())
        except (OSError, ValueError):
            return {}
        return told


def until(true: Callable[[], object], what: str, timeout_s: float) -> float:
    """Wait until something holds.

    Returns:
        Seconds that it took.

    Raises:
        TimeoutError: it did not come to hold.
    """
    started = time.monotonic()
    tick = threading.Event()
    while not true():
        if time.monotonic() - started > timeout_s:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        tick.wait(_TICK_S)
    return time.monotonic() - started
