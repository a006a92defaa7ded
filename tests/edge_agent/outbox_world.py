"""Shared pieces of the outbox's and the uplink's tests: windows to store, children to kill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.records import Definitions, Quality, Window

RULES = Definitions(stop_s=5, engage_s=15, gap_s=2)
BOOT, NEXT_BOOT = "00000000000000aa", "00000000000000bb"
UNIT = "shelf-0042"
ROOT = Path(__file__).resolve().parents[2]


def window(minute: int, zone: str = "table", pass_bys: int = 1, **known: object) -> Window:
    """One minute at one zone."""
    values: dict[str, object] = {
        "zone": zone,
        "start": 1_700_000_040.0 + 60 * minute,
        "length_s": 60.0,
        "observed_s": 60.0,
        "clock": Quality.SYNCED,
        "definitions": RULES,
        "pass_bys": pass_bys,
        "stops": pass_bys,
        "dwell_s": 7.5 * pass_bys,
        **known,
    }
    return Window(**values)  # type: ignore[arg-type]  # the names above are its fields


@contextmanager
def child(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process of its own that is gone afterwards, whatever happens."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)
