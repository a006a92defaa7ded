"""What is mounted where: which folders a process may write, and which of them are in RAM."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TABLE = Path("/proc/self/mountinfo")
_RAM = frozenset({"tmpfs", "ramfs"})
# The kernel's own: nothing that is written there stays.
_KERNEL = frozenset(
    {
        "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts",
        "devtmpfs", "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore",
        "rpc_pipefs", "securityfs", "sysfs", "tracefs",
    }
)  # fmt: skip
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the table.

    Args:
        point: where.
        kind: of file system.
        writable: neither the mount nor its file system is read-only.
    """

    point: Path
    kind: str
    writable: bool


def read_mounts(table: Path = TABLE) -> tuple[Mount, ...]:
    """This process's own mounts (mountinfo of proc(5)), in the order of mounting."""
    try:
        lines = table.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ()
    return tuple(_mount(line) for line in lines if " - " in line)


def in_ram(folder: Path, mounts: Sequence[Mount]) -> bool:
    """Whether what is written there is gone without power; False where that is not known."""
    there = folder.resolve()
    over = [mount for mount in mounts if there.is_relative_to(mount.point)]
    # Of two mounts on one point the later hides the earlier.
    deepest = max(over, key=lambda mount: len(mount.point.parts), default=None)
    if deepest is None:
        return False
    return [m for m in over if m.point == deepest.point][-1].kind in _RAM


def writable_folders(own: Iterable[Path], mounts: Sequence[Mount]) -> tuple[Path, ...]:
    """Where a process may leave a file.

    A unit's service finds the root read-only (systemd's ProtectSystem=strict): all that is mounted
    writable is then its own. Where the root can be written, on a desk, the other folders are other
    people's, and only those that the service was given count.

    Args:
        own: folders that the service was given.
        mounts: as `read_mounts` gives them.
    """
    found = [folder.resolve() for folder in own]
    root = [mount for mount in mounts if mount.point == Path("/")]
    if root and not root[-1].writable:
        found += [m.point for m in mounts if m.writable and m.kind not in _KERNEL]
    return tuple(dict.fromkeys(found))


def _mount(line: str) -> Mount:
    left, _, right = line.partition(" - ")
    fields, (kind, *rest) = left.split(), right.split()
    point = _ESCAPE.sub(lambda found: chr(int(found[1], 8)), fields[4])
    options = {*fields[5].split(","), *(rest[-1].split(",") if rest else ())}
    return Mount(Path(point), kind, "ro" not in options)
