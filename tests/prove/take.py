"""A run of unit and sink of which every write, sync and receipt is journalled."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from edge_agent.records import Receipt, decode_receipt
from tests.prove.disk import Disk, Fate, Note, Op, read_journal
from tests.prove.rig import Plan, Rig, RigError, until

_SHIM = Path(__file__).with_name("journalled.c")
# The kind of packet, in the upper half of the first byte (MQTT 5, 2.1.2).
_PUBLISH = 3


@dataclass(frozen=True)
class Take:
    """What was recorded.

    Args:
        state, store, told: folders of the unit, of the sink and of what vision told.
        notes: all that happened in them, in order, and what was sent.
    """

    state: Path
    store: Path
    told: Path
    notes: list[Note]

    def disk(self, at: int) -> Disk:
        """The disk after so many notes."""
        disk = Disk()
        for note in self.notes[:at]:
            disk.take(note)
        return disk

    @cached_property
    def receipts(self) -> list[tuple[int, Receipt]]:
        """What the sink promised to units, with the number of notes at which it had."""
        found = enumerate(map(_receipt, self.notes), start=1)
        return [(at, receipt) for at, receipt in found if receipt is not None]

    def promised(self, at: int) -> list[Receipt]:
        """The receipts that were out after so many notes."""
        return [receipt for when, receipt in self.receipts if when <= at]

    def syncs(self, folder: Path) -> int:
        """How many syncs of that folder's files there were."""
        inodes = {
            note.inode
            for note in self.notes
            if note.op is Op.CREATE and Path(note.names[0]).parent == folder
        }
        return sum(note.op is Op.SYNC_ENDS and note.inode in inodes for note in self.notes)

    def differs(self) -> list[str]:
        """Files that are not as the journal says; to be asked before anybody else opens them."""
        disk, chance = self.disk(len(self.notes)), Random(0)
        return [
            f"{folder.name}/{name}"
            for folder in (self.state, self.store, self.told)
            for name, content in disk.files(folder, Fate.KEPT, chance).items()
            if not (folder / name).exists() or (folder / name).read_bytes() != content
        ]


def build_shim(folder: Path) -> Path:
    """Compile what journals.

    Raises:
        RigError: the compiler is missing, or does not take it.
    """
    library = folder / "journalled.so"
    words = ("-O1", "-shared", "-fPIC", "-o", str(library), str(_SHIM), "-ldl")
    try:
        done = subprocess.run(("gcc", *words), capture_output=True, timeout=60)
    except FileNotFoundError:
        raise RigError("no gcc: apt-get install gcc libc6-dev") from None
    if done.returncode:
        raise RigError(f"gcc {_SHIM.name}: {done.stderr.decode()[-300:]}")
    return library


def record_take(folder: Path, plan: Plan, library: Path, runner: Sequence[str]) -> Take:
    """Let a unit count twice through a recording of about 150 windows.

    The sink comes late, is killed and comes back; the uplink is killed; in the end all are.

    Args:
        folder: its own, made here.
        plan: what the unit is told.
        library: from `build_shim`.
        runner: as for `Rig`.
    """
    folder.mkdir()
    journal = folder / "journal"
    roots = ":".join(str(folder / name) for name in ("unit", "sink", "records"))
    watched = {"LD_PRELOAD": str(library), "JOURNAL_FILE": str(journal), "JOURNAL_ROOTS": roots}
    with Rig(folder, plan, runner, watched) as rig:
        _play(rig, journal)
        for name in tuple(rig.children):
            _kill(rig, name, journal)
        return Take(rig.state, rig.store, rig.told, read_journal(journal))


def _play(rig: Rig, journal: Path) -> None:
    rig.start_broker()
    rig.start_service("uplink")
    rig.start_vision()
    _counted(rig, 50)
    rig.start_sink()
    _counted(rig, 110)
    _kill(rig, "sink", journal)
    _counted(rig, 130)
    rig.start_sink()
    rig.finish("vision", 60, ask=False)
    # However slow the machine: about half of the run comes after a receipt.
    until(lambda: _promised(journal), "the sink sends a receipt")
    rows = len(rig.records())
    rig.start_vision()
    _counted(rig, rows + 60)
    _kill(rig, "uplink", journal)
    rig.start_service("uplink")
    rig.finish("vision", 60, ask=False)


@contextmanager
def _still(journal: Path) -> Iterator[None]:
    """Nobody is between a change and its note meanwhile."""
    with journal.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _promised(journal: Path) -> bool:
    with _still(journal):
        return any(map(_receipt, read_journal(journal)))


def _kill(rig: Rig, name: str, journal: Path) -> None:
    """Between two notes: a change that was made and not noted would be missing for ever."""
    with _still(journal):
        rig.kill(name)


def _counted(rig: Rig, rows: int) -> None:
    until(lambda: len(rig.records()) >= rows, f"{rows} windows counted")


def _receipt(note: Note) -> Receipt | None:
    if note.op is not Op.SEND or note.data[0] >> 4 != _PUBLISH or b"/cmd/ack" not in note.data:
        return None
    return decode_receipt(note.data[note.data.index(b"{") :])
