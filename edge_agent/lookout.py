"""Whether the camera still sees what it was hung to see.

Once a second the picture is held against how the place usually looks, tile by tile. Dark, covered,
blurred and moved are told apart by what is left: nothing, nothing of the place, its shapes without
outlines, or all of it elsewhere. People hide some tiles and never most of them for long; a verdict
stands only after seconds. Time in which the camera does not see the place is no data, never zero.

A live camera that gives the same picture again and again, to the last bit, is frozen: a sensor is
never without noise. (A network camera behind a decoder may repeat itself between two key frames of
a still, noiseless scene; a verdict takes longer than these are apart.)
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.observations import Blindness, Frame, Layout

Grey = NDArray[np.float32]

# Pixels that the picture is made smaller to, and tiles across and down.
_SIZE, _TILES = (320, 180), (8, 5)
# Seconds from one look to the next; that a trouble must stand, and that it must be gone.
_LOOK_S, _RAISE_S, _CLEAR_S = 1.0, 4.0, 2.0
# Seconds of one and the same picture that begin to look frozen.
_STILL_S = 2.0
# Luma (0..255) that nine tenths of a dark picture stay below.
_DARK = 16.0
# Outlines (see `_outlines`) below which a tile says nothing.
_PLAIN = 3.0
# What noise draws is never the same again: a tile says something that has been so like itself.
_KNOWN = 0.7
# So many tiles of the forty need outlines for a verdict on more than darkness: before a bare wall
# the only outlines may be those of somebody who stood there at first.
_LEAST_TILES = 14
# Share of a tile's usual outlines, light divided out, below which it lost them.
_LOST = 0.5
# Less light than this is not divided out: noise has outlines too.
_DIMMEST = 0.4
# Share of the tiles that must have lost them; a crowd before the camera hides fewer.
_MOST_TILES = 0.8
# Likeness (correlation) from which on coarse shapes are those of the place.
_SHAPES = 0.6
# Likeness of a tile that shows the place, and of one that does not.
_LIKE, _UNLIKE = 0.55, 0.3
# A picture with so small a share of the place's coarse contrast is of what covers the lens.
_FLAT = 0.2
# A smaller move leaves the zones where they are: share of the width.
_LEAST_MOVE = 0.015
# Seconds over which the usual picture follows, while all is well.
_FOLLOW_S = 60.0
# Share of the way that usual outlines fall, and likeness follows, at a look.
_FALL = np.float32(0.3)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a camera sees of its place.

    Args:
        blind: why it does not see it; None = it does.
        shift: of a moved camera, how far the picture went right and down, fractions of its width
            and height; None = it did not move, or so far that nothing of the place is left.
    """

    blind: Blindness | None = None
    shift: tuple[float, float] | None = None


class Lookout:
    """Watches over one camera.

    Args:
        live: a camera gives the pictures, so that they always differ; a clip may stand still.
    """

    def __init__(self, live: bool = False) -> None:
        self._live = live
        self._last: Grey | None = None
        self._still_s = 0.0  # since when the picture is the same
        self._usual: Grey | None = None
        self._sharp: Grey = np.empty(0, np.float32)
        self._alike: Grey = np.empty(0, np.float32)
        self._learned = 0
        self._looked_s = float("-inf")
        self._other_s: float | None = None  # since when verdicts differ from the outlook
        self._outlook = Outlook()

    def look(self, frame: Frame) -> Outlook:
        """Take one analysed frame; returns what stands at its time."""
        gone = frame.t - self._looked_s
        if 0 <= gone < _LOOK_S - 1e-6:
            return self._outlook
        self._looked_s = frame.t
        now = _shrunk(frame)
        verdict = self._judge(now)
        if self._frozen(now, frame.t) and verdict.blind is None:
            verdict = Outlook(Blindness.FROZEN)
        if verdict.blind is None:
            self._learn(now, gone)
        if verdict.blind is self._outlook.blind:
            self._other_s, self._outlook = None, verdict
        else:
            if self._other_s is None:
                self._other_s = frame.t
            wait = _CLEAR_S if verdict.blind is None else _RAISE_S
            if frame.t - self._other_s >= wait - 1e-6:
                self._other_s, self._outlook = None, verdict
        return self._outlook

    def _frozen(self, now: Grey, t: float) -> bool:
        """Whether a live camera has given this very picture for a while."""
        if self._last is None or not np.array_equal(now, self._last):
            self._last, self._still_s = now, t
        return self._live and t - self._still_s >= _STILL_S - 1e-6

    def _judge(self, now: Grey) -> Outlook:
        if np.quantile(now[::4, ::4], 0.9) < _DARK:
            return Outlook(Blindness.DARK)
        if self._usual is None:
            return Outlook()
        usual = self._sharp
        told = (usual >= _PLAIN) & (self._alike >= _KNOWN)
        if told.sum() < _LEAST_TILES:
            return Outlook()
        light = max(float(now.mean() + 1) / float(self._usual.mean() + 1), _DIMMEST)
        lost = _outlines(now)[told] < _LOST * light * usual[told]
        if lost.mean() >= _MOST_TILES:
            same = _likeness(_coarse(now), _coarse(self._usual)) >= _SHAPES
            return Outlook(Blindness.BLURRED if same else Blindness.COVERED)
        return self._place(now, told)

    def _place(self, now: Grey, told: NDArray[np.bool_]) -> Outlook:
        """Whether the tiles show the place, there or elsewhere."""
        assert self._usual is not None
        like = _likenesses(now, self._usual)[told]
        if np.median(like) >= _LIKE:
            return Outlook()
        window = cv2.createHanningWindow(_SIZE, cv2.CV_32F)
        # Copies: it lays the window over its arguments.
        (x, y), _ = cv2.phaseCorrelate(self._usual.copy(), now.copy(), window)
        across, down = x / _SIZE[0], y / _SIZE[1]
        if max(abs(across), abs(down)) >= _LEAST_MOVE:
            back = np.array([[1, 0, -x], [0, 1, -y]])
            moved = cv2.warpAffine(now, back, _SIZE, borderMode=cv2.BORDER_REPLICATE)
            found = _likenesses(np.asarray(moved, np.float32), self._usual)[told]
            if np.median(found) >= max(_LIKE, float(np.median(like)) + 0.2):
                return Outlook(Blindness.MOVED, (round(across, 4), round(down, 4)))
        if (like < _UNLIKE).mean() >= _MOST_TILES:
            flat = _coarse(now).std() < _FLAT * _coarse(self._usual).std()
            return Outlook(Blindness.COVERED if flat else Blindness.MOVED)
        # A moved camera is where it was only when the place is seen there again.
        return Outlook(self._outlook.blind) if self._outlook.blind is Blindness.MOVED else Outlook()

    def _learn(self, now: Grey, gone: float) -> None:
        self._learned += 1
        sharp = _outlines(now)
        if self._usual is None:
            self._usual, self._sharp = now.copy(), sharp
            self._alike = np.zeros_like(sharp)
        else:
            step = min(max(gone, 0.0), _LOOK_S) / _FOLLOW_S
            cv2.accumulateWeighted(now, self._usual, max(step, 1 / self._learned))
            like = _likenesses(now, self._usual)
            self._alike += (like - self._alike) * _FALL
            # Whoever passes brings outlines along: what is usual rises slowly and falls fast.
            self._sharp += (sharp - self._sharp) * np.where(
                sharp > self._sharp, np.float32(step), _FALL
            )


def _shrunk(frame: Frame) -> Grey:
    picture = frame.image
    if frame.layout is Layout.I420:
        picture = picture[: frame.height, : frame.width]
    small = cv2.resize(picture, _SIZE, interpolation=cv2.INTER_AREA)
    if frame.layout is Layout.BGR:
        small = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    return np.asarray(small, np.float32)


def _outlines(picture: Grey) -> NDArray[np.float32]:
    """How sharp each tile is: root mean square of the Laplacian, levels.

    The mean gradient would not do: a blurred edge is as high as a sharp one, only wider.
    """
    sharp = cv2.Laplacian(picture, cv2.CV_32F)
    power = cv2.resize(sharp * sharp, _TILES, interpolation=cv2.INTER_AREA)
    return np.asarray(np.sqrt(power), np.float32)


def _coarse(picture: Grey) -> Grey:
    return np.asarray(cv2.resize(picture, (16, 9), interpolation=cv2.INTER_AREA), np.float32)


def _likenesses(one: Grey, other: Grey) -> NDArray[np.float32]:
    """Correlation of each pair of tiles, -1..1."""

    def mean(picture: Grey) -> Grey:
        return np.asarray(cv2.resize(picture, _TILES, interpolation=cv2.INTER_AREA), np.float32)

    a, b = mean(one), mean(other)
    both = mean(one * other) - a * b
    spread = (mean(one * one) - a * a) * (mean(other * other) - b * b)
    found: NDArray[np.float32] = both / np.sqrt(np.maximum(spread, 1e-6))
    return found


def _likeness(one: Grey, other: Grey) -> float:
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum() / np.sqrt(max(float((a * a).sum() * (b * b).sum()), 1e-6)))
