"""From a site's configuration to its pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edge_agent.aggregates import Aggregates, Epoch
from edge_agent.clock import time_of_day
from edge_agent.closeup import build_closeup
from edge_agent.config import MAX_FPS, MIN_FPS, Site, Source
from edge_agent.detector import build_detector
from edge_agent.errors import InputError
from edge_agent.gate import Gate
from edge_agent.lookout import Lookout
from edge_agent.manifest import Manifest, load
from edge_agent.pipeline.flow import Guard, Models, Pipeline
from edge_agent.pipeline.near import Near
from edge_agent.pipeline.runs import Runs
from edge_agent.pipeline.schedule import MOST_APART_S, Schedule
from edge_agent.pose import build_pose
from edge_agent.records import Quality
from edge_agent.shelf import Eyes, Shelves
from edge_agent.tracker import Tracker, TrackerConfig
from edge_agent.zones import Floors, Staff


def open_models(site: Site) -> Models:
    """Verify and load the models that the site names.

    Raises:
        ModelError: a model is unknown, missing, not the file it should be, or does not fit.
    """
    if site.camera.source is Source.RECORDED:
        return Models(None, None)
    manifest = load()
    runs = Runs(site, manifest)
    named = site.models
    detector = build_detector(*runs.open(named.detector or manifest.built_in.name))
    pose = None if named.pose is None else build_pose(*runs.open(named.pose))
    reach = _reach(site, manifest)
    if reach is None:
        return Models(detector, pose)
    return Models(detector, pose, build_closeup(*runs.open(reach), site.zones))


def _reach(site: Site, manifest: Manifest) -> str | None:
    """The model that looks closely at hands; None = none does."""
    named = site.models
    if not any(zone.shelf is not None for zone in site.zones) or named.reach == named.NOTHING:
        return None
    if named.reach is not None:
        return named.reach
    # It has learnt from the boxes and the pictures that the built-in detector has learnt from.
    beside = manifest.built_in_reach
    if beside is None or named.detector not in (None, manifest.built_in.name):
        return None
    return beside.name


def build_pipeline(
    site: Site,
    epoch: Epoch,
    models: Models | None = None,
    lookout: Lookout | None = None,
    eyes: Eyes | None = None,
) -> Pipeline:
    """Put the stages in a row, with nothing seen yet.

    Args:
        site: the configuration.
        epoch: what turns the source's time into that of a window.
        models: opened already; None = open those of the site.
        lookout: another than the usual, such as a recording of one.
        eyes: of the shelves, as for `lookout`.

    Raises:
        ConfigError, ModelError: as for `open_models`.
    """
    models = models or open_models(site)
    frame_s = 1 / site.camera.fps
    # The detector may leave frames out, and a hot board does: as far apart as they can be.
    interval_s = max(frame_s, MOST_APART_S)
    gaps_s = [zone.thresholds.gap_s for zone in site.zones]
    # As long as a gap may be bridged, and a few frames at least where those are far apart.
    lost_s = max(TrackerConfig().lost_s, 3 * interval_s, *gaps_s)
    aggregates = Aggregates(site.zones, site.privacy.window_s, frame_s, epoch)
    return Pipeline(
        models=models,
        near=Near(site.zones),
        tracker=lambda aspect: Tracker(TrackerConfig(aspect=aspect, lost_s=lost_s)),
        shelves=Shelves(site.zones, eyes),
        floors=Floors(
            site.zones, interval_s, Staff(site.staff, opening(site, lambda: aggregates.epoch))
        ),
        aggregates=aggregates,
        guard=Guard(lookout or Lookout(), Gate() if site.budget.gate else None),
        schedule=Schedule(site.budget, interval_s, lost_s),
    )


def opening(site: Site, epoch: Callable[[], Epoch]) -> Callable[[float], bool]:
    """Whether the site's shop is open at a second of the source's clock.

    Always, where no hours are given or the time of day is not known: a clock that is hours off
    would make staff of a whole day's customers.

    Args:
        site: its hours and time zone are read.
        epoch: tells the time of day by the source's clock as it is known now.
    """
    hours = site.staff.open
    if hours is None:
        return lambda _t: True

    def is_open(t: float) -> bool:
        known = epoch()
        if known.quality is not Quality.SYNCED:
            return True
        return hours.hold(time_of_day(t + known.offset_s, site.unit.timezone))

    return is_open


def with_clip(site: Site, clip: Path, fps: float | None, pace: float) -> Site:
    """The same site, looking at a recording.

    Raises:
        InputError: no such rate.
    """
    if fps is not None and not MIN_FPS <= fps <= MAX_FPS:
        raise InputError(f"--fps is {fps:g}; {MIN_FPS:g}..{MAX_FPS:g} is allowed")
    camera = replace(
        site.camera,
        source=Source.FILE,
        path=clip,
        fps=fps or site.camera.fps,
        pace=pace,
        loop=False,
    )
    return replace(site, camera=camera)
