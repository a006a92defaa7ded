"""The ``track`` command: the shipping tracker on MOTChallenge text."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from edge_agent.bench import mot
from edge_agent.observations import Detections, Floats
from edge_agent.tracker import Tracker, TrackerConfig

_NOTHING = mot.Boxes(np.empty(0, dtype=np.int64), np.empty((0, 4)), np.empty(0))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("detections", metavar="DET.txt", type=Path, help="MOTChallenge detections")
    parser.add_argument("--fps", type=_positive, required=True, help="frames a second of the file")
    parser.add_argument("--size", type=_size, required=True, metavar="WxH", help="picture, pixels")
    parser.add_argument("--every", type=_count, default=1, metavar="N", help="take each Nth frame")
    parser.add_argument("--out", type=Path, required=True, metavar="RES.txt", help="tracks")


def main(args: argparse.Namespace) -> int:
    """Track a file of detections.

    Raises:
        InputError: a file cannot be read or written, or a line is no row.
    """
    frames = mot.by_frame(mot.read(args.detections))
    mot.write(args.out, track(frames, args.fps, args.size, args.every))
    return 0


def track(
    frames: mot.Sequence,
    fps: float,
    size: tuple[int, int],
    every: int = 1,
) -> list[mot.Row]:
    """Identities for frames 1, 1 + every, 1 + 2 every, ... up to the last with a detection.

    Args:
        frames: detections; a frame that is absent had none and still takes its time.
        fps: of the numbering in ``frames``.
        size: width and height of the picture, pixels.
        every: how many frames to step.

    Returns:
        One row a track and frame in which it was matched, with the detection's own box. A track
        that was never confirmed is left out; one that was has rows from its first detection.
    """
    tracker = Tracker(TrackerConfig(aspect=size[0] / size[1]))
    scale = np.array([*size, *size], dtype=np.float64)
    rows: list[mot.Row] = []
    confirmed: set[int] = set()
    for frame in range(1, max(frames, default=0) + 1, every):
        found = frames.get(frame, _NOTHING)
        tracks = tracker.update(Detections((frame - 1) / fps, found.boxes / scale, found.scores))
        confirmed.update(tracks.ids[tracks.confirmed].tolist())
        rows += _rows(frame, tracks.ids.tolist(), tracks.boxes * scale, tracks.scores.tolist())
    return [row for row in rows if row.id in confirmed]


def _rows(frame: int, ids: list[int], boxes: Floats, scores: list[float]) -> list[mot.Row]:
    corners = boxes[:, :2].tolist()
    sizes = (boxes[:, 2:] - boxes[:, :2]).tolist()
    return [
        mot.Row(frame, who, (x, y, width, height), score)
        for who, (x, y), (width, height), score in zip(ids, corners, sizes, scores, strict=True)
    ]


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    width, by, height = text.partition("x")
    if not (by and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 1920x1080")
    return int(width), int(height)
