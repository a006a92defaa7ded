"""What may leave a unit: anonymous counts, the birth and will, health, and the sink's receipts.

Every value is frozen, checked once when built, and encodes to JSON that the schemas in
``edge_agent/schemas`` describe. There is no other way out of a unit than `encode`.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from typing import Any, TypeVar

from edge_agent.errors import RecordError

VERSION = 1
# A definition of what is counted changes only with this number and a line in the changelog.
DEFINITIONS_VERSION = 2
# A window that holds less is dropped by no one; a message larger than this is refused by the sink.
MAX_PAYLOAD_BYTES = 64 * 1024
# Seconds since 1970 at the end of the year 9999, the last that calendars agree on.
_END_OF_TIME = 253_402_300_800.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_BOOT = re.compile(r"[0-9a-f]{16}")


class Quality(Enum):
    """How far a window's start can be trusted."""

    SYNCED = "synced"
    UNSYNCED = "unsynced"
    RECORDING = "recording"  # seconds of a recording, 0 = its first frame


class Trouble(Enum):
    """What a unit can say about its own state."""

    BOARD_HOT = "board_hot"  # fewer frames are analysed
    CAMERA_STALLED = "camera_stalled"
    CAMERA_ABSENT = "camera_absent"
    CAMERA_DARK = "camera_dark"  # these four: no data, for it does not see its place
    CAMERA_COVERED = "camera_covered"
    CAMERA_BLURRED = "camera_blurred"
    CAMERA_MOVED = "camera_moved"
    CLOCK_JUMPED = "clock_jumped"
    CLIP_TRUNCATED = "clip_truncated"
    OUTBOX_FULL = "outbox_full"
    OUTBOX_RESET = "outbox_reset"
    DISK_FULL = "disk_full"
    BROKER_ABSENT = "broker_absent"
    RECEIPTS_LATE = "receipts_late"


def is_name(text: str) -> bool:
    """Whether text can name a unit, tenant, store, zone or facing: it becomes part of a topic."""
    return _NAME.fullmatch(text) is not None


def topic(tenant: str, store: str, unit: str, leaf: str) -> str:
    """The MQTT topic of one unit's leaf: counts, state, health or cmd/NAME."""
    return f"shelflight/v1/{tenant}/{store}/{unit}/{leaf}"


@dataclass(frozen=True, slots=True)
class Definitions:
    """The rules that a window was counted by (seconds; k as in the contract's small counts)."""

    stop_s: float
    engage_s: float
    gap_s: float
    k: int = 1
    version: int = DEFINITIONS_VERSION


@dataclass(frozen=True, slots=True)
class Window:
    """What happened at one zone in one span of time.

    Args:
        zone: the zone's name.
        start: seconds since 1970 UTC, or of the recording where ``clock`` says so.
        length_s: how long it is, > 0.
        observed_s: seconds of it in which frames were analysed, 0..length_s.
        clock: how far ``start`` can be trusted.
        definitions: the rules it was counted by.
        pass_bys: visits that ended in it, stops and censored ones included.
        stops: those of at least ``stop_s``.
        engaged: those of at least ``engage_s`` or with a reach.
        reaches, picks, put_backs: None where the zone has no shelf, or no facings.
        dwell_s: seconds of dwell of the visits that are not censored.
        bridged_s: seconds within all visits' dwell that were bridged, not seen.
        censored: visits cut off at an end; they count in pass_bys.
        censored_dwell_s: what was seen of those, seconds.
        merged: how many windows of the configured length this one stands for.
    """

    zone: str
    start: float
    length_s: float
    observed_s: float
    clock: Quality
    definitions: Definitions
    pass_bys: int = 0
    stops: int = 0
    engaged: int = 0
    reaches: int | None = None
    picks: int | None = None
    put_backs: int | None = None
    dwell_s: float = 0.0
    bridged_s: float = 0.0
    censored: int = 0
    censored_dwell_s: float = 0.0
    merged: int = 1

    def __post_init__(self) -> None:
        if not is_name(self.zone):
            raise RecordError(f"window: zone {self.zone!r} is no name")
        if not 0 <= self.start < _END_OF_TIME:
            raise RecordError(f"window: start {self.start:g} is no time")
        if self.length_s <= 0 or not 0 <= self.observed_s <= self.length_s + 1e-6:
            raise RecordError(
                f"window: observed_s {self.observed_s:g} of length_s {self.length_s:g}"
            )
        if not 0 <= max(self.stops, self.engaged, self.censored) <= self.pass_bys:
            raise RecordError(f"window: more stops, engaged or censored than pass_bys: {self}")

    def joins(self, other: Window) -> bool:
        """Whether the two can be told as one: same zone, same rules, same kind of clock."""
        return (self.zone, self.definitions, self.clock) == (
            other.zone,
            other.definitions,
            other.clock,
        )

    def merge(self, other: Window) -> Window:
        """Both as one window from the first's start to the last's end; every sum is conserved."""
        first, last = sorted((self, other), key=lambda window: window.start)
        end = max(first.start + first.length_s, last.start + last.length_s)
        sums = {name: _add(getattr(first, name), getattr(last, name)) for name in _SUMMED}
        # Windows of one boot do not overlap; should two, what was observed must still fit.
        length_s = max(end - first.start, sums["observed_s"])
        return replace(first, length_s=length_s, **sums)


_SUMMED = (
    "observed_s", "pass_bys", "stops", "engaged", "reaches", "picks", "put_backs",
    "dwell_s", "bridged_s", "censored", "censored_dwell_s", "merged",
)  # fmt: skip


def fold(old: tuple[Window, ...], new: tuple[Window, ...]) -> tuple[Window, ...]:
    """Each new window merged into the latest old one that it joins, else put beside them."""
    folded = list(old)
    for window in new:
        for place in range(len(folded) - 1, -1, -1):
            if folded[place].joins(window):
                folded[place] = folded[place].merge(window)
                break
        else:
            folded.append(window)
    return tuple(folded)


def _add(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return a if b is None else b
    return a + b


@dataclass(frozen=True, slots=True)
class Counts:
    """One numbered message of counts: the row of the outbox, the unit of receipt.

    Args:
        unit: the unit's id.
        boot: 16 hex digits, drawn at each start of vision.
        seq: from 1 without gaps within a boot.
        windows: one or more.
    """

    unit: str
    boot: str
    seq: int
    windows: tuple[Window, ...]

    def __post_init__(self) -> None:
        if not is_name(self.unit):
            raise RecordError(f"counts: unit {self.unit!r} is no name")
        if not _BOOT.fullmatch(self.boot):
            raise RecordError(f"counts: boot {self.boot!r} is not 16 hex digits")
        if self.seq < 1 or not self.windows:
            raise RecordError(f"counts: seq {self.seq} with {len(self.windows)} windows")


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


T = TypeVar("T")
Record = Counts | State | Health | Receipt


def encode(record: Record) -> bytes:
    """The record as compact JSON; the only thing that the uplink can publish."""
    return json.dumps(
        {"v": VERSION, **asdict(record)}, separators=(",", ":"), default=_plain, allow_nan=False
    ).encode()


def decode_counts(payload: bytes) -> Counts:
    """Read a counts message.

    Raises:
        RecordError: not JSON, another version, a missing, unknown or impossible value.
    """
    known = _object(payload, "counts", Counts)
    windows = known.pop("windows", None)
    if not isinstance(windows, list):
        raise RecordError("counts: windows is no list")
    return _build(Counts, "counts", {**known, "windows": tuple(_window(w) for w in windows)})


def decode_receipt(payload: bytes) -> Receipt:
    """Read a receipt.

    Raises:
        RecordError: as for `decode_counts`.
    """
    known = _object(payload, "receipt", Receipt)
    try:
        have = tuple((int(first), int(last)) for first, last in known.pop("have", ()))
    except (TypeError, ValueError, OverflowError) as error:
        raise RecordError(f"receipt: have is not a list of spans: {error}") from None
    return _build(Receipt, "receipt", {**known, "have": have})


def decode_state(payload: bytes) -> State:
    """Read a birth or will.

    Raises:
        RecordError: as for `decode_counts`.
    """
    return _build(State, "state", _object(payload, "state", State))


def decode_health(payload: bytes) -> Health:
    """Read a health message or file.

    Raises:
        RecordError: as for `decode_counts`.
    """
    known = _object(payload, "health", Health)
    try:
        known["clock"] = Quality(known.get("clock"))
        known["troubles"] = tuple(Trouble(name) for name in known.get("troubles", ()))
        shift = known.get("shift")
        known["shift"] = None if shift is None else (float(shift[0]), float(shift[1]))
    except (IndexError, TypeError, ValueError) as error:
        raise RecordError(f"health: {error}") from None
    return _build(Health, "health", known)


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} may not leave a unit")


def _object(payload: bytes, what: str, kind: type) -> dict[str, Any]:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise RecordError(f"{what}: {len(payload)} bytes, at most {MAX_PAYLOAD_BYTES} are allowed")
    try:
        known = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{what}: not JSON: {error}") from None
    if not isinstance(known, dict):
        raise RecordError(f"{what}: not a JSON object")
    version = known.pop("v", None)
    if version != VERSION:
        raise RecordError(f"{what}: version {version!r}, this speaks {VERSION}")
    unknown = sorted(set(known) - {f.name for f in fields(kind)})
    if unknown:
        raise RecordError(f"{what}: unknown field {', '.join(unknown)}")
    return known


def _window(known: Any) -> Window:
    try:
        return Window(
            **{
                **known,
                "clock": Quality(known["clock"]),
                "definitions": Definitions(**known["definitions"]),
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"counts: a window does not fit: {error}") from None


def _build(kind: type[T], what: str, known: dict[str, Any]) -> T:
    try:
        return kind(**known)
    except TypeError as error:
        raise RecordError(f"{what}: {error}") from None
