"""The clips that the budget is tried on: real footage cut together, or rendered scenes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.bench.arms import ALWAYS, GATED, SHIPPED, Known, Outcome, joined, play
from edge_agent.bench.footage import Cut, Footage, Recording, Stay, load_recording, plan, stays_of
from edge_agent.camera import open_camera
from edge_agent.clock import SystemClock
from edge_agent.config import ModelsConfig, RuntimeConfig, Site, load_site, parse_site
from edge_agent.errors import InputError
from edge_agent.observations import Frame
from edge_agent.pipeline import Models, open_models, with_clip

RECORDING = "table-visits"
# The table's top, where the hands go: it makes the unit look at the pose of who stands there.
_SHELF = [[0.50, 0.18], [0.69, 0.18], [0.69, 0.36], [0.50, 0.36]]

Advance = Callable[[float], None]
Arms = tuple[Outcome, Outcome, Outcome]


@dataclass(frozen=True, slots=True)
class Trial:
    """What the arms did.

    Args:
        true: the visits that were there.
        busy: share of the frames with shoppers.
        timed: always on, gate alone and as shipped, real models throughout.
        counted: always on and as shipped, over all visits.
    """

    true: tuple[Stay, ...]
    busy: float
    timed: Arms
    counted: tuple[Outcome, Outcome]


def try_footage(
    data: Path,
    models: ModelsConfig,
    runtime: RuntimeConfig,
    drawn: tuple[int, int, float, int],
    advance: Advance,
) -> Trial:
    """Real footage, cut together.

    Processor time is measured on the first visits, with real models on every frame that an arm
    asks for. Over all visits the gate sees every frame as well, with its own noise and light; the
    detector looks at each picture of the recording once, and both arms are told the same.

    Args:
        data: folder of test data.
        models: their names.
        runtime: how they are run.
        drawn: visits, those of them that are timed, share of time with shoppers, seed.
        advance: told the share of the work that is done.

    Raises:
        InputError: the footage is not there.
    """
    visits, timed, busy, seed = drawn
    truth = _truth(data / "footage" / f"{RECORDING}.truth.json")
    zones = [{**zone, "shelf": _SHELF} for zone in truth["zones"]]
    values = {"unit": {"id": "budget"}, "camera": {"fps": 5}, "zones": zones}
    site = replace(parse_site(values, "budget", data), models=models, runtime=runtime)
    opened = open_models(site)
    recording = load_recording(
        data / "footage" / f"{RECORDING}.mp4", truth, _size(opened, truth["size"])
    )
    fps = site.camera.fps
    rng = np.random.default_rng(seed)
    few = plan(recording, timed, busy, fps, rng)
    all_of_them = plan(recording, visits, busy, fps, rng)
    return Trial(
        true=tuple(all_of_them.stays),
        busy=few.busy,
        timed=_timed(site, opened, recording, few, lambda share: advance(share / 2)),
        counted=_counted(site, opened, recording, all_of_them, lambda s: advance((1 + s) / 2)),
    )


def try_scenes(
    folders: Sequence[Path], models: ModelsConfig, runtime: RuntimeConfig, advance: Advance
) -> Trial:
    """Rendered scenes, real models throughout.

    Args:
        folders: with clip.mp4, site.yaml and truth.json.
        models: their names.
        runtime: how they are run.
        advance: told the share of the work that is done.

    Raises:
        InputError: a folder is no scene.
    """
    true: list[Stay] = []
    start, busy_s = 0.0, 0.0
    found: list[Arms] = []
    for i, folder in enumerate(folders):
        truth = _truth(folder / "truth.json")
        site = with_clip(load_site(folder / "site.yaml"), folder / "clip.mp4", None, pace=0)
        site = replace(site, models=models, runtime=runtime)
        opened = open_models(site)
        arms = [
            play(site, opened, arm, _frames(site), poses=True) for arm in (ALWAYS, GATED, SHIPPED)
        ]
        found.append((arms[0], arms[1], arms[2]))
        true += [stay.later(start) for stay in stays_of(truth)]
        start += arms[0].seconds
        busy_s += arms[0].seconds * arms[0].peopled / arms[0].frames
        advance((i + 1) / len(folders))
    always, gated, shipped = (joined([arms[i] for arms in found]) for i in range(3))
    return Trial(tuple(true), busy_s / start, (always, gated, shipped), (always, shipped))


def _frames(site: Site) -> Iterator[Frame]:
    camera = open_camera(site.camera, SystemClock())
    try:
        while (frame := camera.read()) is not None:
            yield frame
    finally:
        camera.close()


def _truth(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); name the test data") from None
    return found


def _size(models: Models, picture: tuple[int, int]) -> tuple[int, int]:
    """What a unit's camera is asked for: the model's size in the picture's aspect, even."""
    assert models.detector is not None
    width, height = models.detector.input_size
    ratio = min(width / picture[0], height / picture[1])
    return 2 * round(picture[0] * ratio / 2), 2 * round(picture[1] * ratio / 2)


def _timed(site: Site, models: Models, recording: Recording, cut: Cut, advance: Advance) -> Arms:
    footage = Footage(recording, cut, site.camera.fps, np.random.default_rng(1))
    for _, frame in zip(range(3), footage.frames(), strict=False):
        play(site, models, ALWAYS, [frame], poses=True)  # warm
    found = [
        play(site, models, arm, _told(footage, cut, advance, i, 3), poses=True)
        for i, arm in enumerate((ALWAYS, GATED, SHIPPED))
    ]
    return found[0], found[1], found[2]


def _counted(
    site: Site, models: Models, recording: Recording, cut: Cut, advance: Advance
) -> tuple[Outcome, Outcome]:
    footage = Footage(recording, cut, site.camera.fps, np.random.default_rng(2))
    assert models.detector is not None
    known = Models(Known(models.detector, lambda: footage.picture), models.pose, models.reach)
    always = play(site, known, ALWAYS, _told(footage, cut, advance, 0, 2), poses=False)
    shipped = play(site, known, SHIPPED, _told(footage, cut, advance, 1, 2), poses=False)
    return always, shipped


def _told(footage: Footage, cut: Cut, advance: Advance, part: int, parts: int) -> Iterator[Frame]:
    for i, frame in enumerate(footage.frames()):
        yield frame
        advance((part + i / len(cut.pictures)) / parts)
