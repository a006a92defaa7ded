"""Recordings whose truth is known, and the shipping pipeline on them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_agent.aggregates import Batch, Epoch
from edge_agent.bench.replay import Log, replay
from edge_agent.config import ModelsConfig, RuntimeConfig, Site, load_site, parse_site
from edge_agent.errors import InputError
from edge_agent.manifest import Manifest
from edge_agent.observations import Censored, ShelfEvent, Visit
from edge_agent.pipeline import build_pipeline, open_models, with_clip
from models.evaluate.candidate import entries_of

TRUTH, SITE = "truth.json", "site.yaml"
_OF_A_SITE = ("name", "anchor", "floor", "shelf", "facings")


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happens in a recording.

    Args:
        clip: the recording.
        visits: all of them; none where the file does not tell.
        values: the file's own values.
        source: the file.
    """

    clip: Path
    visits: tuple[Visit, ...]
    values: dict[str, Any]
    source: Path


def load_truth(path: Path) -> Truth:
    """Read truth.json, or the one in a folder.

    Raises:
        InputError: it cannot be read, or lacks the clip; says which.
    """
    source = path / TRUTH if path.is_dir() else path
    try:
        values = json.loads(source.read_text(encoding="utf-8"))
        visits = tuple(as_visit(one) for one in values.get("visits", ()))
        return Truth(source.parent / values["clip"], visits, values, source)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{source}: cannot be read as truth: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{source}: is no truth file: {error!r} is missing or wrong") from error


def as_visit(one: Mapping[str, Any]) -> Visit:
    """A visit as a truth file tells it.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    return Visit(
        one["zone"],
        float(one["enter_s"]),
        float(one["leave_s"]),
        censored=Censored(one.get("censored", "none")),
        staff=bool(one.get("staff", False)),
    )


def rendered(folder: Path, seconds: float, fps: float) -> Path:
    """The folder of a recording; where it is named by a seed and holds none yet, that shop's.

    Args:
        folder: of a recording, or where a shop is to be kept.
        seconds: how long a new one lasts.
        fps: its frames a second.
    """
    if folder.name.isdigit() and not (folder / TRUTH).exists():
        from models.scene.clip import Order, make

        make(Order(int(folder.name), seconds, fps, workers=1), folder)
    return folder


def site_for(truth: Truth, named: Path | None) -> Site:
    """The site that a recording is played by: the one named, the one beside it, or its zones'.

    Raises:
        ConfigError: the site has mistakes.
    """
    beside = truth.source.parent / SITE
    if named is not None or (truth.source.name == TRUTH and beside.is_file()):
        return load_site(named or beside)
    zones = [
        {key: zone[key] for key in _OF_A_SITE if key in zone}
        for zone in truth.values.get("zones", [])
    ]
    return parse_site({"unit": {"id": "truth"}, "zones": zones}, str(truth.source), Path())


def with_models(site: Site, name: str, manifest: Manifest, threads: int) -> Site:
    """The same site with the models that a name says, run as told, not as measured.

    Raises:
        ModelError: unknown, or of the wrong kind.
    """
    detector, pose = entries_of(name, manifest)
    models = ModelsConfig(detector.name, None if pose is None else pose.name)
    return replace(site, models=models, runtime=RuntimeConfig(threads))


def play(site: Site, clip: Path, fps: float | None = None) -> list[Visit | ShelfEvent]:
    """Run the shipping pipeline on a clip; returns all that it says.

    Args:
        site: the unit's.
        clip: the recording.
        fps: analysed frames a second; None = the site's.

    Raises:
        CameraError, ModelError: as for a unit.
    """
    site = with_clip(site, clip, fps, pace=0)
    pipeline = build_pipeline(site, Epoch(), open_models(site))
    log = _Kept(site)
    replay(site, pipeline, log, None)
    return log.events


class _Kept(Log):
    """Keeps what is found in place of writing it."""

    def __init__(self, site: Site) -> None:
        super().__init__(site, None, None)
        self.events: list[Visit | ShelfEvent] = []

    def write(self, events: Iterable[Visit | ShelfEvent], batches: Iterable[Batch]) -> None:
        """Keep what one frame gave."""
        self.events.extend(events)
        super().write((), batches)
