"""Find the joints of tracked people: a square around each box, prepare, run, decode.

The three steps are separate so that a bench can time them; the runtime comes in as a plain
callable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError
from edge_agent.manifest import Decoder, ModelEntry
from edge_agent.observations import Floats, Frame, Poses, Tracks
from edge_agent.tensor import InputTensor, PictureReader, Pixels

Run = Callable[[NDArray[Any]], list[NDArray[Any]]]
Direction = tuple[float, float]
Box = tuple[float, float, float, float]

# Room around a box, as fractions of its longer side. A detector's box ends at the trunk and cuts
# a raised or reaching arm off; an arm with its hand is 0.44 of a person's height (Drillis and
# Contini, 1966), some of which the box holds. Measured on people in an aisle, at a table and in
# photographs: this much costs 0.02 of the mean joint score, twice as much costs 0.04.
_ROUND = 0.08
_ABOVE = 0.15
_REACH = 0.25
# COCO's 17 joints, each y, x, score.
_OUTPUT = (1, 1, 17, 3)


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the frame that is square in pixels; it may hang over the frame's border.

    Args:
        left: of its left edge, fraction of the frame's width.
        top: of its upper edge, fraction of the frame's height.
        side: fraction of the frame's height.
    """

    left: float
    top: float
    side: float


def crop_for(box: Box, toward: Direction | None, frame_aspect: float) -> Region:
    """The square in which to look for a person's joints.

    Args:
        box: x0, y0, x1, y1 of the track, fractions of the frame.
        toward: unit vector in the picture (pixels, y down) from the person to the shelf; None
            gives the same room on both sides.
        frame_aspect: the frame's width / height.
    """
    left, right = box[0] * frame_aspect, box[2] * frame_aspect
    top, bottom = box[1], box[3]
    longer = max(right - left, bottom - top)
    across, down = toward or (0.0, 0.0)
    sideways = _REACH / 2 if toward is None else 0.0
    left -= longer * (_ROUND + max(sideways, -across * _REACH))
    right += longer * (_ROUND + max(sideways, across * _REACH))
    top -= longer * max(_ABOVE, _ROUND - down * _REACH)
    bottom += longer * (_ROUND + max(0.0, down * _REACH))
    side = max(right - left, bottom - top)
    # What the square has to spare lies half on each side, a little more towards the shelf.
    left -= (side - (right - left)) * (0.5 - across / 4)
    top -= (side - (bottom - top)) * (0.5 - down / 4)
    return Region(left / frame_aspect, top, side)


class MovenetPose:
    """MoveNet for a single person, one run per track.

    MoveNet's own way of cropping by the last joints is not used: shelf cameras often see neither
    feet nor hips, which it needs, and a track's box is there anyway.

    Args:
        entry: the model.
        runtime: runs it, `edge_agent.runtimes.Runtime` or anything called like it.
    """

    def __init__(self, entry: ModelEntry, runtime: Run) -> None:
        self.runtime = runtime
        self._name = entry.name
        self._width, self._height = entry.input.width, entry.input.height
        self._reader = PictureReader(entry.input.colour)
        self._tensor = InputTensor(entry.input)
        self._fitted: Pixels = np.empty((self._height, self._width, 3), np.uint8)

    def __call__(
        self,
        frame: Frame,
        tracks: Tracks,
        ids: Sequence[int],
        toward: Mapping[int, Direction | None],
    ) -> Poses:
        """The joints of the tracks named.

        Args:
            frame: the picture.
            tracks: the people in it.
            ids: whose joints to find, each one of ``tracks.ids``.
            toward: from each of them to the shelf, see `crop_for`; who is not in it has room on
                both sides.

        Returns:
            Joints in the order of ids. Some may lie outside the frame, with a low score.

        Raises:
            KeyError: an id is none of the tracks.
            ModelError: the model's output is not MoveNet's.
        """
        boxes = dict(zip(tracks.ids.tolist(), tracks.boxes.tolist(), strict=True))
        keypoints = np.empty((len(ids), *_OUTPUT[2:]))
        for row, track in enumerate(ids):
            region = crop_for(boxes[track], toward.get(track), frame.width / frame.height)
            keypoints[row] = self.decode(self.runtime(self.prepare(frame, region)), frame, region)
        return Poses(frame.t, np.array(ids, np.int64), keypoints)

    def prepare(self, frame: Frame, region: Region) -> NDArray[Any]:
        """The model's input: the region's pixels, padding where it hangs over the border.

        The array is the same one at each call.
        """
        left, top, side = _square(frame, region)
        x0, x1 = max(0, left), min(frame.width, left + side)
        y0, y1 = max(0, top), min(frame.height, top + side)
        if x1 - x0 < side or y1 - y0 < side:
            self._tensor.clear()
        # The same edges in the input.
        u0, u1 = (round((x - left) * self._width / side) for x in (x0, x1))
        v0, v1 = (round((y - top) * self._height / side) for y in (y0, y1))
        if u1 > u0 and v1 > v0:
            picture, colour = self._reader.read(frame)
            fitted = self._fitted[: v1 - v0, : u1 - u0]
            cv2.resize(picture[y0:y1, x0:x1], (u1 - u0, v1 - v0), dst=fitted)
            self._tensor.write(fitted, colour, u0, v0)
        return self._tensor.array

    def decode(self, outputs: list[NDArray[Any]], frame: Frame, region: Region) -> Floats:
        """The joints in the model's output.

        Args:
            outputs: one float32 [1, 1, 17, 3]: y, x, score, fractions of the region.
            frame: the frame that was prepared; only its size is read.
            region: the region that was prepared.

        Returns:
            float64 [17, 3]: x, y, score, fractions of the frame.
        """
        if outputs[0].shape != _OUTPUT:
            raise ModelError(
                f"model {self._name}: the output is {list(outputs[0].shape)}, MoveNet gives "
                f"{list(_OUTPUT)}; name another decoder in the manifest"
            )
        x0, y0, side = _square(frame, region)
        across, down = side / frame.width, side / frame.height
        left, top = x0 / frame.width, y0 / frame.height
        # Plain Python: with cold caches cheaper than three numpy calls on 51 numbers.
        return np.array(
            [
                (left + x * across, top + y * down, score)
                for y, x, score in outputs[0][0, 0].tolist()
            ]
        )


def build_pose(entry: ModelEntry, runtime: Run) -> MovenetPose:
    """The pose stage for the entry's decoder.

    Raises:
        ModelError: the model finds no joints in a crop.
    """
    if entry.decoder is not Decoder.MOVENET_SINGLE:
        raise ModelError(
            f"model {entry.name} finds no joints in a crop (decoder {entry.decoder.value}); "
            "name another in models.pose"
        )
    return MovenetPose(entry, runtime)


def _square(frame: Frame, region: Region) -> tuple[int, int, int]:
    """Left, top and side in whole pixels."""
    return (
        round(region.left * frame.width),
        round(region.top * frame.height),
        max(1, round(region.side * frame.height)),
    )
