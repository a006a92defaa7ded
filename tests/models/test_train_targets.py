"""What the network is taught is what the unit reads."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from edge_agent.detector import build_detector
from edge_agent.manifest import (
    Axes,
    Colour,
    Decoder,
    Dtype,
    InputSpec,
    Limits,
    ModelEntry,
    Task,
)
from edge_agent.observations import Frame
from models.train.examples import INPUT
from models.train.targets import CHEST, LEAST_VISIBLE, People, targets

WIDTH, HEIGHT = INPUT
# The part of the input that a 16:9 picture fills.
USED = 252
# Where joints lie in an upright body's box.
UPRIGHT = np.array(
    [(0.5, 0.08)] * 5
    + [(0.7, 0.2), (0.3, 0.2), (0.8, 0.35), (0.2, 0.35), (0.85, 0.5), (0.15, 0.5)]
    + [(0.6, 0.52), (0.4, 0.52), (0.6, 0.75), (0.4, 0.75), (0.6, 0.96), (0.4, 0.96)]
)


def people(*boxes: tuple[float, ...], visible: float = 1.0) -> People:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    sides = rows[:, 2:] - rows[:, :2]
    joints = rows[:, None, :2] + UPRIGHT[None] * sides[:, None]
    states = np.full((len(rows), 17, 1), 2.0)
    return People(
        rows,
        np.full(len(rows), visible, np.float32),
        np.concatenate([joints, states], axis=-1).astype(np.float32),
    )


def entry() -> ModelEntry:
    shape = (1, HEIGHT, WIDTH, 3)
    return ModelEntry(
        name="taught", task=Task.BOTH, file="taught.onnx", size=1, sha256=None, licence="none",
        origin="test", url="https://models.example/taught.onnx",
        input=InputSpec("images", shape, Axes.NHWC, Dtype.UINT8, Colour.RGB, 0.0, 255.0, 0),
        decoder=Decoder.SHELFLIGHT, limits=Limits(0.2, 0.6),
    )  # fmt: skip


def logit(share: np.ndarray) -> np.ndarray:
    bounded = share.clip(1e-6, 1 - 1e-6)
    return np.log(bounded / (1 - bounded))


def read_back(labels: People):
    """What the unit makes of an output that is exactly as taught, in pixels of the input."""
    drawn = targets(labels, WIDTH, HEIGHT)
    grid = np.concatenate([logit(drawn.person), drawn.box, drawn.offsets])[None]
    outputs = [grid.astype(np.float32), logit(drawn.maps)[None].astype(np.float32)]
    frame = Frame(np.zeros((USED, WIDTH, 3), np.uint8), 0.0, WIDTH, USED)
    found = build_detector(entry(), lambda _: outputs).decode(outputs, frame)
    order = np.argsort(found.boxes[:, 0])
    scale = (WIDTH, USED)
    return SimpleNamespace(
        boxes=found.boxes[order] * np.tile(scale, 2),
        joints=found.keypoints[order][..., :2] * scale,
        states=found.keypoints[order][..., 2],
    )


def test_people_come_back_where_they_were_drawn():
    labels = people((40, 30, 80, 150), (150, 60, 170, 110), (260, 10, 315, 178))
    found = read_back(labels)
    np.testing.assert_allclose(found.boxes, labels.boxes, atol=0.01)
    np.testing.assert_allclose(found.joints, labels.keypoints[..., :2], atol=0.6)
    assert (found.states > 0.7).all()


def test_a_couple_side_by_side_stays_two():
    labels = people((100, 40, 140, 160), (122, 42, 162, 162))
    found = read_back(labels)
    np.testing.assert_allclose(found.boxes, labels.boxes, atol=0.01)
    np.testing.assert_allclose(found.joints, labels.keypoints[..., :2], atol=0.8)


def test_whoever_stands_behind_another_has_a_peak_of_his_own():
    drawn = targets(people((200, 40, 270, 230), (224, 34, 294, 220)), WIDTH, HEIGHT)
    (nearer, farther) = (int(y * 190 + 40) // 8 for y in (CHEST, CHEST - 0.05))
    row = drawn.person[0, farther : nearer + 1].max(axis=0)
    first, second = 235 // 8, 259 // 8
    assert row[first] == row[second] == 1
    assert row[first + 1 : second].min() < 0.7, "a network's blur must not make them one"


def test_a_hidden_joint_is_known_roughly_and_said_to_be_unsure():
    labels = people((100, 40, 140, 160))
    labels.keypoints[0, 9, 2] = 1
    found = read_back(labels)
    np.testing.assert_allclose(found.joints, labels.keypoints[..., :2], atol=0.6)
    assert found.states[0, 9] < 0.1


def test_who_hardly_shows_is_neither_person_nor_background():
    drawn = targets(people((100, 40, 140, 160), visible=LEAST_VISIBLE / 2), WIDTH, HEIGHT)
    chest = (slice(None), int((40 + CHEST * 120) / 8), 15)
    assert drawn.person.max() == 0
    assert drawn.person_weight[chest] == 0
    assert drawn.person_weight[0, 0, 0] == 1
    assert drawn.learns.max() == 0


def test_an_empty_shop_is_all_background():
    drawn = targets(people(), WIDTH, HEIGHT)
    assert drawn.person.max() == 0
    assert drawn.maps.max() == 0
    assert drawn.person_weight.min() == 1
