"""The messages: numbered counts, birth and will, health, and the sink's receipts."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from enum import Enum

from edge_agent.errors import RecordError
from edge_agent.records.names import is_name
from edge_agent.records.window import Quality, Window

_BOOT = re.compile(r"[0-9a-f]{16}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Trouble(Enum):
    """What a unit can say about its own state."""

    BOARD_HOT = "board_hot"  # fewer frames are analysed
    CAMERA_STALLED = "camera_stalled"
    CAMERA_ABSENT = "camera_absent"
    CAMERA_DARK = "camera_dark"  # these five: no data, for it does not see its place
    CAMERA_COVERED = "camera_covered"
    CAMERA_BLURRED = "camera_blurred"
    CAMERA_MOVED = "camera_moved"
    CAMERA_FROZEN = "camera_frozen"
    CLOCK_JUMPED = "clock_jumped"
    CLIP_TRUNCATED = "clip_truncated"
    OUTBOX_FULL = "outbox_full"
    OUTBOX_RESET = "outbox_reset"
    DISK_FULL = "disk_full"
    BROKER_ABSENT = "broker_absent"
    RECEIPTS_LATE = "receipts_late"
    RETAINED_IMAGE = "retained_image"  # a picture lies on storage; these three: one could get there
    CORE_DUMPS_ON = "core_dumps_on"
    SWAP_PLAIN = "swap_plain"
    TEMP_ON_DISK = "temp_on_disk"


@dataclass(frozen=True, slots=True)
class Counts:
    """One numbered message of counts: the row of the outbox, the unit of receipt.

    Args:
        unit: the unit's id.
        boot: 16 hex digits, drawn at each start of vision.
        seq: from 1 without gaps within a boot.
        windows: one or more.
        prev: SHA-256 of the payload before it, of whatever boot, as 64 hex digits: the chain of the
            unit's ledger; None = the first of an outbox, or of an older unit.
    """

    unit: str
    boot: str
    seq: int
    windows: tuple[Window, ...]
    prev: str | None = None

    def __post_init__(self) -> None:
        if not is_name(self.unit):
            raise RecordError(f"counts: unit {self.unit!r} is no name")
        if not _BOOT.fullmatch(self.boot):
            raise RecordError(f"counts: boot {self.boot!r} is not 16 hex digits")
        if self.seq < 1 or not self.windows:
            raise RecordError(f"counts: seq {self.seq} with {len(self.windows)} windows")
        if self.prev is not None and not _DIGEST.fullmatch(self.prev):
            raise RecordError(f"counts: prev {self.prev!r} is no SHA-256")


@dataclass(frozen=True, slots=True)
class Head:
    """How far a unit's ledger goes: what the sink holds must have the same digest.

    Args:
        boot, seq: the newest message that the sink has receipted with all before it.
        digest: SHA-256 of its payload, 64 hex digits; through each message's ``prev`` it stands for
            every message before.
    """

    boot: str
    seq: int
    digest: str

    def __post_init__(self) -> None:
        if not (_BOOT.fullmatch(self.boot) and self.seq >= 1 and _DIGEST.fullmatch(self.digest)):
            raise RecordError(f"ledger: no head: {self}")


@dataclass(frozen=True, slots=True)
class State:
    """The retained birth (online) and will (offline) of a unit's link.

    A will can be delivered long after the next birth; the one with the higher session stands.
    """

    unit: str
    session: int
    online: bool


@dataclass(frozen=True, slots=True)
class Health:
    """How one service of a unit, or the whole unit, is doing.

    Args:
        unit: the unit's id.
        at: seconds since 1970 UTC by the unit's clock.
        uptime_s: since the service started.
        boot: vision's boot id, None from a service that has none.
        analysed: frames analysed since start.
        fps: analysed frames a second of late, None where not measured.
        waiting: rows of the outbox without a receipt.
        merged: windows merged for want of room since start.
        resets: outboxes set aside since start.
        clock: quality of the wall clock.
        shift: of a moved camera, how far the picture went right and down, fractions of its width
            and height; None where it did not, or nothing of the place is left.
        troubles: what is wrong now.
        ledger: the head of the ledger; None from a service that does not know it.
        carrying: zones of which fewer than k visits wait to be told; None as for ``ledger``.
    """

    unit: str
    at: float
    uptime_s: float
    clock: Quality
    boot: str | None = None
    analysed: int | None = None
    fps: float | None = None
    waiting: int | None = None
    merged: int | None = None
    resets: int | None = None
    shift: tuple[float, float] | None = None
    troubles: tuple[Trouble, ...] = ()
    ledger: Head | None = None
    carrying: tuple[str, ...] | None = None

    def join(self, other: Health) -> Health:
        """Two services of one unit as one: the newer wins, what it does not know is kept."""
        old, new = sorted((self, other), key=lambda health: health.at)
        known = {f.name: getattr(new, f.name) for f in fields(new)}
        known = {name: value for name, value in known.items() if value is not None}
        troubles = tuple(sorted({*old.troubles, *new.troubles}, key=lambda trouble: trouble.value))
        uptime = min(old.uptime_s, new.uptime_s)
        return replace(old, **{**known, "troubles": troubles, "uptime_s": uptime})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sink holds durably of one boot, sent to ``cmd/ack`` after its commit.

    Args:
        boot: the boot.
        seq: every row up to this one is held; 0 when the first is missing.
        have: further spans held, each (first, last), ascending and apart: a sink that lost its
            store, or a row put aside, must not hold up what came after (as selective
            acknowledgement does for TCP, RFC 2018).
    """

    boot: str
    seq: int
    have: tuple[tuple[int, int], ...] = ()

    def covers(self, seq: int) -> bool:
        """Whether the sink holds that row."""
        return seq <= self.seq or any(first <= seq <= last for first, last in self.have)
