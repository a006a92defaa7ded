"""Tells systemd that a service is ready and still works (sd_notify(3)): one datagram each.

A service is alive while the loop that does its work comes round. Nothing else may say so: a thread
of its own would go on while a model hangs. systemd ends a service that was silent for WatchdogSec
(with SIGABRT) and starts it again.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping

# Share of the time allowed after which it is told again; systemd asks for half or less.
_SHARE = 0.25


class Watchdog:
    """One service's word to systemd; silent where nobody listens.

    Args:
        address: of the socket, an abstract one with a leading @; None = there is none.
        allowed_s: silence that systemd allows; None = any.
    """

    def __init__(self, address: str | None, allowed_s: float | None) -> None:
        self._address = None if address is None else _named(address)
        self._every_s = float("inf") if allowed_s is None else allowed_s * _SHARE
        self._next_s = float("inf") if allowed_s is None else float("-inf")

    @classmethod
    def of(cls, environ: Mapping[str, str], pid: int) -> Watchdog:
        """As systemd says in a service's environment.

        Args:
            environ: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.
            pid: of this process; an environment that a parent left behind is another's.
        """
        address = environ.get("NOTIFY_SOCKET") or None
        allowed = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        timed = ours and allowed.isdecimal() and int(allowed) > 0
        return cls(address, int(allowed) / 1e6 if timed else None)

    def ready(self) -> None:
        """The service is set up; from now on its silence counts."""
        self._tell("READY=1")

    def beat(self, now: float) -> None:
        """The loop came round once more.

        Args:
            now: seconds, monotonic.
        """
        if now >= self._next_s:
            self._next_s = now + self._every_s
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """The service ends on purpose."""
        self._tell("STOPPING=1")

    def through(
        self, wait: Callable[[float], object], monotonic: Callable[[], float]
    ) -> Callable[[float], None]:
        """A wait that says meanwhile that all is well: who waits for a camera does not hang.

        Args:
            wait: waits so many seconds; true = there is no need to wait any longer.
            monotonic: what time it is, seconds.
        """

        def pause(seconds: float) -> None:
            end = monotonic() + seconds
            while (left := end - monotonic()) > 0:
                self.beat(monotonic())
                if wait(min(left, self._every_s)):
                    return

        return pause

    def _tell(self, word: str) -> None:
        if self._address is None:
            return
        # systemd that does not listen for a moment must not hold the counting up.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto(word.encode(), self._address)


def _named(address: str) -> str:
    return "\0" + address[1:] if address.startswith("@") else address
