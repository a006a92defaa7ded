"""Looks through folders for pictures and films: `python -m edge_agent.retention.sweep FOLDER …`.

A process of its own, and that is no matter of taste: closing any handle of a file drops all locks
that the process holds on it (POSIX), so a vision that read its own outbox would unlock it under
SQLite's hands ("How To Corrupt An SQLite Database File", section 2.2). Besides, no frame waits.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import signal
import stat
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.retention.signatures import OVERLAP, picture_in

# A folder of more files, or a longer file, is looked at so far.
MOST_FILES = 200_000
MOST_BYTES = 256 * 1024 * 1024
# Paths that are told, and how much of each: all of it fits into a pipe that nobody reads yet.
TOLD, _LONGEST = 20, 1000
_PART = 1024 * 1024
_PR_SET_PDEATHSIG = 1

Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """What a sweep found.

    Args:
        files: looked at.
        pictures: how many of them hold one.
        told: path and kind of the first of those.
        whole: nothing was left out for want of time.
    """

    files: int
    pictures: int
    told: tuple[tuple[str, str], ...]
    whole: bool


def sweep(folders: Sequence[Path], spared: Sequence[Path] = ()) -> Found:
    """Look through folders and all below them, on their own file systems, following no link.

    Args:
        folders: or single files.
        spared: files that are meant to be there: the recording that is played.
    """
    known = {_identity(os.stat(path)) for path in spared if path.exists()}
    files, pictures = 0, 0
    told: list[tuple[str, str]] = []
    for path, found in _files(folders):
        if files == MOST_FILES:
            return Found(files, pictures, tuple(told), False)
        if _identity(found) in known:
            continue
        known.add(_identity(found))
        files += 1
        kind = _kind(path)
        if kind is not None:
            pictures += 1
            if len(told) < TOLD:
                told.append((str(path)[-_LONGEST:], kind))
    return Found(files, pictures, tuple(told), True)


def _files(folders: Sequence[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    """Regular files; one folder is open at a time."""
    for top in folders:
        try:
            device = os.stat(top).st_dev
        except OSError:
            continue
        if top.is_file():
            yield top, os.stat(top)
        waiting = deque([top] if top.is_dir() else [])
        while waiting:
            for path, found in _entries(waiting.popleft()):
                if found.st_dev != device:
                    continue
                if stat.S_ISDIR(found.st_mode):
                    waiting.append(path)
                elif stat.S_ISREG(found.st_mode) and found.st_size:
                    yield path, found


def _entries(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    yield Path(entry.path), entry.stat(follow_symlinks=False)
                except OSError:  # it went meanwhile
                    continue
    except OSError:  # gone, or not ours to read: then it is not ours to write either
        return


def _kind(path: Path) -> str | None:
    try:
        handle = _open(path)
    except OSError:
        return None
    with os.fdopen(handle, "rb", buffering=0) as file:
        before = b""
        for start in range(0, MOST_BYTES, _PART):
            try:
                part = file.read(_PART)
            except OSError:
                return None
            if not part:
                return None
            kind = picture_in(before + part, start == 0)
            if kind is not None:
                return kind
            before = part[-OVERLAP:]
    return None


def _open(path: Path) -> int:
    """Open without following a link, waiting for a pipe, or (where allowed) a write of the time."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:  # only a file's owner may read it without a trace
        return os.open(path, flags)


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino


def main(words: Sequence[str]) -> int:
    """Sweep and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--spare", action="append", default=[], type=Path)
    args = parser.parse_args(words)
    # Ends with who asked, and gives way to everyone.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    with contextlib.suppress(OSError):  # a unit's filter of system calls may not allow it
        os.nice(19)
    found = sweep(args.folders, args.spare)
    print(
        json.dumps(
            {
                "files": found.files,
                "pictures": found.pictures,
                "told": found.told,
                "whole": found.whole,
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
