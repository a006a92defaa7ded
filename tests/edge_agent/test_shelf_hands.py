"""Hands past the plane, told by how people stand: against simulated arms whose depth is known."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.observations import Hand, Poses, Tracks
from edge_agent.shelf.hands import LOOKS, Hands, network, with_past
from edge_agent.shelf.standing import ARM, BODY, HAND, standings
from models.scene.arms import Arms, arms

# Neither is among those that the network was fitted on.
SHOPS = (31, 34, 43, 49)


@pytest.fixture(scope="module")
def shops():
    return [arms(seed, 60, 5) for seed in SHOPS]


def at(seen: Arms, t: float, keypoints=None) -> tuple[Tracks, Poses]:
    """One frame as the stage gets it; every joint is sure."""
    rows = (seen.t == t).nonzero()[0]
    ids, count = seen.person[rows], len(rows)
    joints = np.concatenate([seen.keypoints[rows], np.ones((count, 17, 1))], axis=-1)
    tracks = Tracks(t, ids, seen.boxes[rows], np.ones(count), np.ones(count, np.bool_))
    return tracks, Poses(t, ids, joints if keypoints is None else keypoints)


def said(seen: Arms) -> set[tuple[float, int, int]]:
    """Time, person and side of all hands that are told to be past the plane."""
    hands = Hands(seen.shelf, seen.aspect)
    return {
        (t, hand.track, side_of(seen, t, hand))
        for t in np.unique(seen.t).tolist()
        for hand in hands.update(*at(seen, t))
    }


def side_of(seen: Arms, t: float, hand: Hand) -> int:
    """Whether it is the left (0) or the right (1): the one whose palm is where it was told."""
    (row,) = ((seen.t == t) & (seen.person == hand.track)).nonzero()[0]
    elbows, wrists = seen.keypoints[row, 7:9, :2], seen.keypoints[row, 9:11, :2]
    palms = wrists + HAND * (wrists - elbows)
    away = np.hypot(*(palms - hand.point).T)
    assert away.min() < 1e-6
    return int(away.argmin())


def so(seen: Arms) -> set[tuple[float, int, int]]:
    rows, sides = seen.past.nonzero()
    return set(zip(seen.t[rows].tolist(), seen.person[rows].tolist(), sides.tolist(), strict=True))


def on_the_shelf(seen: Arms) -> set[tuple[float, int, int]]:
    """What a wrist in the polygon would tell."""
    return {
        (t, person, side)
        for t, person, wrists in zip(
            seen.t.tolist(), seen.person.tolist(), seen.keypoints[:, 9:11].tolist(), strict=True
        )
        for side in (0, 1)
        if seen.shelf.contains(tuple(wrists[side]))
    }


def f1(found, true):
    return 2 * len(found & true) / (len(found) + len(true))


def test_a_hand_past_the_plane_is_told_from_one_before_it(shops):
    pairs = [(said(seen), so(seen), on_the_shelf(seen)) for seen in shops]
    right = sum(len(a & b) for a, b, _ in pairs)
    mine = 2 * right / sum(len(a) + len(b) for a, b, _ in pairs)
    naive = 2 * sum(len(b & c) for _, b, c in pairs) / sum(len(b) + len(c) for _, b, c in pairs)
    assert mine > 0.6
    assert mine > 2.5 * naive


def test_it_is_the_same_in_a_mirror(shops):
    seen = shops[0]
    swapped = {(t, person, 1 - side) for t, person, side in said(seen.mirrored())}
    assert f1(said(seen), swapped) > 0.8


def test_size_in_the_picture_does_not_matter(shops):
    seen = shops[0]
    whole = standings(seen.keypoints, seen.boxes, seen.shelf, seen.aspect)
    half = type(seen.shelf)(tuple((x / 2, y / 2) for x, y in seen.shelf.points))
    small = standings(seen.keypoints / 2, seen.boxes / 2, half, seen.aspect)
    np.testing.assert_allclose(whole[0], small[0], atol=1e-3)
    assert whole[0].shape[1] == ARM + BODY


def test_an_arm_that_is_not_known_says_nothing(shops):
    seen = shops[0]
    hands = Hands(seen.shelf, seen.aspect)
    for t in np.unique(seen.t).tolist():
        tracks, poses = at(seen, t)
        poses.keypoints[..., 2] = 0
        assert hands.update(tracks, poses) == []


def test_who_is_no_track_has_no_hands(shops):
    seen = shops[0]
    hands = Hands(seen.shelf, seen.aspect)
    for t in np.unique(seen.t).tolist():
        tracks, poses = at(seen, t)
        nobody = tracks.only(np.zeros(len(tracks.ids), np.bool_))
        assert hands.update(nobody, poses) == []


def test_what_was_before_is_taken_oldest_first_and_what_was_not_as_now():
    now, one, two = (np.full(ARM + BODY, value, np.float32) for value in (5, 1, 2))
    seen = with_past(now, [one, two])
    assert seen.size == ARM + BODY + LOOKS * ARM == network().mean.size
    past = seen[ARM + BODY :].reshape(LOOKS, ARM)
    assert past[:, 0].tolist() == [0, 0, -4, -3]
