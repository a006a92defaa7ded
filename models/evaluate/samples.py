"""Pictures to score on, each with what is truly in it: rendered scenes, or a reference model."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import Progress

from edge_agent.camera.file import FileCamera
from edge_agent.clock import SystemClock
from edge_agent.config import MAX_FPS, CameraConfig, Source
from edge_agent.errors import InputError
from edge_agent.observations import Frame
from models.evaluate.candidate import Candidate
from models.evaluate.joints import VISIBLE
from models.evaluate.labels import Filter, load_labels
from models.evaluate.matching import People

CLIP, LABELS = "clip.mp4", "labels.npz"
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One picture.

    Args:
        frame: the picture.
        people: who is in it; None where only a reference model can say.
    """

    frame: Frame
    people: People | None


def add_sources(parser: argparse.ArgumentParser) -> None:
    """The options that say what to score on."""
    parser.add_argument(
        "--scene", type=Path, nargs="+", metavar="DIR",
        help="folders that `models scene` wrote (clip.mp4 and labels.npz): the truth is known",
    )  # fmt: skip
    parser.add_argument("--images", type=Path, metavar="DIR", help="a folder of photographs")
    parser.add_argument("--clip", type=Path, help="a recording")
    parser.add_argument(
        "--reference", metavar="NAME",
        help="the model that stands in for the truth of --images and --clip",
    )  # fmt: skip
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth frame")
    parser.add_argument(
        "--min-height", type=float, default=0.0, metavar="PX",
        help="people lower than this are neither missed nor false (default 0)",
    )  # fmt: skip
    parser.add_argument(
        "--min-visible", type=float, default=0.0, metavar="SHARE",
        help="the same for people less visible than this, 0..1 (default 0)",
    )  # fmt: skip
    parser.add_argument(
        "--score", type=float, default=0.3, help="working threshold of a person (default 0.3)"
    )
    parser.add_argument("--threads", type=int, default=1, help="of one inference (default 1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as last line")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE.png", help="draw the curves (needs matplotlib)"
    )


def filter_of(args: argparse.Namespace) -> Filter:
    """Who counts, by the options.

    Raises:
        InputError: a value is out of its range.
    """
    if not 0 <= args.min_visible <= 1 or args.min_height < 0:
        raise InputError("--min-visible is 0..1 and --min-height 0 or more pixels")
    if args.every < 1:
        raise InputError(f"--every is {args.every}; 1 or more is allowed")
    return Filter(args.min_height, args.min_visible)


def samples(args: argparse.Namespace) -> Iterator[Sample]:
    """Every picture that the options name, with a progress bar.

    A frame is valid only until the next one is asked for.

    Raises:
        InputError: nothing is named, or something of it cannot be read.
    """
    which = filter_of(args)
    if not (args.scene or args.images or args.clip):
        raise InputError(
            "name what to score on: --scene DIR..., or --images DIR or --clip CLIP "
            "with --reference NAME"
        )
    if (args.images or args.clip) and not args.reference:
        raise InputError("--images and --clip hold no truth: name a model with --reference")
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for folder in args.scene or ():
            task = progress.add_task(folder.name, total=None)
            for sample in _scene(folder, which, args.every):
                progress.advance(task)
                yield sample
        task = progress.add_task("pictures", total=None)
        for frame in _pictures(args):
            progress.advance(task)
            yield Sample(frame, None)


def truth_by(
    reference: Candidate, frame: Frame, score: float, which: Filter, joints: bool
) -> People:
    """What a reference model says of a frame, taken for the truth.

    Args:
        reference: the model.
        frame: the picture.
        score: people below it are none.
        which: who counts; only the height can be judged.
        joints: whether joints are wanted; those it does not believe itself are not labelled.
    """
    found = reference.people(frame).above(score)
    low = (found.boxes[:, 3] - found.boxes[:, 1]) * frame.height < which.min_height
    if not joints:
        return People(found.boxes, low)
    keypoints = reference.joints(frame, found).keypoints
    assert keypoints is not None
    labelled = keypoints.copy()
    labelled[:, :, 2] = np.where(keypoints[:, :, 2] >= reference.believed, VISIBLE, 0)
    return People(found.boxes, low, labelled)


def clip_frames(path: Path, fps: float = MAX_FPS) -> Iterator[Frame]:
    """A clip's frames, by the unit's own reader.

    Args:
        path: the clip.
        fps: frames a second that are wanted; by default every one.

    Raises:
        ClipError: it cannot be read.
    """
    camera = FileCamera(CameraConfig(Source.FILE, path, fps=fps, pace=0), SystemClock())
    try:
        while (frame := camera.read()) is not None:
            yield frame
    finally:
        camera.close()


def image_frames(folder: Path) -> Iterator[Frame]:
    """Every picture of a folder, by name.

    Raises:
        InputError: the folder holds none, or one is broken; names it.
    """
    paths = sorted(p for p in _listed(folder) if p.suffix.lower() in _PICTURES)
    if not paths:
        raise InputError(f"{folder} holds no pictures ({', '.join(_PICTURES)})")
    for path in paths:
        image = cv2.imread(str(path))
        if image is None:
            raise InputError(f"{path}: is no picture, or a broken one; take it out or mend it")
        height, width = image.shape[:2]
        yield Frame(np.asarray(image, np.uint8), 0.0, width, height)


def _scene(folder: Path, which: Filter, every: int) -> Iterator[Sample]:
    labels = load_labels(folder / LABELS)
    for frame in clip_frames(folder / CLIP):
        # By its time: a frame that cannot be decoded does not shift those after it.
        number = round(frame.t * labels.fps)
        if (frame.width, frame.height) != labels.size:
            raise InputError(
                f"{folder}: the clip is {frame.width}x{frame.height}, its labels are for "
                f"{labels.size[0]}x{labels.size[1]}; make both anew with `models scene`"
            )
        if number % every == 0:
            yield Sample(frame, labels.people(number, which))


def _pictures(args: argparse.Namespace) -> Iterator[Frame]:
    if args.images:
        yield from image_frames(args.images)
    if args.clip:
        for number, frame in enumerate(clip_frames(args.clip)):
            if number % args.every == 0:
                yield frame


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from error
