"""What systemd does for a service of Type=notify with WatchdogSec and Restart=on-failure.

Where the proofs run there is no systemd to be had; this speaks its protocol (sd_notify(3)) and
keeps its rules (systemd.service(5)): silence counts from READY=1 on, a silent service gets SIGABRT,
then SIGKILL, and is started anew.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# TimeoutAbortSec, much shorter than systemd's 90 s.
_ABORT_S = 5.0
_LOOK_S = 0.05


@dataclass
class Told:
    """What happened, times in seconds.

    Args:
        ready: when each start became ready.
        pings: when each sign of life came.
        silent: when each silence was too long.
        exits: how each run ended.
    """

    ready: list[float] = field(default_factory=list)
    pings: list[float] = field(default_factory=list)
    silent: list[float] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)


class StandInSystemd:
    """One service, kept alive; a context manager.

    Args:
        words: its command line.
        watchdog_s: how long it may be silent.
        log: where it writes to.
        environ: its environment, less what systemd adds.
        cwd: its folder.
    """

    def __init__(
        self,
        words: Sequence[str],
        watchdog_s: float,
        log: Path,
        environ: Mapping[str, str],
        cwd: Path,
    ) -> None:
        self._words, self._cwd, self._log = words, cwd, log
        self._watchdog_s = watchdog_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # An abstract name that the kernel chooses: there is nothing to clean up.
        self._socket.bind("")
        self._socket.settimeout(_LOOK_S)
        self._environ = {
            **environ,
            "NOTIFY_SOCKET": "@" + self._socket.getsockname()[1:].decode(),
            "WATCHDOG_USEC": str(round(watchdog_s * 1e6)),
        }
        self.told = Told()
        self._over = threading.Event()
        self.child = self._start()
        self._thread = threading.Thread(target=self._run, name="stand-in systemd", daemon=True)
        self._thread.start()

    def __enter__(self) -> StandInSystemd:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(20)
        self._end(signal.SIGTERM)
        self._socket.close()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._words, stdout=log, stderr=log, env=self._environ, cwd=self._cwd
            )

    def _run(self) -> None:
        alive: float | None = None  # None = not ready: nothing is counted yet
        while not self._over.is_set():
            word = self._hear()
            now = time.monotonic()
            if word == "READY=1":
                self.told.ready.append(now)
                alive = now
            elif word == "WATCHDOG=1":
                self.told.pings.append(now)
                alive = now
            elif alive is not None and now - alive > self._watchdog_s:
                self.told.silent.append(now)
                self._end(signal.SIGABRT)
            if self.child.poll() is not None and not self._over.is_set():
                self.told.exits.append(self.child.returncode)
                alive = None
                self.child = self._start()

    def _hear(self) -> str | None:
        try:
            said = self._socket.recv(256)
        except TimeoutError:
            return None
        return said.decode()

    def _end(self, number: int) -> None:
        if self.child.poll() is None:
            os.kill(self.child.pid, number)
            try:
                self.child.wait(_ABORT_S)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
