"""Two network namespaces joined by a cable: the unit's, and the shop's that answers it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

# Addresses that are nobody's: a private network that exists in the namespaces alone.
UNIT, GATEWAY = IPv4Address("10.77.0.2"), IPv4Address("10.77.0.1")
BROKER, NAMES, TIME = (IPv4Address(f"10.77.0.{last}") for last in (10, 53, 123))
UNIT_6, GATEWAY_6 = IPv6Address("fd77::2"), IPv6Address("fd77::1")
BROKER_NAME = "broker.shop.test"
BROKER_PORT = 1883
_CLONE_NEWNET = 0x40000000
_NAMES_OF = Path("/etc/netns")
# When nothing more can be read: end what runs in the namespaces, then these.
_SWEEP = f"""
cat > /dev/null
for name in "$@"; do
    ip netns pids "$name" 2> /dev/null | xargs -r kill -9
    ip netns delete "$name" 2> /dev/null
    rm -rf "{_NAMES_OF}/$name"
done
rmdir --ignore-fail-on-non-empty {_NAMES_OF} 2> /dev/null
exit 0
"""
_KEPT = ("PATH", "PYTHONPATH", "LANG", "OPENBLAS_NUM_THREADS")


@dataclass(slots=True)
class Cable:
    """Both namespaces, by name.

    Args:
        unit, shop: the namespaces.
        processes: what was started in them, newest last.
    """

    unit: str
    shop: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, namespace: str, log: Path, *words: str) -> subprocess.Popen[bytes]:
        """Start a program in a namespace; it is gone when the cable is.

        `ip netns exec` becomes the program itself, so that a signal meets that. Its variables are
        those of a unit: libraries that send reports keep quiet where a builder's are set.
        """
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        with log.open("ab") as into:
            process = subprocess.Popen(
                ("ip", "netns", "exec", namespace, *words),
                stdout=into, stderr=into, env={**environment, "HOME": str(log.parent)},
            )  # fmt: skip
        self.processes.append(process)
        return process

    def python(self, namespace: str, log: Path, *words: str) -> subprocess.Popen[bytes]:
        """Start one of our modules."""
        return self.start(namespace, log, sys.executable, "-m", *words)

    def plug(self) -> None:
        """Bring the unit's end up, with a way to anywhere: what wants out will be seen."""
        _ip("-n", self.unit, "link", "set", "eth0", "up")
        _ip("-n", self.unit, "route", "add", "default", "via", str(GATEWAY))
        _ip("-n", self.unit, "route", "add", "default", "via", str(GATEWAY_6))

    def end(self) -> None:
        """End what still runs."""
        for process in reversed(self.processes):
            if process.poll() is None:
                process.kill()
            process.wait(10)
        self.processes.clear()


def missing() -> tuple[str, ...]:
    """What has to be installed, or be, for `cable` to work; empty where all is there."""
    programs = {"ip": "iproute2", "dnsmasq": "dnsmasq-base", "mosquitto": "mosquitto"}
    lacking = [package for name, package in programs.items() if program(name) is None]
    return (*lacking, *(() if os.geteuid() == 0 else ("root",)))


def program(name: str) -> str | None:
    """Where a program is; those of an administrator are not on everybody's path."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


@contextmanager
def cable(folder: Path) -> Iterator[Cable]:
    """Make the namespaces; the unit's end is down until `Cable.plug`.

    The shop answers every address there is, so that a connection to anywhere meets somebody.
    """
    made = Cable(f"unit-{os.getpid()}", f"shop-{os.getpid()}")
    with ExitStack() as undo:
        undo.enter_context(_swept(made))
        _names(made.unit)
        for name in (made.unit, made.shop):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        undo.callback(made.end)
        _ip("link", "add", "eth0", "netns", made.unit, "type", "veth",
            "peer", "name", "eth0", "netns", made.shop)  # fmt: skip
        _address(made.unit, UNIT, UNIT_6)
        _address(made.shop, GATEWAY, GATEWAY_6)
        for address in (BROKER, NAMES, TIME):
            _ip("-n", made.shop, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", made.shop, "route", "add", "local", "0.0.0.0/0", "dev", "lo")
        _ip("-n", made.shop, "route", "add", "local", "::/0", "dev", "lo")
        _ip("-n", made.shop, "link", "set", "eth0", "up")
        yield made


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread in another namespace: a socket made there stays there."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(handle: int) -> None:
        if libc.setns(handle, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"{namespace} cannot be entered")

    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        enter(there)
        yield
    finally:
        enter(home)
        os.close(there)
        os.close(home)


def _address(namespace: str, four: IPv4Address, six: IPv6Address) -> None:
    _ip("-n", namespace, "address", "add", f"{four}/24", "dev", "eth0")
    _ip("-n", namespace, "address", "add", f"{six}/64", "dev", "eth0", "nodad")


@contextmanager
def _swept(made: Cable) -> Iterator[None]:
    """Namespaces outlive who makes them: somebody waits for our end, however it comes, and sweeps.

    Our end closes the pipe that the sweeper reads from.
    """
    with subprocess.Popen(
        ("sh", "-c", _SWEEP, "sweep", made.unit, made.shop),
        stdin=subprocess.PIPE, start_new_session=True,
    ) as sweeper:  # fmt: skip
        assert sweeper.stdin is not None
        try:
            yield
        finally:
            sweeper.stdin.close()
            sweeper.wait(20)


def _names(namespace: str) -> None:
    """Who resolves names there: ip-netns(8) shows this file as /etc/resolv.conf."""
    folder = _NAMES_OF / namespace
    folder.mkdir(parents=True)
    text = f"nameserver {NAMES}\nsearch .\noptions timeout:1 attempts:2\n"
    (folder / "resolv.conf").write_text(text)


def _ip(*words: str) -> None:
    done: Sequence[str] = ("ip", *words)
    told = subprocess.run(done, capture_output=True, text=True, timeout=20)
    if told.returncode != 0:
        raise OSError(f"{' '.join(done)}: {told.stderr.strip()}")
