"""Watches, for one service, that nothing image-like stays: at start, and once an hour."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from edge_agent.records import Trouble
from edge_agent.retention.memory import leaks, temporary
from edge_agent.retention.mounts import read_mounts, writable_folders

log = logging.getLogger("shelflight.retention")

EVERY_S = 3600.0
# A sweep that could not be done is tried again after this.
AGAIN_S = 60.0


class Sweeper(Protocol):
    """A sweep under way."""

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""

    def communicate(self) -> tuple[str, Any]:
        """What it said, once it is over."""

    def kill(self) -> None:
        """End it."""


def start_sweep(folders: Sequence[Path], spared: Sequence[Path]) -> Sweeper:
    """Start a sweep as a process of its own; see there why."""
    spare = [word for path in spared for word in ("--spare", str(path))]
    words = (sys.executable, "-m", "edge_agent.retention.sweep", *spare, *map(str, folders))
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


class Retention:
    """One service's watch.

    Args:
        own: the folders that the service was given: state, run.
        spared: files that are meant to be there: the recording that is played.
        environ: tells where temporary files go.
        start: starts a sweep of folders, sparing files.

    Attributes:
        troubles: what is wrong now.
    """

    def __init__(
        self,
        own: Sequence[Path],
        spared: Sequence[Path] = (),
        environ: Mapping[str, str] = os.environ,
        start: Callable[[Sequence[Path], Sequence[Path]], Sweeper] = start_sweep,
    ) -> None:
        self._own = own
        self._spared = spared
        self._temp = temporary(environ)
        self._start = start
        self._sweeper: Sweeper | None = None
        self._due_s = float("-inf")
        self._leaks: frozenset[Trouble] = frozenset()
        self._pictures = 0

    @property
    def troubles(self) -> frozenset[Trouble]:
        """What is wrong now, as far as it was looked at."""
        found = {Trouble.RETAINED_IMAGE} if self._pictures else set()
        return self._leaks | found

    def step(self, now: float) -> None:
        """Begin a look if it is time, or take what the one under way found.

        Args:
            now: seconds, monotonic.
        """
        if now >= self._due_s:
            self._begin(now)
        elif self._sweeper is not None and self._sweeper.poll() is not None:
            self._take(self._sweeper, now)

    def close(self) -> None:
        """End a sweep that is under way."""
        if self._sweeper is not None:
            self._sweeper.kill()
            self._sweeper.communicate()
            self._sweeper = None

    def _begin(self, now: float) -> None:
        if self._sweeper is not None:
            log.warning("a sweep for pictures took over %g s and is begun anew", EVERY_S)
            self.close()
        mounts = read_mounts()
        before, self._leaks = self._leaks, leaks(self._temp, mounts)
        for trouble in sorted(self._leaks - before, key=lambda trouble: trouble.value):
            log.warning("%s: %s", trouble.value, _REMEDIES[trouble])
        self._due_s = now + EVERY_S
        try:
            self._sweeper = self._start(writable_folders(self._own, mounts), self._spared)
        except OSError as error:
            self._failed(now, error.strerror or "it does not start")

    def _take(self, sweeper: Sweeper, now: float) -> None:
        self._sweeper = None
        said, _ = sweeper.communicate()
        if sweeper.poll() != 0:
            self._failed(now, f"exit {sweeper.poll()}")
            return
        found = json.loads(said)
        self._pictures = found["pictures"]
        for path, kind in found["told"]:
            log.error("%r holds a picture or a film (%s); a unit keeps none: delete it", path, kind)
        if self._pictures:
            log.error("%d of %d files hold one", self._pictures, found["files"])
        if not found["whole"]:
            log.warning("only the first %d files were looked at", found["files"])

    def _failed(self, now: float, why: str) -> None:
        self._due_s = now + AGAIN_S
        log.warning("storage could not be swept for pictures (%s); again in %g s", why, AGAIN_S)


_REMEDIES = {
    Trouble.CORE_DUMPS_ON: "a crash would write memory to storage; set LimitCORE=1",
    Trouble.SWAP_PLAIN: "memory can be swapped out in the clear; set MemorySwapMax=0 for this "
    "service, use zram, or encrypt the swap (see `cat /proc/swaps`)",
    Trouble.TEMP_ON_DISK: "temporary files go to storage; set TMPDIR to a folder of a tmpfs",
}
