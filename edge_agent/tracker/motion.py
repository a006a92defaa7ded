"""How people move: where a box will be, how sure that is, and what a new box tells.

The centre of a box has a velocity that is kept for ``memory_s`` on average and is then forgotten
(an Ornstein-Uhlenbeck process; Singer, "Estimating optimal tracking filter performance for manned
maneuvering targets", 1970, has it for acceleration): a person walks on for a while and stops some
time, so a track out of sight slows down instead of leaving the picture. Width and height follow
the boxes without a velocity of their own: they change when somebody is half hidden, and such a
change must not go on. The filter is Kalman's. Variances are in heights of the person's own box, so
that nothing depends on resolution or distance and one covariance serves all coordinates.

A track is a column of a matrix, and one matrix product a frame does whatever is linear: it moves
all tracks on, adds the change that the last update found, and lays out below the state what the
association and the update will multiply. A unit tracks a few people at a time, where a call of
numpy costs more than its sums do; so rows stand twice where that saves a call.
"""

from __future__ import annotations

from math import exp

import numpy as np

from edge_agent.observations import Floats

# Rows of the state. Coordinates come as velocity x, y (per second), then width, height, centre
# x, y; CHANGE is what the last update adds to each of them.
PLACE, CHANGE = slice(0, 6), slice(6, 12)
ONE = 12  # constant 1, which carries the model's noise
ID = 13
SPEED_VARIANCE = 14  # (heights/s)^2
YOUTH, UNSEEN = 15, 16  # seconds until confirmed (below 0: it is), seconds since last detected
LEARNT = 17  # how much of SPEED_VARIANCE the last update took away
AGES = slice(15, 17)
SETTLED = slice(16, 18)
# The last update's gains: a 0, then in the order of the coordinates; what the cut at ROWS leaves
# of them is enough as state.
GAIN = slice(18, 25)
ROWS = 22
_SPEED_GAIN, _PLACE_GAIN = 19, 21
# Rows below the state.
SPREAD = slice(25, 32)  # 0, covariance of velocity and place (twice), variance of the place
DOUBT = slice(32, 39)  # variance of the difference to a detection, seven times
EXPECTED = slice(39, 45)  # of a detection: x, y, width, height, x, y
COMPARED = slice(41, 54)  # factors of the distance to a detection, row by row those of Measured
SQUARED = slice(49, 54)  # of these, to be squared first
LIMIT = 53  # squared reach, once it is squared
UPDATED = slice(0, 45)  # all that an update needs

# Of the coordinates.
_HEIGHT = 3
_VELOCITY, _CENTRE = [0, 1], [4, 5]
_SIZE_AND_CENTRE = [2, 3, 4, 5]
_LIKE_DETECTION = [4, 5, 2, 3, 4, 5]

# The box, x0 y0 x1 y1, of a state's PLACE and CHANGE.
_BOX = np.array(
    [[0, 0, -0.5, 0, 1, 0], [0, 0, 0, -0.5, 0, 1], [0, 0, 0.5, 0, 1, 0], [0, 0, 0, 0.5, 0, 1]]
)
_STEADY = np.hstack([_BOX, _BOX])

# A new track knows nothing of its place before its first box (variance, in units of the noise).
_UNKNOWN = 1e9
# Layouts kept, one for each number of detections seen lately.
_ROOMS = 64


def newborn(speed: float, confirm_s: float) -> Floats:
    """The state [ROWS, 1] of a track before its first box, which knows no place."""
    column = np.zeros((ROWS, 1))
    column[ONE] = 1.0
    column[YOUTH] = confirm_s
    column[SPEED_VARIANCE] = speed * speed
    column[_PLACE_GAIN] = _UNKNOWN
    return column


def prediction(
    dt: float, speed: float, memory_s: float, noise: float, reach: float, weights: Floats
) -> Floats:
    """Matrix [54, ROWS] that moves the state on by ``dt`` seconds.

    Args:
        dt: seconds since the last frame, 0 or more.
        speed: standard deviation of a person's speed, heights a second.
        memory_s: how long a velocity is kept on average, seconds.
        noise: variance of a detection's coordinates, heights^2.
        reach: distance at which a detection is somebody else, heights.
        weights: [4], of squared differences in width, height, x and y.
    """
    kept = exp(-dt / memory_s)
    carried = memory_s * (1 - kept)  # how far a velocity of 1 goes in dt
    variance = speed * speed
    now = np.eye(ROWS)  # rows as functions of the state as it was before the last update's change
    place = now[PLACE] + now[CHANGE]
    velocity_variance = now[SPEED_VARIANCE] - now[LEARNT]
    covariance = noise * now[_SPEED_GAIN]
    place_variance = noise * now[_PLACE_GAIN]

    place_variance = (
        place_variance
        + 2 * carried * covariance
        + carried * carried * velocity_variance
        + variance * memory_s * (2 * dt - memory_s * (3 - 4 * kept + kept * kept)) * now[ONE]
    )
    covariance = (
        kept * covariance
        + kept * carried * velocity_variance
        + variance * memory_s * (1 - kept) ** 2 * now[ONE]
    )
    velocity_variance = kept * kept * velocity_variance + variance * (1 - kept * kept) * now[ONE]
    place[_CENTRE] += carried * place[_VELOCITY]
    place[_VELOCITY] *= kept

    nothing = np.zeros((1, ROWS))
    spread = np.array([nothing[0], *[covariance] * 2, *[place_variance] * 4])
    return np.vstack(
        [
            place,
            nothing.repeat(6, 0),
            now[[ONE, ID]],
            velocity_variance,
            now[YOUTH] - dt * now[ONE],
            now[UNSEEN] + dt * now[ONE],
            nothing,
            spread / noise,
            spread,
            [place_variance + noise * now[ONE]] * 7,
            place[_LIKE_DETECTION],
            weights[:, None] * now[ONE],
            place[_SIZE_AND_CENTRE],
            reach * place[_HEIGHT],
        ]
    )


class Measured:
    """A frame's detections, laid out as the tracks' rows want them."""

    __slots__ = ("_matrix", "_rooms", "_weights")

    def __init__(self, weights: Floats) -> None:
        shape = np.array([[-1, 0, 1, 0], [0, -1, 0, 1], [0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5]])
        self._matrix = np.vstack([shape[[2, 3, 0, 1, 2, 3]], -2 * weights[:, None] * shape])
        self._weights = weights
        self._rooms: dict[int, tuple[Floats, ...]] = {}

    def rows(self, boxes: Floats) -> tuple[Floats, Floats]:
        """Rows [6, N] as EXPECTED and [13, N] as COMPARED, valid until the next call.

        The second times a track's give ``-2ab + b^2 + a^2 - reach^2``, weighted: the squared
        distance, less the squared reach.

        Args:
            boxes: [N, 4], x0, y0, x1, y1.
        """
        room = self._rooms.get(len(boxes))
        if room is None:
            room = self._room(len(boxes))
        expected, compared, product, shape, square = room
        self._matrix.dot(boxes.T, out=product)
        np.multiply(shape, shape, out=square)
        return expected, compared

    def _room(self, count: int) -> tuple[Floats, ...]:
        if len(self._rooms) >= _ROOMS:
            self._rooms.clear()
        room = np.empty((19, count))
        room[14:18] = self._weights[:, None]
        room[18] = -1.0
        self._rooms[count] = room[:6], room[6:], room[:10], room[2:6], room[10:14]
        return self._rooms[count]


def correct(tracks: Floats, measured: Floats) -> None:
    """Kalman's update, in place; the next prediction applies what it notes down.

    Args:
        tracks: [45, N], rows UPDATED as predicted.
        measured: [6, N], rows as EXPECTED.
    """
    spread = tracks[SPREAD]
    gain = np.divide(spread, tracks[DOUBT], out=tracks[GAIN])
    np.multiply(measured - tracks[EXPECTED], gain[1:], out=tracks[CHANGE])
    np.multiply(gain[:2], spread[:2], out=tracks[SETTLED])  # its first row is 0: just seen


def steady(tracks: Floats) -> Floats:
    """Boxes [N, 4], x0 y0 x1 y1, of tracks that were corrected."""
    boxes: Floats = _STEADY.dot(tracks[:12]).T
    return boxes
