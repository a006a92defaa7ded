"""Does anything move? A cheap test on a small grey picture that lets the detector rest.

The picture is shrunk to some 80 x 45 cells and compared with what the place looks like while
nobody is there. That ground is learned only from frames that are known to be empty, so a person
who stands still never becomes part of it while anybody knows of them. Changes of exposure and of
the light as a whole are divided out, and what flickers all the time (a screen, a plant in the
wind) raises the limit of its own cells. Whatever is in doubt counts as moved: a detector run for
nothing costs milliseconds, a visit missed is lost.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.observations import Frame, Layout

Luma = NDArray[np.float32]

# Cells across the picture: a person of a tenth of its height is still two by five cells.
CELLS = 80
# Each cell is the mean of two by two places of the picture, each of those of two by two pixels:
# reading every pixel costs ten times as much and is not needed to find a person.
_PLACES = 2
# Luma levels (0..255) by which a cell must differ at least. Clean video lies within 1.
LEAST_DIFFERENCE = 3.0
# ... and how many times its usual difference, which is three standard deviations of a normal one
# (mean absolute value = 0.8 standard deviations).
TIMES_USUAL = 4.0
# A cell that flickers wildly is still woken by a strong contrast, such as dark clothes on white.
MOST_LIMIT = 48.0
# Where the light as a whole changed by a share, a cell may be wrong by this part of that change:
# lamps do not shine equally on all, and a camera's curve is not straight.
UNEVEN = 0.3
# Three by three cells must come to this many limits together, one of them to no more than three:
# two strong neighbours, six weak ones or nine of little more than half a limit, never one alone.
BLOB, STRONGEST = 5.0, 3.0
# Seconds in which the ground follows the picture: slowly while nothing moves (daylight), faster
# where the detector looked at what moved and found nobody (a trolley left, a door opened).
SLOW_S, FAST_S = 15.0, 4.0
# Seconds over which a cell's usual difference is taken.
USUAL_S = 10.0
# A frame after a pause teaches no more than after this many seconds.
_PAUSE_S = 1.0
# Every so many cells across and down tell the light as a whole.
_SAMPLED = 4
# Added to all levels before they are compared by a factor, of which black says nothing.
_PEDESTAL = 8.0
_WHITE = 255.0 + _PEDESTAL


class Gate:
    """Compares frames with the empty place; one instance a camera."""

    def __init__(self) -> None:
        self._ground: Luma | None = None
        self._usual: Luma = np.empty((0, 0), np.float32)
        self._now: Luma = np.empty((0, 0), np.float32)
        self._difference: Luma = np.empty((0, 0), np.float32)
        self._moved = True
        self._learned_s = 0.0

    def moved(self, frame: Frame) -> bool:
        """Whether the frame shows anything but the empty place; true until that is known.

        Args:
            frame: BGR or I420, of any size; only Y is read of I420.
        """
        self._now = shrink(frame)
        self._now += _PEDESTAL
        ground = self._ground
        if ground is None or ground.shape != self._now.shape:
            self._moved = True
        else:
            self._moved = self._compare(ground)
        return self._moved

    def learn(self, t: float) -> None:
        """The frame last looked at is known to show nobody.

        Args:
            t: its time, seconds.
        """
        step, self._learned_s = min(max(t - self._learned_s, 0.0), _PAUSE_S), t
        if self._ground is None or self._ground.shape != self._now.shape:
            self._ground = self._now.copy()
            self._usual = np.zeros_like(self._now)
            return
        cv2.accumulateWeighted(self._now, self._ground, step / (FAST_S if self._moved else SLOW_S))
        cv2.accumulateWeighted(self._difference, self._usual, step / USUAL_S)

    def _compare(self, ground: Luma) -> bool:
        light = _light(self._now, ground)
        expected = _at_most(_WHITE, ground * light)
        difference = np.subtract(self._now, expected, out=self._room(ground))
        np.abs(difference, out=difference)
        limit = self._usual * TIMES_USUAL
        limit += LEAST_DIFFERENCE
        _at_most(MOST_LIMIT, limit)
        expected *= UNEVEN * abs(light - 1)
        limit += expected
        excess = _at_most(STRONGEST, np.divide(difference, limit, out=limit))
        blobs = cv2.boxFilter(excess, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        return bool(blobs.max() > BLOB)

    def _room(self, like: Luma) -> Luma:
        if self._difference.shape != like.shape:
            self._difference = np.empty_like(like)
        return self._difference


def shrink(frame: Frame) -> Luma:
    """The frame's luma, float32 [about 45, 80], 0..255."""
    high = max(1, round(CELLS * frame.height / frame.width))
    picture = frame.image
    if frame.layout is Layout.I420:
        picture = picture[: frame.height, : frame.width]
    places = cv2.resize(picture, (CELLS * _PLACES, high * _PLACES), interpolation=cv2.INTER_LINEAR)
    small = cv2.resize(places, (CELLS, high), interpolation=cv2.INTER_AREA)
    if frame.layout is Layout.BGR:
        small = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    return small.astype(np.float32)


def _at_most(bound: float, values: Luma) -> Luma:
    """The values, cut off at the bound in place: several times faster than numpy's minimum."""
    cv2.threshold(values, bound, 0.0, cv2.THRESH_TRUNC, dst=values)
    return values


def _light(now: Luma, ground: Luma) -> float:
    """By what factor the picture as a whole is brighter than the ground.

    The median over cells: people and things may cover almost half of them.
    """
    ratios = (now[::_SAMPLED, ::_SAMPLED] / ground[::_SAMPLED, ::_SAMPLED]).ravel()
    middle = len(ratios) // 2
    ratios.partition(middle)
    return float(ratios[middle])
