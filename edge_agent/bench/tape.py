"""What all that looks at pixels said of a recording, frame by frame: no pixels, so it may be kept.

Gzipped JSON lines. The first is ``{"v": 1, "size": [W, H]}``, then one for each analysed frame:
its time, the outlook, the detector's boxes and joints, whose hands a close look found past which
shelf (by the box that was looked at, for numbers of tracks are the tracker's), and of each shelf
what is other than the ground and what moves (run lengths, nothing first), and how far each facing
is from what was kept.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.config import Facing, Zone
from edge_agent.errors import InputError
from edge_agent.lookout import Lookout, Outlook
from edge_agent.observations import Blindness, Closeups, Detections, Frame, Hand, Tracks
from edge_agent.pipeline import Models
from edge_agent.pipeline.flow import FindsHands
from edge_agent.shelf import Eyes
from edge_agent.shelf.ground import Ground
from edge_agent.shelf.patch import Flags, Patch, Pixels
from edge_agent.shelf.plot import Apart, Plot

VERSION = 1
# A twentieth of a pixel of what a detector sees.
_DIGITS = 4

Line = dict[str, Any]


class Tape:
    """What was said of one frame, while it is recorded or played.

    Attributes:
        line: of the frame at hand.
        lines: of all frames begun so far.
        size: of the frames, width and height in pixels.
    """

    def __init__(self) -> None:
        self.line: Line = {}
        self.lines: list[Line] = []
        self.size = (0, 0)

    def begin(self, frame: Frame) -> None:
        """What is said from now on is of another frame."""
        self.line, self.size = {"t": round(frame.t, 6)}, (frame.width, frame.height)
        self.lines.append(self.line)

    def at(self, *names: str) -> Line:
        """The part of the line that belongs to a shelf, or to one of its facings."""
        part = self.line
        for name in names:
            part = part.setdefault(name, {})
        return part

    def told(self, part: Mapping[str, Any], name: str) -> Any:
        """What was recorded.

        Raises:
            InputError: it was not.
        """
        if name not in part:
            t = self.line["t"]
            raise InputError(f"at {t:g} s nobody recorded {name!r}: record the story anew")
        return part[name]


def read_tape(path: Path) -> tuple[tuple[int, int], list[Line]]:
    """A recording's frame size, and its lines.

    Raises:
        InputError: it cannot be read, or is of another version.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            head, *lines = [json.loads(line) for line in file]
        if head["v"] != VERSION:
            raise InputError(f"{path}: version {head['v']}, this reads {VERSION}; record it anew")
        return (head["size"][0], head["size"][1]), lines
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None


def write_tape(path: Path, size: tuple[int, int], lines: Sequence[Line]) -> None:
    """Write a recording; the same one gives the same bytes each time."""
    rows = [{"v": VERSION, "size": size}, *lines]
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


class TapedLookout(Lookout):
    """Looks, before all others, and records what it says."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self._tape = tape

    def look(self, frame: Frame) -> Outlook:
        """As `Lookout.look`."""
        self._tape.begin(frame)
        said = super().look(frame)
        if said.blind is not None:
            self._tape.line["outlook"] = [said.blind.value, said.shift]
        return said


class ToldLookout(Lookout):
    """Says what was recorded."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self._tape = tape

    def look(self, _frame: Frame) -> Outlook:
        """As it was said."""
        blind, shift = self._tape.line.get("outlook", (None, None))
        if blind is None:
            return Outlook()
        return Outlook(Blindness(blind), None if shift is None else (shift[0], shift[1]))


class TapedDetector:
    """Finds people, and records whom before the tracker has them.

    Args:
        models: whose detector does it.
        tape: gets it.
    """

    def __init__(self, models: Models, tape: Tape) -> None:
        assert models.detector is not None, "a recording is made of pictures"
        self._detector, self._tape = models.detector, tape
        self.runtime = models.detector.runtime
        self.input_size = models.detector.input_size
        self.prepare = models.detector.prepare

    def decode(self, outputs: list[NDArray[Any]], frame: Frame) -> Detections:
        """As the detector to four places, and record it."""
        found = self._detector.decode(outputs, frame)
        boxes, scores = found.boxes.round(_DIGITS), found.scores.round(_DIGITS)
        joints = None if found.keypoints is None else found.keypoints.round(_DIGITS)
        self._tape.line["boxes"] = np.concatenate([boxes, scores[:, None]], axis=1).tolist()
        if joints is not None:
            self._tape.line["joints"] = joints.tolist()
        # What is recorded goes on, so that the last bits decide nothing when it is played.
        return Detections(found.t, boxes, scores, joints)


class ToldDetector:
    """Finds whom was recorded."""

    input_size = (0, 0)

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.runtime: Callable[[NDArray[Any]], list[NDArray[Any]]] = lambda _: []

    def prepare(self, _frame: Frame) -> NDArray[Any]:
        """There is nothing to prepare."""
        return np.empty(0)

    def decode(self, _outputs: list[NDArray[Any]], frame: Frame) -> Detections:
        """As it was said."""
        line = self._tape.line
        rows = np.array(self._tape.told(line, "boxes"), np.float64).reshape(-1, 5)
        joints = line.get("joints")
        keypoints = None if joints is None else np.array(joints, np.float64).reshape(-1, 17, 3)
        return Detections(frame.t, rows[:, :4], rows[:, 4], keypoints)


class TapedReach:
    """Looks closely at hands, and records what it finds.

    Args:
        reach: does it.
        tape: gets it.
    """

    def __init__(self, reach: FindsHands, tape: Tape) -> None:
        self._reach, self._tape = reach, tape
        self.runtime = reach.runtime

    def __call__(self, frame: Frame, tracks: Tracks) -> Closeups:
        """As the model to four places, and record it."""
        boxes = dict(zip(tracks.ids.tolist(), tracks.boxes.round(_DIGITS).tolist(), strict=True))
        hands = self._tape.line["hands"] = {}
        for zone, found in self._reach(frame, tracks).hands.items():
            hands[zone] = [
                [
                    *boxes[one.track],
                    *(round(number, _DIGITS) for number in (*one.point, one.chance)),
                ]
                for one in found
            ]
        return _closeups(frame.t, hands, tracks)


class ToldReach:
    """Finds the hands that were recorded."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.runtime: Callable[[NDArray[Any]], list[NDArray[Any]]] = lambda _: []

    def __call__(self, frame: Frame, tracks: Tracks) -> Closeups:
        """As they were found."""
        return _closeups(frame.t, self._tape.told(self._tape.line, "hands"), tracks)


def _closeups(t: float, hands: Mapping[str, list[list[float]]], tracks: Tracks) -> Closeups:
    """Recorded hands, each given to the track whose box was looked at."""
    whose = {
        tuple(box): one
        for one, box in zip(tracks.ids.tolist(), tracks.boxes.round(_DIGITS).tolist(), strict=True)
    }
    return Closeups(
        t,
        {
            zone: tuple(
                Hand(whose[tuple(box)], (x, y), chance)
                for *box, x, y, chance in rows
                if tuple(box) in whose
            )
            for zone, rows in hands.items()
        },
    )


class TapedEyes(Eyes):
    """Look at shelves, and record what they say."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def ground(self, zone: Zone, patch: Patch) -> Ground:
        """Of one shelf."""
        return _TapedGround(patch, self._tape, zone.name)

    def plot(self, zone: Zone, facing: Facing, size: tuple[int, int]) -> Plot:
        """Of one facing."""
        return _TapedPlot(facing, size, self._tape, zone.name)


class ToldEyes(Eyes):
    """Say what was recorded."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def ground(self, zone: Zone, patch: Patch) -> Ground:
        """Of one shelf."""
        return _ToldGround(patch, self._tape, zone.name)

    def plot(self, zone: Zone, facing: Facing, size: tuple[int, int]) -> Plot:
        """Of one facing."""
        return _ToldPlot(facing, size, self._tape, zone.name)


class _TapedGround(Ground):
    def __init__(self, patch: Patch, tape: Tape, zone: str) -> None:
        super().__init__(patch)
        self._tape, self._zone = tape, zone

    def see(self, picture: Pixels) -> None:
        super().see(picture)
        self._tape.at("shelves", self._zone)["moving"] = _runs(self.moving)

    def compare(self, hidden: Flags) -> Flags:
        other = super().compare(hidden)
        self._tape.at("shelves", self._zone)["other"] = _runs(other)
        return other

    def unknown(self) -> Flags:
        unknown = super().unknown()
        if unknown.any():
            self._tape.at("shelves", self._zone)["unknown"] = _runs(unknown)
        return unknown

    def is_ghost(self, part: Flags) -> bool:
        ghost = super().is_ghost(part)
        self._tape.at("shelves", self._zone).setdefault("ghosts", []).append(ghost)
        return ghost


class _ToldGround(Ground):
    def __init__(self, patch: Patch, tape: Tape, zone: str) -> None:
        super().__init__(patch)
        self._shape = patch.shape
        self._tape, self._zone = tape, zone
        self._ghosts: Iterator[bool] = iter(())

    def see(self, _picture: Pixels) -> None:
        part = self._part()
        self.moving = self._flags(self._tape.told(part, "moving"))
        self._ghosts = iter(part.get("ghosts", ()))

    def compare(self, _hidden: Flags) -> Flags:
        return self._flags(self._tape.told(self._part(), "other"))

    def unknown(self) -> Flags:
        return self._flags(self._part().get("unknown", []))

    def is_ghost(self, _part: Flags) -> bool:
        # A watch that asks more often than it once did asks of things that it tells apart now.
        return next(self._ghosts, False)

    def learn(self, t: float, other: Flags) -> None:
        """What was learned shows in what was recorded."""

    def take_in(self, part: Flags) -> None:
        """As for `learn`."""

    def _part(self) -> Line:
        return self._tape.at("shelves", self._zone)

    def _flags(self, runs: Sequence[int]) -> Flags:
        flags = np.zeros(self._shape, np.bool_)
        ends = np.cumsum(runs)
        for start, end in zip(ends[::2], ends[1::2], strict=False):
            flags.ravel()[start:end] = True
        return flags


class _TapedPlot(Plot):
    def __init__(self, facing: Facing, size: tuple[int, int], tape: Tape, zone: str) -> None:
        super().__init__(facing.polygon, size)
        self._tape, self._names = tape, ("facings", zone, facing.name)

    def see(self, picture: Pixels) -> bool:
        still = super().see(picture)
        part = self._tape.at(*self._names)
        part["still"] = still
        part["contrast"] = round(super().contrast(), _DIGITS)
        if self._kept is not None:
            apart = super().apart()
            values = (apart.levels, apart.structure, apart.ring)
            part["apart"] = [round(value, _DIGITS) for value in values]
        return still


class _ToldPlot(Plot):
    def __init__(self, facing: Facing, size: tuple[int, int], tape: Tape, zone: str) -> None:
        super().__init__(facing.polygon, size)
        self._tape, self._names = tape, ("facings", zone, facing.name)

    def see(self, _picture: Pixels) -> bool:
        return bool(self._tape.told(self._tape.at(*self._names), "still"))

    def contrast(self) -> float:
        return float(self._tape.told(self._tape.at(*self._names), "contrast"))

    def apart(self) -> Apart:
        return Apart(*self._tape.told(self._tape.at(*self._names), "apart"))

    def keep(self) -> None:
        """What was kept shows in what was recorded."""

    def follow(self, share: float, all_of_it: bool) -> None:
        """As for `keep`."""


def _runs(flags: Flags) -> list[int]:
    """Lengths of runs, row by row, of what is not first; what ends it is left out."""
    flat = flags.ravel()
    edges = np.flatnonzero(np.diff(flat, prepend=False))
    ends = [*edges.tolist(), flat.size] if len(edges) % 2 else edges.tolist()
    runs: list[int] = np.diff([0, *ends]).tolist()
    return runs
