"""Camera to outbox: the only process that ever holds a picture."""

from __future__ import annotations

import gc
import logging
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

from edge_agent.aggregates import Batch
from edge_agent.camera import open_camera
from edge_agent.camera.pacing import Grid
from edge_agent.camera.recorded import open_recording
from edge_agent.clock import Clock, SystemClock
from edge_agent.config import Site, Source
from edge_agent.errors import CameraError, CameraStalled
from edge_agent.health import HealthFile
from edge_agent.heat import Heat, read_board
from edge_agent.journal import Journal, RecordsFile, Terms
from edge_agent.lookout import Lookout
from edge_agent.observations import Blindness, Detections, Frame
from edge_agent.pipeline import Pipeline, build_pipeline
from edge_agent.pipeline.anchor import SYNCED_S, Anchor
from edge_agent.records import Health, Quality, Trouble
from edge_agent.retention import Retention
from edge_agent.watchdog import Watchdog

log = logging.getLogger("shelflight.vision")

HEALTH_S = 2.0
# How often the clocks are compared.
CLOCK_S = 1.0
# While no time server has spoken rows are held back so long, to be timed right before they leave:
# a unit that has a network has the time in a minute or two.
HOLD_S = 900.0
# A camera that went away is tried again after this, doubling up to the most.
RETRY_S, RETRY_MOST_S = 1.0, 30.0
_RECORDINGS = frozenset({Source.FILE, Source.RECORDED})


class Eye(Protocol):
    """A camera, or a recording of what a detector once said."""

    def read(self) -> Frame | Detections | None:
        """The next one to analyse; None = the recording is over."""

    def close(self) -> None:
        """Let go of the device."""

    def troubles(self) -> frozenset[Trouble]:
        """What went wrong so far without ending it."""


def open_eye(site: Site, pipeline: Pipeline, clock: Clock) -> Eye:
    """The site's camera, asked for pictures of the model's size where it can give them."""
    if site.camera.source is Source.RECORDED:
        return open_recording(site.camera, clock)
    size = None if pipeline.detector is None else pipeline.detector.input_size
    return open_camera(site.camera, clock, size)


def anchor_of(site: Site, clock: Clock) -> Anchor:
    """How the source's seconds become those of a window.

    A recording played at another pace than it was filmed has no place in today's time: its windows
    keep the recording's own seconds and say so.
    """
    recording = site.camera.source in _RECORDINGS
    zero = clock.monotonic() if recording else 0.0
    return Anchor(clock, zero, recorded=recording and site.camera.pace != 1)


class Vision:
    """One unit's eyes.

    Args:
        site: its configuration.
        state: the folder of the outbox.
        run: the folder of the health file, in RAM on a unit.
        clock: time.
        records: where the published payloads are written too, for the bench.
        pause: waits so many seconds, or until the service is told to stop; None = the
            clock's own sleep.
        pipeline: the stages; None = as the site says.
        eye: opens the camera; None = as the site says.

    Raises:
        InputError: the models or the recording cannot be used.
    """

    def __init__(
        self,
        site: Site,
        state: Path,
        run: Path,
        clock: Clock,
        records: Path | None = None,
        pause: Callable[[float], object] | None = None,
        pipeline: Pipeline | None = None,
        eye: Callable[[], Eye] | None = None,
    ) -> None:
        self._site = site
        self._clock = clock
        self._health = HealthFile(run, "vision", log)
        self._started = clock.monotonic()
        self._live = site.camera.source not in _RECORDINGS
        self._anchor = anchor_of(site, clock)
        self._pipeline = pipeline or build_pipeline(
            site, self._anchor.epoch, lookout=Lookout(self._live)
        )
        self._pause = pause or clock.sleep
        self._open = eye or (lambda: open_eye(site, self._pipeline, clock))
        # What a recording gives must not hang on how warm it is where it is played.
        self._heat = Heat(site.camera.fps) if self._live and site.budget.cool else None
        self._grid: Grid | None = None
        self._journal = Journal(
            state / "outbox.db",
            Terms(site.unit.id, site.outbox.max_rows, site.privacy.k, site.uplink.max_unreceipted),
            clock.wall,
            RecordsFile(records) if records is not None else None,
            holding=self._live and self._anchor.epoch.quality is Quality.UNSYNCED,
        )
        self._clock_at = self._started
        self._eye: Eye | None = None
        self._retention: Retention | None = None
        self._camera_trouble: Trouble | None = None
        self._blind: Blindness | None = None
        self._seen_troubles: frozenset[Trouble] = frozenset()
        self._retry_s = RETRY_S
        self._analysed = 0
        self._told: tuple[float, int] = (self._started, 0)
        self._t: float | None = None

    def __enter__(self) -> Vision:
        return self

    def __exit__(self, *_: object) -> None:
        """Close open visits as cut off and commit the last window."""
        with self._journal:
            if self._t is not None:
                self._write(self._pipeline.finish(self._t).batches)
        if self._eye is not None:
            self._eye.close()
        self._report()

    def watch(self, retention: Retention) -> None:
        """Have it look that nothing image-like stays, and tell in health what it finds."""
        self._retention = retention

    def step(self) -> bool:
        """Analyse the next frame, or wait for a camera that is away; False at a recording's end."""
        self._set_clock()
        if self._retention is not None:
            self._retention.step(self._clock.monotonic())
        try:
            seen = self._look()
        except CameraError as error:
            self._lost(error)
            return True
        if seen is None:
            return False
        if self._grid is not None and not self._grid.due(seen.t):
            return True
        self._t = seen.t
        self._write(self._pipeline.step(seen).batches)
        self._analysed += 1
        self._camera_trouble = None
        self._retry_s = RETRY_S
        changed = self._pipeline.outlook.blind is not self._blind
        if changed or self._clock.monotonic() - self._told[0] >= HEALTH_S:
            self._report()
        return True

    def _look(self) -> Frame | Detections | None:
        if self._eye is None:
            self._eye = self._open()
            log.info("camera %s is open", self._site.camera.source.value)
        return self._eye.read()

    def _lost(self, error: CameraError) -> None:
        """Close what is open as cut off, say so once, and try the camera again after a while."""
        trouble = (
            Trouble.CAMERA_STALLED if isinstance(error, CameraStalled) else Trouble.CAMERA_ABSENT
        )
        if self._camera_trouble is None:
            log.error("%s; trying again every %g s at most", error, RETRY_MOST_S)
        self._camera_trouble = trouble
        # Told before anything else: to let go of a device that hangs takes seconds.
        self._report()
        if self._eye is not None:
            self._eye.close()
            self._eye = None
        if self._live and self._t is not None:
            self._write(self._pipeline.idle(self._clock.monotonic()).batches)
        self._pause(self._retry_s)
        self._retry_s = min(2 * self._retry_s, RETRY_MOST_S)

    def _set_clock(self) -> None:
        """Believe a time server's word, and time what was not sent yet by it."""
        now = self._clock.monotonic()
        if now < self._clock_at:
            return
        self._clock_at = now + CLOCK_S
        # A window reaches back to before the start.
        window_s = self._site.privacy.window_s
        told_s = 0.0 if self._journal.holding else now - self._started + window_s
        before, epoch = self._anchor.epoch, self._anchor.look(told_s)
        if epoch is not None:
            by_s = epoch.offset_s - before.offset_s
            log.info("the clock is set by a time server: %+.1f s", by_s)
            if before.quality is Quality.UNSYNCED:
                self._journal.correct(by_s, epoch.bound_s or SYNCED_S)
            self._pipeline.set_clock(epoch, self._anchor.now)
        elif self._journal.holding and now - self._started >= HOLD_S:
            log.warning("no time server after %g min: counts leave with the time as it is",
                        HOLD_S / 60)  # fmt: skip
            self._journal.let_go()

    def _feel(self) -> bool:
        """Step the analysed rate down or up with the board's heat; whether it is down."""
        if self._heat is None:
            return False
        before, fps = self._heat.fps, self._heat.feel(read_board())
        if fps != before:
            self._grid = Grid(fps) if self._heat.hot else None
            how = "hot" if self._heat.hot else "cool again"
            log.warning("the board is %s: %g frames a second are analysed", how, fps)
        return self._heat.hot

    def _write(self, batches: list[Batch]) -> None:
        for batch in batches:
            self._journal.write(batch)

    def _report(self) -> None:
        now = self._clock.monotonic()
        before, analysed = self._told
        self._told = (now, self._analysed)
        if self._eye is not None:
            self._seen_troubles = self._eye.troubles()
        troubles = {*self._seen_troubles, *self._journal.troubles}
        if self._camera_trouble is not None:
            troubles.add(self._camera_trouble)
        if self._retention is not None:
            troubles |= self._retention.troubles
        outlook = self._pipeline.outlook
        self._blind = outlook.blind
        if outlook.blind is not None:
            troubles.add(Trouble(f"camera_{outlook.blind.value}"))
        if self._feel():
            troubles.add(Trouble.BOARD_HOT)
        self._health.write(
            Health(
                unit=self._site.unit.id,
                at=self._clock.wall(),
                uptime_s=round(now - self._started, 3),
                clock=Quality.SYNCED if self._clock.synced() else Quality.UNSYNCED,
                boot=self._journal.boot,
                analysed=self._analysed,
                fps=round((self._analysed - analysed) / max(now - before, 1e-3), 2),
                merged=self._journal.merged,
                resets=self._journal.resets,
                shift=outlook.shift,
                carrying=self._journal.carrying,
                troubles=tuple(sorted(troubles, key=lambda trouble: trouble.value)),
            ),
        )


def main(
    site: Site,
    state: Path,
    stop: threading.Event,
    records: Path | None = None,
    clock: Clock | None = None,
    run: Path | None = None,
    retention: Retention | None = None,
) -> int:
    """Run until the recording is over or `stop` is set.

    Args:
        site: the unit's configuration.
        state: the folder of the outbox.
        stop: set it to end.
        records: where the published payloads are written too, for the bench.
        clock: time.
        run: the folder of the health file; None = ``state``.
        retention: looks that nothing image-like stays; None = nobody does, in a test.

    Returns:
        0.

    Raises:
        InputError: the models or the recording cannot be used.
    """
    run = run or state
    for folder in (state, run):
        folder.mkdir(parents=True, exist_ok=True)
    clock = clock or SystemClock()
    watchdog = Watchdog.of(os.environ, os.getpid())
    pause = watchdog.through(stop.wait, clock.monotonic)
    with ExitStack() as stack:
        vision = stack.enter_context(Vision(site, state, run, clock, records, pause))
        if retention is not None:
            vision.watch(stack.enter_context(closing(retention)))
        # What start-up made stays: without it a full collection is a fraction of a millisecond.
        gc.freeze()
        watchdog.ready()
        # Only this loop says that vision is alive: a model that hangs ends it.
        while not stop.is_set() and vision.step():
            watchdog.beat(clock.monotonic())
        watchdog.stopping()
    return 0
