"""How people move: where a box will be, how sure that is, and what a new box tells.

Each side of a box follows the same model: a velocity that is kept for ``memory_s`` on average and
is then forgotten (an Ornstein-Uhlenbeck process; Singer, "Estimating optimal tracking filter
performance for manned maneuvering targets", 1970, uses it for acceleration). A person walks on
for a while and stops some time, so a lost track slows down instead of leaving the picture. The
filter is Kalman's. All variances are in heights of the person's own box, so nothing depends on
the camera's resolution or on how far away somebody is, and all four sides share one covariance.

State is a matrix with one column a track. Sides are kept as (-x0, -y0, x1, y1): widening a box is
then a plain sum, and the overlap of two boxes needs one minimum instead of two.
"""

from __future__ import annotations

from math import exp

import numpy as np

from edge_agent.observations import Floats

# Rows of the state.
SIDES = slice(0, 4)  # -x0, -y0, x1, y1
MOVING = slice(0, 8)  # the sides, then their velocities per second
SPREAD = slice(8, 10)  # variance of a side [heights^2], its covariance with the velocity [/s]
SIDE_VARIANCE, COVARIANCE, SPEED_VARIANCE = 8, 9, 10
ONE = 11  # constant 1, so that the noise of the model is part of the matrix product
ID, BORN, LAST_SEEN = 12, 13, 14
ROWS = 15
# Rows that a prediction adds for the association.
WIDE_SIDES = slice(15, 19)
WIDE_SIZE = slice(19, 21)  # width and height of the widened box

# A box without size would divide nothing by nothing; this is far below a pixel's fraction.
_TINY = 1e-12
# A new track knows nothing of its place before its first box (heights^2).
_UNKNOWN = 1e6

_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def newborn(speed: float) -> Floats:
    """The state [ROWS, 1] of a track before its first box."""
    column = np.zeros((ROWS, 1))
    column[SIDE_VARIANCE] = _UNKNOWN
    column[SPEED_VARIANCE] = speed * speed
    column[ONE] = 1.0
    return column


def _widening(fraction: float) -> Floats:
    """Sides to [widened sides, width and height of the widened box], [6, 4]."""
    sides = np.eye(4)
    sides[:, [1, 3]] += fraction
    return np.vstack([sides, sides[:2] + sides[2:]])


def measurement(widening: float) -> Floats:
    """Matrix [10, 4] from x0, y0, x1, y1 to sides, widened sides and widened size."""
    return np.vstack([_FLIP, _widening(widening) @ _FLIP])


def prediction(dt: float, speed: float, memory_s: float, widening: float) -> Floats:
    """Matrix [21, ROWS] that moves the state on by ``dt`` seconds.

    Args:
        dt: seconds since the last frame, 0 or more.
        speed: standard deviation of a person's speed, heights a second.
        memory_s: how long a velocity is kept on average, seconds.
        widening: how much each side moves outwards for the association, in heights.
    """
    kept = exp(-dt / memory_s)
    reach = memory_s * (1 - kept)  # how far a velocity of 1 carries in dt
    variance = speed * speed
    matrix = np.eye(ROWS)
    for side in range(4):
        matrix[side, side + 4] = reach
        matrix[side + 4, side + 4] = kept
    side_noise = variance * memory_s * (2 * dt - memory_s * (3 - 4 * kept + kept * kept))
    matrix[SIDE_VARIANCE, 9:12] = 2 * reach, reach * reach, side_noise
    matrix[COVARIANCE, 9:12] = kept, kept * reach, variance * memory_s * (1 - kept) ** 2
    matrix[SPEED_VARIANCE, 10:12] = kept * kept, variance * (1 - kept * kept)
    wide = _widening(widening) @ matrix[SIDES]
    wide[4:, ONE] = _TINY
    return np.vstack([matrix, wide])


def correct(state: Floats, sides: Floats, noise: float) -> None:
    """Kalman's update, in place.

    Args:
        state: [ROWS, N] as predicted.
        sides: [4, N], measured.
        noise: variance of a measured side, heights^2.
    """
    spread = state[SPREAD]
    gain = spread / (spread[0] + noise)
    change = gain[:, None] * (sides - state[SIDES])
    moving = state[MOVING]
    moving += change.reshape(moving.shape)
    known = state[SPEED_VARIANCE]
    known -= gain[1] * spread[1]
    np.multiply(gain, noise, out=spread)
