"""Keeps what is in memory there: no core dump, no swap that can be read, temporary files in RAM."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from edge_agent.records import Trouble
from edge_agent.retention.mounts import Mount, in_ram, read_mounts

# prctl(2).
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
# One byte, not none: a core of that size is never written to a file, and for a core_pattern that is
# a pipe 1 is the one value that the kernel heeds (core(5): "a limit of 1 is treated specially", in
# fs/coredump.c), so that a child (GStreamer holds pictures too) leaves nothing either.
_CORE_BYTES = 1
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - in RAM, which is what is asked for


def seal(run: Path, environ: MutableMapping[str, str] = os.environ) -> None:
    """Switch core dumps off for this process and its children, and put temporary files in RAM.

    Not dumpable, the process gives no core to anyone, whatever the machine's core_pattern says.

    Args:
        run: the folder of the health files, in RAM on a unit.
        environ: gets TMPDIR where another folder than the usual one is needed.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    most = _CORE_BYTES if hard == resource.RLIM_INFINITY else min(hard, _CORE_BYTES)
    with contextlib.suppress(OSError, ValueError):  # `leaks` tells what is not so
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    mounts = read_mounts()
    for folder in (temporary(environ), run, _SHARED_MEMORY):
        if in_ram(folder, mounts) and os.access(folder, os.W_OK):
            environ["TMPDIR"] = str(folder)
            return


def temporary(environ: Mapping[str, str]) -> Path:
    """Where temporary files go."""
    return Path(environ.get("TMPDIR") or "/tmp")  # noqa: S108 - what every program takes


def leaks(temp: Path, mounts: tuple[Mount, ...], root: Path = Path("/")) -> frozenset[Trouble]:
    """By which ways memory could reach storage now.

    Args:
        temp: where temporary files go.
        mounts: this process's.
        root: where /proc and /sys are looked for.
    """
    found = set()
    if dumps():
        found.add(Trouble.CORE_DUMPS_ON)
    if plain_swap(root):
        found.add(Trouble.SWAP_PLAIN)
    if not in_ram(temp, mounts):
        found.add(Trouble.TEMP_ON_DISK)
    return frozenset(found)


def dumps() -> bool:
    """Whether a crash of this process could leave a core."""
    soft, _ = resource.getrlimit(resource.RLIMIT_CORE)
    dumpable: int = ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)
    return not 0 <= soft <= _CORE_BYTES or dumpable != 0


def plain_swap(root: Path = Path("/")) -> bool:
    """Whether this process could be swapped out to storage in the clear."""
    lines = _text(root / "proc/swaps").splitlines()[1:]
    return any(_plain(line.split()[0], root) for line in lines if line) and not _kept(root)


def _plain(area: str, root: Path) -> bool:
    """Whether an area is neither RAM (zram that writes nothing back) nor encrypted (dm-crypt)."""
    block = root / "sys/class/block" / (root / area.lstrip("/")).resolve().name
    if block.name.startswith("zram"):
        return _text(block / "backing_dev").strip() not in ("", "none")
    return not _text(block / "dm/uuid").startswith("CRYPT-")


def _kept(root: Path) -> bool:
    """Whether a control group keeps this process out of swap (systemd's MemorySwapMax=0)."""
    groups = [line for line in _text(root / "proc/self/cgroup").splitlines() if "::" in line]
    if not groups:
        return False
    top = root / "sys/fs/cgroup"
    here = top / groups[0].partition("::")[2].lstrip("/")
    folders = [folder for folder in (here, *here.parents) if folder.is_relative_to(top)]
    return any(_text(folder / "memory.swap.max").strip() == "0" for folder in folders)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
