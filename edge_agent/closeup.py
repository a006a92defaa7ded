"""A close look at somebody near a shelf: which of their hands are past its plane.

A detector sees the whole frame in few pixels; a hand is three of them there, and a joint's place
says little of its depth. A second network looks at each person near a shelf alone, in a square cut
from the frame as it came, with the shelf, its floor and the person's box drawn beside the picture
as planes of their own. It says where hands are past the plane, and how likely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.config import Zone
from edge_agent.errors import ModelError
from edge_agent.manifest import Colour, Decoder, ModelEntry
from edge_agent.observations import Closeups, Floats, Frame, Hand, Tracks
from edge_agent.tensor import PictureReader, Pixels

Run = Callable[[NDArray[Any]], list[NDArray[Any]]]
Points = NDArray[np.float64]

# Pixels of the square, and of the map of hands that comes out.
INPUT, MAP = 96, 24
# Blue, green, red, shelf, floor, body.
PLANES = 6
# The square's side is this share of the box's longer side, and begins so much of itself above the
# box: from over a raised hand down to the knees.
_SIDE, _ABOVE = 0.95, 0.17
# What lies outside the frame.
_GREY = 110
# Whose square shows less of the shelf than this is not near it; smaller squares show no hand.
_LEAST_SHELF, LEAST_PX = 0.01, 24
# Corners are drawn in sixteenths of a pixel.
_SHIFT = 4
# Two hands of one person are no nearer than so many cells, and there are two at most.
_APART, _HANDS = np.ones((7, 7), np.uint8), 2
# Below this chance nothing is said.
_LEAST_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Square:
    """A part of the frame, whole pixels; it may hang over the border."""

    left: int
    top: int
    side: int

    @classmethod
    def around(cls, box: Floats, size: tuple[int, int]) -> Square:
        """The one in which to look for somebody's hands.

        Args:
            box: float64 [4], x0 y0 x1 y1, fractions of the frame.
            size: of the frame, width and height in pixels.
        """
        x0, y0, x1, y1 = (box * np.tile(size, 2)).tolist()
        side = max(1.0, _SIDE * max(y1 - y0, x1 - x0))
        left, top = (x0 + x1 - side) / 2, y0 - _ABOVE * side
        return cls(round(left), round(top), max(1, round(side)))

    @property
    def scale(self) -> float:
        """Pixels of the input to one of the frame."""
        return INPUT / self.side

    def cut(self, picture: Pixels) -> Pixels:
        """That part of a BGR picture, uint8 [96, 96, 3]."""
        high, wide = picture.shape[:2]
        x0, x1 = max(0, self.left), min(wide, self.left + self.side)
        y0, y1 = max(0, self.top), min(high, self.top + self.side)
        made = np.full((INPUT, INPUT, 3), _GREY, np.uint8)
        u0, u1 = (round((x - self.left) * self.scale) for x in (x0, x1))
        v0, v1 = (round((y - self.top) * self.scale) for y in (y0, y1))
        if u1 > u0 and v1 > v0:
            how = cv2.INTER_AREA if self.side > INPUT else cv2.INTER_LINEAR
            part = cv2.resize(picture[y0:y1, x0:x1], (u1 - u0, v1 - v0), interpolation=how)
            made[v0:v1, u0:u1] = part
        return made

    def drawn(self, corners: Points) -> Pixels:
        """A polygon in the square, uint8 [96, 96], 255 inside.

        Args:
            corners: float64 [N, 2], pixels of the frame.
        """
        made = np.zeros((INPUT, INPUT), np.uint8)
        places = (corners - (self.left, self.top)) * self.scale * (1 << _SHIFT)
        if len(places):
            cv2.fillPoly(made, [places.round().astype(np.int32)], (255,), cv2.LINE_8, _SHIFT)
        return made


def corners_of(box: Floats) -> Points:
    """Of a box x0 y0 x1 y1, float64 [4, 2]."""
    x0, y0, x1, y1 = box.tolist()
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def near(shelf: Pixels) -> bool:
    """Whether a square that shows this of a shelf, as drawn, is near it."""
    return bool((shelf > 0).mean() > _LEAST_SHELF)


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A zone, its polygons as fractions of the frame [N, 2]; no floor = no rows."""

    name: str
    shelf: Points
    floor: Points


class Closeup:
    """Looks at everybody near a shelf.

    Args:
        entry: the model.
        runtime: runs it.
        zones: those without a shelf are left aside.
    """

    def __init__(self, entry: ModelEntry, runtime: Run, zones: Sequence[Zone]) -> None:
        self.runtime = runtime
        self._name = entry.name
        self._places = [
            _Place(
                zone.name,
                np.array(zone.shelf.points),
                np.empty((0, 2)) if zone.floor is None else np.array(zone.floor.points),
            )
            for zone in zones
            if zone.shelf is not None
        ]
        self._reader = PictureReader(Colour.BGR)

    def __call__(self, frame: Frame, tracks: Tracks) -> Closeups:
        """The hands that may be past a shelf's plane.

        Args:
            frame: the picture.
            tracks: the people in it.

        Raises:
            ModelError: the model's output is not what it should be.
        """
        hands: dict[str, tuple[Hand, ...]] = {place.name: () for place in self._places}
        if not (hands and len(tracks.ids)):
            return Closeups(frame.t, hands)
        picture, _ = self._reader.read(frame)
        size = (frame.width, frame.height)
        for identity, box in zip(tracks.ids.tolist(), tracks.boxes, strict=True):
            square = Square.around(box, size)
            if square.side < LEAST_PX:
                continue
            for place in self._places:
                shelf = square.drawn(place.shelf * size)
                if near(shelf):
                    tensor = self._prepare(picture, square, shelf, place, box)
                    found = self._decode(self.runtime(tensor), identity, square, size)
                    hands[place.name] += tuple(found)
        return Closeups(frame.t, hands)

    def _prepare(
        self, picture: Pixels, square: Square, shelf: Pixels, place: _Place, box: Floats
    ) -> NDArray[np.uint8]:
        size = np.array(picture.shape[1::-1])
        colours = square.cut(picture).transpose(2, 0, 1)
        drawn = [shelf, square.drawn(place.floor * size), square.drawn(corners_of(box) * size)]
        return np.concatenate([colours, drawn])[None]

    def _decode(
        self, outputs: list[NDArray[Any]], identity: int, square: Square, size: tuple[int, int]
    ) -> Iterator[Hand]:
        """The peaks of a map of logits, float32 [1, 24, 24]."""
        if outputs[0].shape != (1, MAP, MAP):
            raise ModelError(
                f"model {self._name}: the output is {list(outputs[0].shape)}, the decoder "
                f"{Decoder.REACH.value} takes {[1, MAP, MAP]}; name another in the manifest"
            )
        logits = outputs[0][0]
        peaks = np.argwhere(cv2.dilate(logits, _APART) <= logits)
        surest = sorted(((float(logits[y, x]), x, y) for y, x in peaks.tolist()), reverse=True)
        for logit, x, y in surest[:_HANDS]:
            chance = float(1 / (1 + np.exp(-logit)))
            if chance >= _LEAST_CHANCE:
                across = square.left + (x + 0.5) / MAP * square.side
                down = square.top + (y + 0.5) / MAP * square.side
                yield Hand(identity, (across / size[0], down / size[1]), chance)


def build_closeup(entry: ModelEntry, runtime: Run, zones: Sequence[Zone]) -> Closeup:
    """The stage for the entry's decoder.

    Raises:
        ModelError: the model does not look at hands near a shelf.
    """
    if entry.decoder is not Decoder.REACH:
        raise ModelError(
            f"model {entry.name} does not tell hands past a shelf (decoder "
            f"{entry.decoder.value}); name another in models.reach"
        )
    return Closeup(entry, runtime, zones)
