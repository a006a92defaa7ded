"""Rendered pictures to learn from, made once by several processes; what is made stays."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path

from models.scene.workers import lean
from models.train.examples import write_store

PART = 400
# Pictures of one shop: its walls and its cast take as long to make as ten pictures.
_MOMENTS = 20
# Of a part: wildly random stills; moments of clips, with all that people do there. The rest are
# plain stills: postures in places that no script leads to.
_STRONG, _SCRIPTED = 80, 220
# A stream of seeds for each seed of a recipe, a shop each.
_STREAM = 100_000


def render(
    folder: Path, seed: int, count: int, workers: int, report: Callable[[int], None]
) -> list[Path]:
    """Have at least count pictures in folder, a fifth of them strongly randomized.

    Args:
        folder: made if need be; whole parts in it are kept.
        seed: of the recipe.
        count: pictures, rounded up to parts of 400.
        workers: processes.
        report: told how many pictures are there, after each part.

    Returns:
        The parts' folders, in order.
    """
    parts = [folder / f"{number:04d}" for number in range(-(-count // PART))]
    missing = [part for part in parts if not (part / "done.json").exists()]
    made = (len(parts) - len(missing)) * PART
    report(made)
    jobs = [(part, seed * _STREAM + int(part.name) * PART) for part in missing]
    with lean() as context, ProcessPoolExecutor(workers, context) as pool:
        for _ in pool.map(_part, *zip(*jobs, strict=True)) if jobs else ():
            made += PART
            report(made)
    return parts


def _part(folder: Path, seed: int) -> None:
    # Imported by the worker: the renderer is no business of whoever only trains.
    import cv2

    from models.scene import sample, scenes

    cv2.setNumThreads(1)
    plain = sample.frames(seed, PART - _STRONG - _SCRIPTED, _MOMENTS, strong=False)
    strong = sample.frames(seed + PART // 2, _STRONG, _MOMENTS, strong=True)
    scripted = scenes.frames(seed, _SCRIPTED, _MOMENTS)
    write_store(folder, chain(plain, strong, scripted), PART)
