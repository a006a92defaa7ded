"""The values of a site file, frozen. How the file is read and checked is in `parse`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import ClassVar

from edge_agent.geometry import Polygon

# Analysed frames a second that make sense: below, visits fall between two frames.
MIN_FPS, MAX_FPS = 0.2, 60.0
# Frames between two looks of the detector that make sense at the highest rate.
MAX_EVERY = 30
# Rows of one message, and facings in all of them: what both come to fits into the 128 KiB that a
# message may have, whatever their names and counts.
MAX_ZONES, MAX_FACINGS = 64, 128


class Source(Enum):
    """Where frames come from."""

    FILE = "file"
    PICAMERA2 = "picamera2"
    V4L2 = "v4l2"
    GSTREAMER = "gstreamer"
    RECORDED = "recorded"  # what a detector said, without pixels: tests, soak runs, replays


class Anchor(Enum):
    """Which point of a shopper is tested against a floor polygon."""

    FEET = "feet"  # bottom centre of the box
    HEAD = "head"  # top centre of the box
    TORSO = "torso"  # middle of shoulders and hips, else of the box


class Tflite(Enum):
    """An interpreter of .tflite files."""

    LITERT = "litert"  # the distribution ai-edge-litert
    TFLITE_RUNTIME = "tflite-runtime"


@dataclass(frozen=True, slots=True)
class UnitConfig:
    """Who this unit is; the first three become the MQTT topic."""

    id: str
    tenant: str = "demo"
    store: str = "store-1"
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """Which camera, and how often a frame is analysed.

    Args:
        source: kind of camera.
        path: the clip (file), the recording (recorded) or the device (v4l2, /dev/video0).
        pipeline: the GStreamer source elements up to the raw video (gstreamer).
        fps: analysed frames a second.
        loop: of file: begin again at the end, for ever.
        pace: of file and recorded: 1 = as it was filmed, 20 = twenty times faster,
            0 = as fast as it goes.
        width, height: pixels asked of a live camera; None = what the model takes or the default.
        stall_s: without a frame for so long the camera counts as stalled.
    """

    source: Source = Source.FILE
    path: Path | None = None
    pipeline: str | None = None
    fps: float = 5.0
    pace: float = 1.0
    loop: bool = False
    width: int | None = None
    height: int | None = None
    stall_s: float = 2.0


@dataclass(frozen=True, slots=True)
class ModelsConfig:
    """Names from the manifest.

    Args:
        detector: None = the built-in model.
        pose: None = none; the built-in model finds joints itself.
        reach: what looks closely at hands near a shelf; None = the built-in one beside the
            built-in detector, none beside another; NOTHING = none.
    """

    detector: str | None = None
    pose: str | None = None
    reach: str | None = None

    NOTHING: ClassVar[str] = "none"


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """How models are run.

    Args:
        threads: of one inference. One by default: at 5 analysed frames a second it is fast enough
            and takes a third less of the processor than two (docs/decisions.md).
        providers: execution providers or delegates in order of preference, e.g. tensorrt, cuda,
            edgetpu; empty = the processor.
        tflite: which interpreter runs .tflite files; None = the first that is installed.
    """

    threads: int = 1
    providers: tuple[str, ...] = ()
    tflite: Tflite | None = None


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """What the unit saves of its processor, never at a visit's cost.

    Args:
        gate: the detector rests while nothing moves and nobody is there.
        look_s: it looks all the same after so many seconds.
        detect_every: it runs on every Nth analysed frame while somebody is there, twice a second
            at least; None (auto) = as often as what is going on asks for.
        cool: fewer frames are analysed while the board is hot.
    """

    gate: bool = True
    look_s: float = 5.0
    detect_every: int | None = None
    cool: bool = True


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Seconds that make a visit a stop, a shopper engaged, and a gap too long to bridge."""

    stop_s: float = 5.0
    engage_s: float = 15.0
    gap_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Facing:
    """One product's place on a shelf; its brand, a name as well, leaves the unit beside its own."""

    name: str
    polygon: Polygon
    brand: str | None = None
    product: str | None = None
    holds: int = 1  # products when full; from 2 its level is told


@dataclass(frozen=True, slots=True)
class Zone:
    """One fixture: where shoppers stand, where hands go, what lies there.

    With ``staff`` only staff stand there: who stood there for a stop is staff on every floor.
    """

    name: str
    anchor: Anchor = Anchor.FEET
    floor: Polygon | None = None
    shelf: Polygon | None = None
    facings: tuple[Facing, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    staff: bool = False


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """A shop's day, seconds since midnight of its own time; past midnight where ends are turned."""

    start_s: float
    end_s: float

    def hold(self, day_s: float) -> bool:
        """Whether the shop is open at that second of the day."""
        if self.start_s < self.end_s:
            return self.start_s <= day_s < self.end_s
        return not self.end_s <= day_s < self.start_s


@dataclass(frozen=True, slots=True)
class StaffRules:
    """What makes a visit one of staff; None = that does not.

    Args:
        open: begun outside of these hours.
        dwell_s: at least so long.
        put_backs: at least so many products put back, and more than were taken.
    """

    open: OpeningHours | None = None
    dwell_s: float | None = None
    put_backs: int | None = None


@dataclass(frozen=True, slots=True)
class Privacy:
    """Small counts and the length of a window.

    Args:
        k: a zone's window is told when its visits (reaches, without a floor) are none or at least
            so many; fewer wait for the next ones.
        window_s: seconds.
    """

    k: int = 5
    window_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Broker:
    """An MQTT address: mqtt://host:port, or mqtts:// with TLS."""

    host: str = "localhost"
    port: int = 1883
    tls: bool = False

    @property
    def url(self) -> str:
        """The address as a site file says it."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UplinkConfig:
    """How counts reach the broker.

    Args:
        broker: its address; None = not said (a desk run then embeds one).
        protocol: 5 or 3 (3.1.1).
        ca, cert, key: PEM files for mqtts.
        max_inflight: messages in the MQTT client's hands; the rest wait on disk.
        max_unreceipted: rows sent and not yet receipted by the sink; more wait.
        receipt_s: a row without a receipt for so long is sent again.
        backoff_s: the longest wait between two attempts to connect.
        keepalive_s: a link that is silent for so long is asked whether it is there, and given up
            when it stays silent for as long again; shorter where a router forgets idle links.
    """

    broker: Broker | None = None
    protocol: int = 5
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    max_inflight: int = 20
    max_unreceipted: int = 500
    receipt_s: float = 30.0
    backoff_s: float = 60.0
    keepalive_s: int = 30


@dataclass(frozen=True, slots=True)
class OutboxConfig:
    """How much the unit holds for a sink that is away: 20,000 windows of 60 s are 13 days."""

    max_rows: int = 20_000


@dataclass(frozen=True, slots=True)
class Site:
    """Everything about one unit."""

    unit: UnitConfig
    camera: CameraConfig = field(default_factory=CameraConfig)
    models: ModelsConfig = field(default_factory=ModelsConfig)
    # None = left out: as `models bench` found best on this board, else the defaults.
    runtime: RuntimeConfig | None = None
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    zones: tuple[Zone, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    staff: StaffRules = field(default_factory=StaffRules)
    privacy: Privacy = field(default_factory=Privacy)
    uplink: UplinkConfig = field(default_factory=UplinkConfig)
    outbox: OutboxConfig = field(default_factory=OutboxConfig)
