"""What is scored: a detector, or a detector and a pose model, by the unit's own code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.detector import build_detector
from edge_agent.errors import ModelError
from edge_agent.manifest import Manifest, ModelEntry, model_path, verify
from edge_agent.observations import Frame, Tracks
from edge_agent.pipeline.flow import FindsJoints, FindsPeople
from edge_agent.pose import build_pose
from edge_agent.runtimes import Runtime, open_runtime
from models.evaluate.matching import Found

_JOIN = "+"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Models under test.

    Args:
        name: as the command line says it: DETECTOR or DETECTOR+POSE.
        detector: finds people, and joints if it can.
        pose: finds joints in boxes; None = the detector's, if any.
        believed: a joint with a lower score is not to be believed, 0..1.
    """

    name: str
    detector: FindsPeople
    pose: FindsJoints | None
    believed: float

    def people(self, frame: Frame) -> Found:
        """The people of a frame, best first, with joints if the detector gives them."""
        tensor = self.detector.prepare(frame)
        seen = self.detector.decode(self.detector.runtime(tensor), frame)
        order = np.argsort(-seen.scores, kind="stable")
        joints = None if seen.keypoints is None else seen.keypoints[order]
        return Found(seen.boxes[order], seen.scores[order], joints)

    def joints(self, frame: Frame, found: Found) -> Found:
        """The same people with joints: of the pose model, which looks into each box.

        Raises:
            ModelError: neither model finds joints.
        """
        if self.pose is None:
            if found.keypoints is None:
                raise ModelError(
                    f"{self.name} finds no joints; add a pose model, as in "
                    f"{self.name}{_JOIN}movenet-lightning-int8"
                )
            return found
        return look_into(self.pose, frame, found)


def look_into(pose: FindsJoints, frame: Frame, found: Found) -> Found:
    """The same people with the joints that a pose model finds in each box."""
    ids = np.arange(len(found.boxes))
    tracks = Tracks(frame.t, ids, found.boxes, found.scores, np.ones(len(ids), bool))
    poses = pose(frame, tracks, ids.tolist(), {})
    return Found(found.boxes, found.scores, poses.keypoints)


def open_candidates(names: Sequence[str], manifest: Manifest, threads: int) -> list[Candidate]:
    """Verify and load what the names say; every name is looked up before any is loaded.

    Raises:
        ModelError: unknown, missing, not the file it should be, or of the wrong kind.
    """
    entries = [entries_of(name, manifest) for name in dict.fromkeys(names)]
    return [_open(some, threads) for some in entries]


def entries_of(name: str, manifest: Manifest) -> tuple[ModelEntry, ModelEntry | None]:
    """The detector and the pose model that a name stands for.

    Raises:
        ModelError: unknown, or of the wrong kind.
    """
    first, *rest = name.split(_JOIN)
    if len(rest) > 1:
        raise ModelError(f"{name}: one detector and at most one pose model, DETECTOR+POSE")
    detector = manifest.get(first)
    if not detector.finds_people:
        raise ModelError(
            f"{name}: {first} finds nobody in a picture; name a detector first, as in "
            f"yolox-nano{_JOIN}{first}"
        )
    pose = manifest.get(rest[0]) if rest else None
    if pose is not None and not pose.finds_joints:
        raise ModelError(
            f"{name}: {pose.name} finds no joints; name a pose model after the {_JOIN}"
        )
    return detector, pose


def _open(entries: tuple[ModelEntry, ModelEntry | None], threads: int) -> Candidate:
    detector, pose = entries
    finds = None if pose is None else build_pose(*_load(pose, threads))
    return Candidate(
        _JOIN.join(entry.name for entry in entries if entry is not None),
        build_detector(*_load(detector, threads)),
        finds,
        (pose or detector).limits.score,
    )


def _load(entry: ModelEntry, threads: int) -> tuple[ModelEntry, Runtime]:
    path = model_path(entry)
    verify(entry, path)
    return entry, open_runtime(entry, path, threads)
