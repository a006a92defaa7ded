"""A small scene on disk, and models that see what they are told."""

from __future__ import annotations

import numpy as np

from edge_agent.observations import Detections, Poses
from models.evaluate.candidate import Candidate

SIZE = (64, 48)
TALL, LOW = (0.1, 0.1, 0.3, 0.9), (0.6, 0.5, 0.7, 0.6)
FRAMES = 6


def joints(box):
    """Shoulders and hips at a body's places, all else in the middle, all visible."""
    x0, y0, x1, y1 = box
    found = np.full((17, 3), 2.0)
    found[:, :2] = ((x0 + x1) / 2, (y0 + y1) / 2)
    found[5:7, :2] = [(x1, y0 + 0.2 * (y1 - y0)), (x0, y0 + 0.2 * (y1 - y0))]
    found[11:13, :2] = [(x1, y0 + 0.6 * (y1 - y0)), (x0, y0 + 0.6 * (y1 - y0))]
    return found


def write_labels(path, **changes):
    """In each frame a tall person and one who is 5 pixels high."""
    rows = [(number, who, box) for number in range(FRAMES) for who, box in enumerate((TALL, LOW))]
    arrays = {
        "frame": np.array([row[0] for row in rows], np.int32),
        "person": np.array([row[1] for row in rows], np.int32),
        "boxes": np.array([row[2] for row in rows], np.float32),
        "visible": np.ones(len(rows), np.float32),
        "keypoints": np.array([joints(row[2]) for row in rows], np.float32),
        "size": np.array(SIZE),
        "fps": np.array(10.0),
        **changes,
    }
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})


def write_clip(path, size=SIZE, frames=FRAMES):
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, size)
    for number in range(frames):
        writer.write(np.full((size[1], size[0], 3), 20 * number, np.uint8))
    writer.release()


def write_scene(folder, **changes):
    folder.mkdir(exist_ok=True)
    write_labels(folder / "labels.npz", **changes)
    write_clip(folder / "clip.mp4")
    return folder


class Sees:
    """A detector with a fixed opinion."""

    input_size = (64, 64)

    def __init__(self, *boxes, scores=None, keypoints=None):
        self.runtime = lambda tensor: [tensor]
        self.boxes = np.array(boxes).reshape(-1, 4)
        self.scores = np.array(scores or [0.9] * len(boxes))
        self.keypoints = keypoints

    def prepare(self, frame):
        return np.zeros(1)

    def decode(self, outputs, frame):
        return Detections(frame.t, self.boxes, self.scores, self.keypoints)


class Points:
    """A pose model that finds every joint `off` too far right."""

    def __init__(self, off=0.0):
        self.runtime = lambda tensor: [tensor]
        self.off = off

    def __call__(self, frame, tracks, ids, toward):
        found = np.array([joints(box) for box in tracks.boxes.tolist()]).reshape(-1, 17, 3)
        found[:, :, 0] += self.off
        found[:, :, 2] = 0.9
        return Poses(frame.t, np.array(ids), found)


def candidate(name, detector, pose=None):
    return Candidate(name, detector, pose, 0.2)
