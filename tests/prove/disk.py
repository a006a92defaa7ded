"""The disk as a power cut leaves it, from a journal of what was written and what was synced.

Pure but for reading the journal. The model is harsher than a journalling file system: what was not
synced may be gone or be there in any part and order, and a new name lasts only from its folder's
sync on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePath
from random import Random
from typing import Generic, TypeVar

# As journalled.c writes it: op, 0, length of the name, thread, inode, offset, length of the data.
_HEAD = struct.Struct("<cBHIQQI")
# What a disk writes whole or not at all, bytes.
SECTOR = 512
# SQLite's shared memory: made anew by whoever opens the database first.
_MEMORY = "-shm"


class Op(Enum):
    """What happened."""

    CREATE = b"C"
    FOLDER = b"D"
    WRITE = b"W"
    TRUNCATE = b"T"
    SYNC_BEGINS = b"B"
    SYNC_ENDS = b"E"
    RENAME = b"R"
    UNLINK = b"U"
    SEND = b"S"


class Fate(Enum):
    """What becomes of that which was not synced."""

    KEPT = "kept"
    DROPPED = "dropped"
    SCATTERED = "scattered"  # sector by sector, each kept by chance


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the journal.

    Args:
        op: what.
        thread: whose.
        inode: of the file or folder, 0 where ``names`` say it.
        offset: of a write, bytes; the length after a truncation.
        names: paths.
        data: what was written or sent.
    """

    op: Op
    thread: int = 0
    inode: int = 0
    offset: int = 0
    names: tuple[str, ...] = ()
    data: bytes = b""


def read_journal(path: Path) -> list[Note]:
    """All notes in the order in which they were made."""
    return list(_notes(path.read_bytes()))


def _notes(text: bytes) -> Iterator[Note]:
    at = 0
    while at < len(text):
        op, _, names, thread, inode, offset, length = _HEAD.unpack_from(text, at)
        middle = at + _HEAD.size + names
        told = tuple(text[at + _HEAD.size : middle].decode().split("\n")) if names else ()
        at = middle + length
        yield Note(Op(op), thread, inode, offset, told, text[middle:at])


@dataclass(frozen=True, slots=True)
class _Write:
    offset: int
    data: bytes

    def apply(self, content: bytearray) -> None:
        content.extend(bytes(max(0, self.offset - len(content))))
        content[self.offset : self.offset + len(self.data)] = self.data

    def sectors(self) -> Iterator[_Write]:
        at, end = self.offset, self.offset + len(self.data)
        while at < end:
            border = min(end, (at // SECTOR + 1) * SECTOR)
            yield _Write(at, self.data[at - self.offset : border - self.offset])
            at = border


@dataclass(frozen=True, slots=True)
class _Truncate:
    length: int

    def apply(self, content: bytearray) -> None:
        content.extend(bytes(max(0, self.length - len(content))))
        del content[self.length :]

    def sectors(self) -> Iterator[_Truncate]:
        yield self


@dataclass(frozen=True, slots=True)
class _Made:
    name: str
    file: _File

    def apply(self, names: dict[str, _File]) -> None:
        names[self.name] = self.file


@dataclass(frozen=True, slots=True)
class _Renamed:
    """A name that is another now, or none."""

    name: str
    now: str | None

    def apply(self, names: dict[str, _File]) -> None:
        file = names.pop(self.name, None)
        if file is not None and self.now is not None:
            names[self.now] = file


_Change = TypeVar("_Change")


class _Waiting(Generic[_Change]):
    """Changes in order, the first of which become durable by a sync."""

    def __init__(self) -> None:
        self.changes: list[_Change] = []
        self.noted = 0

    def add(self, change: _Change) -> None:
        self.changes.append(change)
        self.noted += 1

    def settle(self, noted: int) -> list[_Change]:
        """Those of the first so many ever noted that still wait."""
        count = max(0, noted - (self.noted - len(self.changes)))
        settled, self.changes = self.changes[:count], self.changes[count:]
        return settled


class _File(_Waiting[_Write | _Truncate]):
    """Bytes that last, and changes to them that wait."""

    def __init__(self) -> None:
        super().__init__()
        self.durable = bytearray()

    def synced(self, noted: int) -> None:
        for change in self.settle(noted):
            change.apply(self.durable)

    def content(self, fate: Fate, chance: Random) -> bytes:
        content = bytearray(self.durable)
        share = {Fate.KEPT: 1.0, Fate.DROPPED: 0.0, Fate.SCATTERED: chance.random()}[fate]
        for change in self.changes:
            for part in change.sectors():
                if chance.random() < share:
                    part.apply(content)
        return bytes(content)


class _Folder(_Waiting[_Made | _Renamed]):
    """Names that last, and changes to them that wait; ``now`` is what a process sees."""

    def __init__(self) -> None:
        super().__init__()
        self.durable: dict[str, _File] = {}
        self.now: dict[str, _File] = {}

    def change(self, change: _Made | _Renamed) -> None:
        change.apply(self.now)
        self.add(change)

    def synced(self, noted: int) -> None:
        for change in self.settle(noted):
            change.apply(self.durable)

    def names(self, fate: Fate, chance: Random) -> dict[str, _File]:
        """A journalling file system keeps them in order: the first so many changes are there."""
        names, waiting = dict(self.durable), len(self.changes)
        some = {Fate.KEPT: waiting, Fate.DROPPED: 0, Fate.SCATTERED: chance.randint(0, waiting)}
        for change in self.changes[: some[fate]]:
            change.apply(names)
        return names


class Disk:
    """What lies in some folders, synced or not, after each note."""

    def __init__(self) -> None:
        self._folders: dict[str, _Folder] = {}
        self._inodes: dict[int, _File | _Folder] = {}
        self._begun: dict[int, tuple[_File | _Folder, int]] = {}

    def take(self, note: Note) -> None:
        """Go on by one note."""
        if note.op in (Op.CREATE, Op.FOLDER, Op.RENAME, Op.UNLINK):
            self._name(note)
            return
        known = self._inodes.get(note.inode)
        if known is None:
            return
        if note.op is Op.SYNC_BEGINS:
            self._begun[note.thread] = (known, known.noted)
        elif note.op is Op.SYNC_ENDS:
            _, noted = self._begun.pop(note.thread)
            known.synced(noted)
        elif isinstance(known, _File):
            write = note.op is Op.WRITE
            known.add(_Write(note.offset, note.data) if write else _Truncate(note.offset))

    def files(self, folder: Path, fate: Fate, chance: Random) -> dict[str, bytes]:
        """What is found there after a power cut now, by name."""
        return {
            name: file.content(fate, chance)
            for name, file in self._folder(str(folder)).names(fate, chance).items()
            if not name.endswith(_MEMORY)
        }

    def _name(self, note: Note) -> None:
        first = PurePath(note.names[0])
        if note.op is Op.FOLDER:
            self._inodes[note.inode] = self._folder(str(first))
            return
        folder = self._folder(str(first.parent))
        if note.op is Op.UNLINK:
            folder.change(_Renamed(first.name, None))
        elif note.op is Op.RENAME:
            folder.change(_Renamed(first.name, PurePath(note.names[1]).name))
        elif folder.now.get(first.name) is not self._inodes.get(note.inode, folder):
            # Two that open it at once both say that they made it.
            file = self._inodes[note.inode] = _File()
            folder.change(_Made(first.name, file))

    def _folder(self, path: str) -> _Folder:
        return self._folders.setdefault(path, _Folder())
