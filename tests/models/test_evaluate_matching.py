"""Who is who, and average precision: worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluate.matching import (
    IGNORED,
    IOUS,
    NOBODY,
    Found,
    People,
    average_precision,
    match,
    precision_recall,
)


def box(x, width=0.1):
    return (x, 0.2, x + width, 0.8)


def found(*places, scores=None, width=0.1):
    boxes = np.array([box(x, width) for x in places]).reshape(-1, 4)
    return Found(boxes, np.array(scores or [0.9 - 0.1 * i for i in range(len(places))]))


def people(*places, ignored=()):
    boxes = np.array([box(x) for x in places]).reshape(-1, 4)
    return People(boxes, np.array([i in ignored for i in range(len(places))], bool))


def test_each_box_takes_the_nearest_person_that_is_free_best_first():
    taken = match(found(0.11, 0.1, 0.5), people(0.5, 0.1), 0.5)
    assert taken.tolist() == [1, NOBODY, 0]


def test_too_little_overlap_is_nobody():
    assert match(found(0.15), people(0.1), 0.5).tolist() == [NOBODY]  # 1/3
    assert match(found(0.133), people(0.1), 0.5).tolist() == [0]  # just above 1/2


def test_who_does_not_count_is_neither_missed_nor_false_however_often_found():
    truth = people(0.1, 0.5, ignored=[1])
    taken = match(found(0.1, 0.5, 0.51, 0.9), truth, 0.5)
    assert taken.tolist() == [0, IGNORED, IGNORED, NOBODY]
    assert truth.count == 1


def test_the_visible_part_of_a_hidden_person_lies_on_the_region():
    """A detector boxes what it sees; half of its own area on the whole body is enough."""
    taken = match(found(0.1, width=0.03), people(0.1, ignored=[0]), 0.5)
    assert taken.tolist() == [IGNORED]


def test_a_person_who_counts_goes_before_one_who_does_not():
    assert match(found(0.1), people(0.1, 0.1, ignored=[0]), 0.5).tolist() == [1]


def test_with_nobody_there_all_is_false_and_with_nothing_found_nothing_is():
    assert match(found(0.1), people(), 0.5).tolist() == [NOBODY]
    assert match(found(), people(0.1), 0.5).tolist() == []


def test_precision_and_recall_are_over_all_pictures_by_score():
    pictures = [
        (found(0.1, 0.7, scores=[0.9, 0.6]), people(0.1, 0.4)),
        (found(0.1, scores=[0.8]), people(0.1)),
    ]
    precision, recall, scores = precision_recall(pictures, 0.5)
    assert scores.tolist() == [0.9, 0.8, 0.6]
    assert precision == pytest.approx([1, 1, 2 / 3])
    assert recall == pytest.approx([1 / 3, 2 / 3, 2 / 3])


def test_average_precision_reads_the_curve_at_101_recalls():
    assert average_precision(np.array([1.0]), np.array([1.0])) == 1.0
    # All precision 1 up to recall 2/3: recalls 0, 0.01 .. 0.66 of the 101 count.
    precision, recall = np.array([1, 1, 2 / 3]), np.array([1 / 3, 2 / 3, 2 / 3])
    assert average_precision(precision, recall) == pytest.approx(67 / 101)
    # A false box before a right one: precision is what any later recall still has.
    assert average_precision(np.array([0, 0.5]), np.array([0, 1.0])) == pytest.approx(0.5)
    assert average_precision(np.empty(0), np.empty(0)) == 0.0


def test_cocos_ten_thresholds():
    assert IOUS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_above_keeps_joints_with_their_people():
    joints = np.arange(2 * 17 * 3.0).reshape(2, 17, 3)
    some = Found(np.zeros((2, 4)), np.array([0.9, 0.2]), joints).above(0.3)
    assert some.scores.tolist() == [0.9]
    assert some.keypoints.tolist() == joints[:1].tolist()
