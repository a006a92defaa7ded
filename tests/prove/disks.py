"""Disks of the test's own: a small one that fills up, and a card whose block layer is read."""

from __future__ import annotations

import contextlib
import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

_MIB = 1024 * 1024
# Of a block device's stat: how many sectors of 512 bytes were written.
_WRITTEN, _SECTOR = 6, 512


@contextlib.contextmanager
def small_disk(at: Path, kib: int) -> Iterator[Path]:
    """A file system in RAM that holds so little, mounted there."""
    at.mkdir(parents=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", str(at))
    try:
        yield at
    finally:
        _run("umount", "--lazy", str(at))


class Card:
    """An ext4 file system on a loop device, as an SD card has it.

    Attributes:
        path: where it is mounted.
    """

    def __init__(self, path: Path, device: str) -> None:
        self.path = path
        self._device = device
        # All of it now: made lazily, it would be written while somebody counts.
        lazy = "lazy_itable_init=0,lazy_journal_init=0"
        _run("mkfs.ext4", "-q", "-E", lazy, device)
        _run("mount", "-o", "noatime", device, str(path))
        self._mounted = True

    def settle(self) -> None:
        """Have the file system write what it holds back, as it would by itself within seconds."""
        _run("sync", "--file-system", str(self.path))

    def unmount(self) -> None:
        """Let go of it; what was held back is written. Once is enough."""
        if self._mounted:
            _run("umount", str(self.path))
        self._mounted = False

    def written(self) -> int:
        """Bytes that reached the device so far."""
        stat = Path("/sys/block", Path(self._device).name, "stat").read_text()
        return int(stat.split()[_WRITTEN]) * _SECTOR


@contextlib.contextmanager
def card(folder: Path, mib: int) -> Iterator[Card]:
    """Made, its blocks in RAM, mounted as systems mount theirs, and gone afterwards."""
    at = folder / "card"
    at.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        image = stack.enter_context(small_disk(folder / "blocks", (mib + 1) * 1024)) / "card.img"
        with image.open("wb") as file:
            file.truncate(mib * _MIB)
        device = _run("losetup", "--find", "--show", str(image))
        stack.callback(_run, "losetup", "--detach", device)
        one = Card(at, device)
        stack.callback(one.unmount)
        yield one


def fill(folder: Path) -> Path:
    """Take all the room there is; the file that took it."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        for size in (64 * 1024, 1024, 1):
            _write_until_full(file.write, b"x" * size)
    return filler


def _write_until_full(write: object, block: bytes) -> None:
    try:
        while write(block):  # type: ignore[operator]
            pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def _run(*words: str) -> str:
    """Run a system's program; what it says.

    Raises:
        RuntimeError: it failed; with what it says.
    """
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()} (is this run by root?)")
    return done.stdout.strip()
