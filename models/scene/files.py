"""The files of a rendered clip: how its site and its truth are written down."""

from __future__ import annotations

from typing import Any

import numpy as np
import yaml

from models.scene import truth
from models.scene.camera import Floats
from models.scene.shop import Shop
from models.scene.stage import Stage
from models.scene.story import Story
from models.scene.truth import ClipLabels
from models.scene.zones import SceneZone

CLIP, SITE, TRUTH, LABELS = "clip.mp4", "site.yaml", "truth.json", "labels.npz"
# Frames a second that the unit analyses, as a site file that says nothing else.
ANALYSED_FPS = 5.0
# Half a dozen people at four metres of shelf hide each other for longer than two seconds.
GAP_S = 5
_HEAD = "# A rendered shop (python -m models scene); k is 1 because nobody in it is real.\n"


def site_text(stage: Stage) -> str:
    """The site file: one zone a fixture, the built-in model."""
    zones = []
    for zone in stage.zones:
        written = _zone(zone, stage.shop)
        for facing in written["facings"]:
            facing["product"] = f"sku-{facing['name']}"
        zones.append(written)
    site = {
        "unit": {"id": f"scene-{stage.seed}", "tenant": "demo", "store": "store-1"},
        "camera": {"source": "file", "path": CLIP, "fps": ANALYSED_FPS},
        "zones": zones,
        "thresholds": {"gap_s": GAP_S},
        "privacy": {"k": 1, "window_s": 60},
    }
    return _HEAD + yaml.safe_dump(site, sort_keys=False, default_flow_style=None, width=100)


def truth_values(
    stage: Stage, story: Story, labels: ClipLabels, fps: float, frames: int
) -> dict[str, Any]:
    """What truth.json says.

    Args:
        stage: the shop.
        story: what happened in it.
        labels: of all frames.
        fps: frames a second.
        frames: how many.
    """
    staff = frozenset(t.person.number for t in story.tracks if t.person.staff)
    visits = [
        visit for zone in stage.zones for visit in truth.visits(labels, zone, fps, frames, staff)
    ]
    return {
        "clip": CLIP,
        "fps": fps,
        "size": list(stage.size),
        "duration_s": round(frames / fps, 3),
        "zones": [_zone(zone, stage.shop) for zone in stage.zones],
        "visits": sorted(visits, key=lambda visit: (visit["leave_s"], visit["enter_s"])),
        "reaches": truth.reaches(story, stage.shop, stage.zones),
        "events": truth.events(story, stage.shop, stage.zones),
        "stock": truth.stock(story, stage.shop, stage.zones),
        "tolerance_s": truth.TOLERANCE_S,
        "seed": stage.seed,
    }


def _zone(zone: SceneZone, shop: Shop) -> dict[str, Any]:
    return {
        "name": zone.name,
        "anchor": "feet",
        "floor": _points(zone.floor),
        "shelf": _points(zone.shelf),
        "facings": [
            {"name": shop.facings[index].name, "polygon": _points(corners)}
            for index, corners in zone.facings
        ],
    }


def _points(corners: Floats) -> list[list[float]]:
    return [[float(value) for value in point] for point in np.round(corners, 4).tolist()]
