"""The shelves of a unit: what hands do there."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.config import Zone
from edge_agent.manifest import Colour
from edge_agent.observations import Closeups, Frame, Poses, ShelfEvent, Tracks
from edge_agent.shelf.eyes import Eyes
from edge_agent.shelf.joints import Joints
from edge_agent.shelf.people import People
from edge_agent.shelf.shelf import Shelf
from edge_agent.tensor import PictureReader

# So long after the last movement a shelf is looked at only so often: for the light of the day.
_CALM_S, _REST_S = 3.0, 1.0


class Shelves:
    """The stage: frames, people and their joints in, events out.

    Args:
        zones: those without a shelf are left aside.
        eyes: what looks at pixels.
    """

    def __init__(self, zones: Sequence[Zone], eyes: Eyes | None = None) -> None:
        self._zones = [zone for zone in zones if zone.shelf is not None]
        self._eyes = eyes or Eyes()
        self._reader = PictureReader(Colour.BGR)
        self._size = (0, 0)
        self._shelves: list[Shelf] = []
        self._people, self._joints = People(), Joints()
        self._stirred_s = self._looked_s = float("-inf")

    def update(
        self,
        frame: Frame,
        tracks: Tracks,
        poses: Poses | None,
        moved: bool = True,
        closeups: Closeups | None = None,
    ) -> list[ShelfEvent]:
        """Take one analysed frame.

        Args:
            frame: the picture.
            tracks: people in it, or where they should be by now.
            poses: joints of some; None = nobody looked at this frame.
            moved: it shows anything but the empty place, or nobody asked.
            closeups: people's hands at each shelf; None = nobody looked closely.
        """
        if not self._zones or not self._due(frame.t, moved or len(tracks.ids) > 0):
            return []
        events = self._fit(frame)
        if poses is not None:
            poses = self._joints.filled(tracks, poses)
        self._people.update(tracks, poses, frame.width / frame.height)
        bodies = self._people.bodies(tracks)
        picture, _ = self._reader.read(frame)
        for shelf in self._shelves:
            events += shelf.update(frame, picture, bodies, self._people, poses, closeups)
        return events

    def horizon(self, t: float) -> float:
        """Every reach that ended before this is known; later ones may still be reported."""
        return min((one.horizon for one in self._shelves if one.horizon is not None), default=t)

    def finish(self) -> list[ShelfEvent]:
        """End observation: reaches are cut off; what shelves look like is to be learned anew."""
        events = [event for shelf in self._shelves for event in shelf.finish()]
        self._size, self._shelves = (0, 0), []
        return events

    def _fit(self, frame: Frame) -> list[ShelfEvent]:
        """Begin anew where frames have another size than before."""
        size = (frame.width, frame.height)
        if size == self._size:
            return []
        events = self.finish()
        self._size = size
        self._shelves = [Shelf(zone, size, self._eyes) for zone in self._zones]
        return events

    def _due(self, t: float, stirred: bool) -> bool:
        if stirred:
            self._stirred_s = t
        elif t - self._stirred_s > _CALM_S and t - self._looked_s < _REST_S:
            return False
        self._looked_s = t
        return True
