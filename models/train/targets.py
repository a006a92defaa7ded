"""What the network should say of a picture.

Peaks are soft: a Gaussian around each person and joint is the target of a quality focal loss (Li
et al. 2020), so that heights around a peak stay meaningful and decoding may look between cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.train.layout import GRID_STRIDE, JOINTS, MAP_STRIDE, OFFSET_SCALE

Floats = NDArray[np.float32]

# Where in its box a person is looked for: the chest, which goods and other shoppers hide least.
CHEST = 0.4
# People who show less than this, or are smaller (pixels of the input), are neither person nor
# background: nobody could say.
LEAST_VISIBLE, LEAST_HEIGHT = 0.2, 12.0
# Cells around a chest that learn the box and the joints, as a share of the Gaussian's height.
_LEARNS = 0.5
# Gaussians: standard deviations in cells for a person of one cell, and growth with its height.
# Chests' are narrow: two of them nearer than two deviations make one peak, and of people who stand
# behind one another one would be lost.
_CHEST_SIGMA, _CHEST_GROWTH = 0.7, 0.02
_JOINT_SIGMA, _JOINT_GROWTH = 0.8, 0.016
# Visible joints of a picture that are held to their place between cells; more are left out.
PLACES = 340
# A person of so many pixels of the input weighs 1 there; a smaller one more, for the same error is
# a larger part of the body.
_USUAL_HEIGHT = 120.0


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The labels of one picture, in pixels of the network's input.

    Args:
        boxes: float32 [N, 4], x0 y0 x1 y1.
        visible: float32 [N], share of the body that is seen, 0..1.
        keypoints: float32 [N, 17, 3], x, y and 0 = absent, 1 = hidden, 2 = visible.
    """

    boxes: Floats
    visible: Floats
    keypoints: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What the two outputs should be.

    Args:
        person: [1, h, w], 0..1; person_weight the same shape.
        box: [4, h, w], cells from the cell's middle to the sides.
        offsets, offset_weight: [34, h, w].
        learns: [1, h, w], weight of the box and the joints.
        maps: [17, H, W], 0..1; map_weight the same shape.
        places: [PLACES, 4], visible joints: which, x and y in cells of the maps, weight; rows of
            weight 0 fill it up.
    """

    person: Floats
    person_weight: Floats
    box: Floats
    offsets: Floats
    offset_weight: Floats
    learns: Floats
    maps: Floats
    map_weight: Floats
    places: Floats


def targets(people: People, width: int, height: int) -> Targets:
    """Draw the targets of one picture of width x height pixels."""
    lines, columns = height // GRID_STRIDE, width // GRID_STRIDE
    grid = (lines, columns)
    person, learns = np.zeros((1, *grid), np.float32), np.zeros((1, *grid), np.float32)
    person_weight = np.ones((1, *grid), np.float32)
    box = np.zeros((4, *grid), np.float32)
    offsets = np.zeros((2 * JOINTS, *grid), np.float32)
    offset_weight = np.zeros((2 * JOINTS, *grid), np.float32)
    fine = (height // MAP_STRIDE, width // MAP_STRIDE)
    maps = np.zeros((JOINTS, *fine), np.float32)
    map_weight = np.ones((JOINTS, *fine), np.float32)
    places = np.zeros((PLACES, 4), np.float32)
    placed = 0
    y, x = np.mgrid[:lines, :columns].astype(np.float32) + 0.5
    # Farther (higher, smaller) people first: where two meet, the nearer one's answer stays.
    for row in np.argsort(people.boxes[:, 3], kind="stable"):
        x0, y0, x1, y1 = people.boxes[row] / GRID_STRIDE
        tall = y1 - y0
        clear = people.visible[row] >= LEAST_VISIBLE and tall * GRID_STRIDE >= LEAST_HEIGHT
        if not clear:
            inside = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
            person_weight[0][inside] = 0
            _joints(people.keypoints[row], tall * GRID_STRIDE, maps, map_weight, clear=False)
            continue
        cx, cy = (x0 + x1) / 2, y0 + CHEST * tall
        sigma = _CHEST_SIGMA + _CHEST_GROWTH * tall
        # Anchored on the nearest cell, so that one cell at least says 1.
        mx, my = np.floor(cx) + 0.5, np.floor(cy) + 0.5
        bump = np.exp(-((x - mx) ** 2 + (y - my) ** 2) / (2 * sigma**2))
        np.maximum(person[0], bump, out=person[0])
        mine = (bump >= _LEARNS) & (bump >= learns[0])
        learns[0][mine] = bump[mine]
        for channel, value in enumerate((x - x0, y - y0, x1 - x, y1 - y)):
            box[channel][mine] = value[mine]
        _offsets(people.keypoints[row], x, y, mine, tall, offsets, offset_weight)
        _joints(people.keypoints[row], tall * GRID_STRIDE, maps, map_weight, clear=True)
        seen = _places(people.keypoints[row], tall * GRID_STRIDE)[: PLACES - placed]
        places[placed : placed + len(seen)] = seen
        placed += len(seen)
    person_weight[person >= _LEARNS] = 1
    return Targets(
        person, person_weight, box, offsets, offset_weight, learns, maps, map_weight, places
    )


def _offsets(
    keypoints: Floats, x: Floats, y: Floats, mine: Floats, tall: float, out: Floats, weight: Floats
) -> None:
    """Where each joint is, seen from the cells of its owner. Errors count in body heights."""
    places = keypoints[:, :2] / GRID_STRIDE
    # A hidden joint is a guess even for whoever labelled it.
    trust = np.array([0.0, 0.3, 1.0])[keypoints[:, 2].astype(int)] / max(tall, 1.0)
    for joint in range(JOINTS):
        out[2 * joint][mine] = (places[joint, 0] - x[mine]) / OFFSET_SCALE
        out[2 * joint + 1][mine] = (places[joint, 1] - y[mine]) / OFFSET_SCALE
        weight[2 * joint : 2 * joint + 2, mine] = trust[joint]


def _places(keypoints: Floats, tall: float) -> Floats:
    """The visible joints of a person: which, where, and how much a cell of error weighs."""
    joints = np.flatnonzero(keypoints[:, 2] == 2)
    weight = _USUAL_HEIGHT / max(tall, _USUAL_HEIGHT / 3)
    found = np.empty((len(joints), 4), np.float32)
    found[:, 0], found[:, 1:3], found[:, 3] = joints, keypoints[joints, :2] / MAP_STRIDE, weight
    return found


def _joints(keypoints: Floats, tall: float, maps: Floats, weight: Floats, clear: bool) -> None:
    """A bump at each visible joint; around a hidden one no answer is wrong."""
    sigma = _JOINT_SIGMA + _JOINT_GROWTH * tall / MAP_STRIDE
    reach = int(np.ceil(3 * sigma))
    lines, columns = maps.shape[1:]
    for joint, (px, py, state) in enumerate(keypoints):
        if state == 0:
            continue
        cx, cy = px / MAP_STRIDE, py / MAP_STRIDE
        left, top = int(cx) - reach, int(cy) - reach
        x0, x1 = max(left, 0), min(left + 2 * reach + 1, columns)
        y0, y1 = max(top, 0), min(top + 2 * reach + 1, lines)
        if x0 >= x1 or y0 >= y1:
            continue
        x, y = np.arange(x0, x1) + 0.5 - cx, np.arange(y0, y1)[:, None] + 0.5 - cy
        bump = np.exp(-(x**2 + y**2) / (2 * sigma**2)).astype(np.float32)
        window = (joint, slice(y0, y1), slice(x0, x1))
        if state == 2 and clear:
            np.maximum(maps[window], bump, out=maps[window])
            weight[window][bump >= _LEARNS] = 1
        else:
            hidden = weight[window]
            hidden[(bump >= 0.3) & (maps[window] < _LEARNS)] = 0
