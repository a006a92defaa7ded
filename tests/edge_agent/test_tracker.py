"""Who is who from frame to frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.observations import Detections, Tracks
from edge_agent.tracker import Tracker, TrackerConfig

# People of a quarter of the picture's height, in fractions of a 16:9 picture.
HEIGHT = 0.25
SIZE = np.array([0.4 * HEIGHT * 9 / 16, HEIGHT])
# 0.8 heights a second across the picture: a normal walk.
WALK = 0.8 * HEIGHT * 9 / 16

seeds = st.integers(0, 2**32 - 1)
rates = st.sampled_from([5.0, 10.0, 30.0])


def frame(t, *centres, scores=None, keypoints=None):
    centres = np.array(centres, dtype=float).reshape(-1, 2)
    boxes = np.hstack([centres - SIZE / 2, centres + SIZE / 2])
    scores = np.full(len(boxes), 0.9) if scores is None else np.array(scores, dtype=float)
    return Detections(t, boxes, scores, keypoints)


def jittered(rng, detections, jitter=0.03):
    noise = rng.normal(0, jitter, detections.boxes.shape) * np.hstack([SIZE, SIZE])
    return Detections(detections.t, detections.boxes + noise, detections.scores)


def ids(tracks: Tracks) -> list[int]:
    return tracks.ids.tolist()


def test_a_track_is_handed_over_from_its_first_detection_and_confirmed_later():
    tracker = Tracker()
    first = tracker.update(frame(0.0, (0.5, 0.5)))
    second = tracker.update(frame(0.2, (0.5, 0.5)))
    assert ids(first) == ids(second)
    assert first.confirmed.tolist() == [False]
    assert second.confirmed.tolist() == [True]


@pytest.mark.parametrize(("fps", "most"), [(30.0, 0.6), (5.0, 0.95)])
def test_a_trembling_box_is_taken_to_be_steadier_than_it_is_seen(fps, most):
    rng, tracker = np.random.default_rng(3), Tracker()
    seen, taken = [], []
    for i in range(round(20 * fps)):
        tracks = tracker.update(jittered(rng, frame(i / fps, (0.5, 0.5))))
        seen.append(tracks.boxes[0])
        taken.append(tracks.steady[0])
    assert (np.std(taken[10:], axis=0) < most * np.std(seen[10:], axis=0)).all()
    assert np.mean(taken, axis=0) == pytest.approx(np.mean(seen, axis=0), abs=0.003)


@pytest.mark.parametrize("fps", [5.0, 30.0])
def test_somebody_who_walks_is_not_taken_to_be_behind_where_they_are(fps):
    tracker = Tracker()
    for i in range(round(3 * fps)):
        here = frame(i / fps, (0.2 + WALK * i / fps, 0.5))
        tracks = tracker.update(here)
    assert tracks.steady[0] == pytest.approx(here.boxes[0], abs=0.02 * HEIGHT)


def test_people_left_out_take_their_steady_boxes_with_them():
    tracks = Tracker().update(frame(0.0, (0.2, 0.5), (0.8, 0.5)))
    assert tracks.only(np.array([False, True])).steady == pytest.approx(tracks.boxes[1:])


def test_tracks_carry_the_detections_own_boxes_scores_and_keypoints_in_their_order():
    tracker = Tracker()
    points = np.arange(2 * 17 * 3, dtype=float).reshape(2, 17, 3)
    given_ = frame(0.0, (0.2, 0.5), (0.8, 0.5), scores=[0.7, 0.8], keypoints=points)
    tracks = tracker.update(given_)
    assert np.array_equal(tracks.boxes, given_.boxes)
    assert np.array_equal(tracks.scores, given_.scores)
    assert np.array_equal(tracks.keypoints, points)
    assert tracks.ids.dtype == np.int64
    assert tracks.confirmed.dtype == np.bool_

    weak = frame(0.2, (0.5, 0.5), (0.2, 0.5), scores=[0.2, 0.9], keypoints=points)
    tracks = tracker.update(weak)
    assert np.array_equal(tracks.boxes, weak.boxes[1:])
    assert np.array_equal(tracks.keypoints, points[1:])


def test_an_empty_frame_has_no_tracks_and_takes_its_time():
    tracker = Tracker()
    (who,) = ids(tracker.update(frame(0.0, (0.5, 0.5))))
    tracker.update(frame(0.1, (0.5, 0.5)))
    empty = tracker.update(frame(0.3))
    assert (len(empty.ids), empty.boxes.shape, empty.confirmed.shape) == (0, (0, 4), (0,))
    assert ids(tracker.update(frame(0.5, (0.5, 0.5)))) == [who]
    assert ids(tracker.update(frame(2.6, (0.5, 0.5)))) != [who]


def test_only_people_seen_in_this_very_frame_are_handed_over():
    tracker = Tracker()
    for i in range(5):
        both = tracker.update(frame(i / 5, (0.2, 0.5), (0.8, 0.5)))
    left = tracker.update(frame(1.0, (0.2, 0.5)))
    assert ids(left) == ids(both)[:1]


@given(seed=seeds, fps=rates)
@settings(max_examples=30)
def test_a_lone_walker_keeps_one_id_through_misses_and_jitter(seed, fps):
    rng = np.random.default_rng(seed)
    tracker = Tracker()
    seen, missed = set(), 0
    for i in range(int(6 * fps)):
        # 7 % at random, but no longer than half a second and not just when somebody appears.
        if i > 2 and missed < fps / 2 and rng.random() < 0.07:
            missed += 1
            tracker.update(frame(i / fps))
            continue
        missed = 0
        seen.update(ids(tracker.update(jittered(rng, frame(i / fps, (0.1 + WALK * i / fps, 0.5))))))
    assert len(seen) == 1


@pytest.mark.parametrize("fps", [5, 30])
@pytest.mark.parametrize("gap_s", [0.4, 1.0, 1.8])
def test_a_walker_hidden_for_a_while_comes_back_as_the_same_person(fps, gap_s):
    tracker = Tracker()
    seen = set()
    for i in range(6 * fps):
        t = i / fps
        hidden = 2.0 < t <= 2.0 + gap_s
        centres = [] if hidden else [(0.1 + WALK * t, 0.5)]
        seen.update(ids(tracker.update(frame(t, *centres))))
    assert len(seen) == 1


def test_a_person_who_leaves_for_longer_than_lost_s_is_somebody_new():
    tracker = Tracker()
    for i in range(5):
        before = tracker.update(frame(i / 5, (0.5, 0.5)))
    for i in range(5, 17):
        tracker.update(frame(i / 5))
    assert ids(tracker.update(frame(3.4, (0.5, 0.5)))) != ids(before)


@pytest.mark.parametrize("fps", [5, 10, 30])
@given(seed=seeds)
@settings(max_examples=10)
def test_two_people_who_cross_keep_their_ids(fps, seed):
    rng = np.random.default_rng(seed)
    tracker = Tracker()
    for i in range(4 * fps):
        way = WALK * (i / fps - 2)
        tracks = tracker.update(
            jittered(rng, frame(i / fps, (0.5 + way, 0.5), (0.5 - way, 0.56)), 0.01)
        )
        if i == 0:
            first = ids(tracks)
    assert ids(tracks) == first


def test_steps_of_uneven_length_are_taken_by_the_clock():
    tracker = Tracker()
    rng = np.random.default_rng(1)
    t, seen = 0.0, set()
    while t < 5:
        seen.update(ids(tracker.update(frame(t, (0.1 + WALK * t, 0.5)))))
        t += rng.choice([0.01, 0.03, 0.1, 0.35])
    assert len(seen) == 1


def test_five_frames_a_second_give_the_lives_that_thirty_give():
    def life(fps):
        tracker = Tracker()
        spans = {}
        for i in range(10 * fps):
            t = i / fps
            people = [(0.1 + WALK * t, 0.4)] if t < 4 else []
            people += [(0.8, 0.7)] if 2 <= t < 9 else []
            for who in ids(tracker.update(frame(t, *people))):
                spans.setdefault(who, []).append(t)
        return sorted((min(s), max(s)) for s in spans.values())

    assert np.allclose(life(5), life(30), atol=0.2)


@pytest.mark.parametrize("fps", [5, 10, 30])
def test_one_frame_of_flicker_is_never_confirmed(fps):
    tracker = Tracker()
    rng = np.random.default_rng(fps)
    last = np.array([9.0, 9.0])
    for i in range(20 * fps):
        flicker = rng.uniform(0.1, 0.9, 2)
        while np.abs((flicker - last) / SIZE).max() < 2:  # not where the last one was
            flicker = rng.uniform(0.1, 0.9, 2)
        tracks = tracker.update(frame(i / fps, *([flicker] if i % 20 == 0 else [])))
        if i % 20 == 0:
            last = flicker
        assert not tracks.confirmed.any()


def test_a_low_score_continues_a_track_but_never_begins_one():
    tracker = Tracker()
    (who,) = ids(tracker.update(frame(0.0, (0.2, 0.5))))
    for i in range(1, 10):
        tracks = tracker.update(frame(i / 5, (0.2, 0.5), (0.8, 0.5), scores=[0.2, 0.4]))
        assert ids(tracks) == [who]


def test_a_high_score_is_matched_before_a_nearer_low_one():
    tracker = Tracker()
    (who,) = ids(tracker.update(frame(0.0, (0.5, 0.5))))
    tracks = tracker.update(frame(0.2, (0.5, 0.5), (0.505, 0.5), scores=[0.3, 0.9]))
    assert ids(tracks) == [who]
    assert tracks.scores.tolist() == [0.9]


def test_a_low_score_must_be_nearer_than_a_high_one_to_continue_a_track():
    for off, score, found in [(0.15, 0.3, 1), (0.25, 0.3, 0), (0.25, 0.9, 1), (0.35, 0.9, 0)]:
        tracker = Tracker()
        (who,) = ids(tracker.update(frame(0.0, (0.5, 0.5))))
        tracks = tracker.update(frame(0.1, (0.5, 0.5 + off * HEIGHT), scores=[score]))
        assert ids(tracks).count(who) == found


def test_so_it_must_where_two_tracks_contend_for_another_detection():
    for off, found in [(0.55, 1), (0.65, 0)]:
        tracker = Tracker()
        ys = np.array([0.0, 0.4]) * HEIGHT + 0.5
        first, second = ids(tracker.update(frame(0.0, (0.5, ys[0]), (0.5, ys[1]))))
        ys = np.array([0.12, off]) * HEIGHT + 0.5
        tracks = tracker.update(frame(0.1, (0.5, ys[0]), (0.5, ys[1]), scores=[0.9, 0.3]))
        assert ids(tracks) == [first] + [second] * found


def crowd(rng, people=12, frames=60, fps=10.0):
    """Frames of walkers who cross, with misses and low scores: centres, then scores."""
    start = rng.uniform(0.1, 0.9, (people, 2))
    speed = rng.normal(0, WALK, (people, 2))
    for i in range(frames):
        here = rng.random(people) > 0.1
        centres = start + speed * i / fps + rng.normal(0, 0.003, (people, 2))
        scores = np.where(rng.random(people) < 0.1, 0.3, 0.9)
        yield frame(i / fps, *centres[here], scores=scores[here])


@given(seed=seeds)
@settings(max_examples=25)
def test_the_order_of_detections_changes_nothing_but_names(seed):
    rng = np.random.default_rng(seed)
    one, other = Tracker(), Tracker()
    names: dict[int, int] = {}
    for detections in crowd(rng):
        order = rng.permutation(len(detections.scores))
        a = one.update(detections)
        b = other.update(
            Detections(detections.t, detections.boxes[order], detections.scores[order])
        )
        by_box = {tuple(box): who for box, who in zip(b.boxes.tolist(), ids(b), strict=True)}
        assert len(by_box) == len(a.ids)
        for box, who in zip(a.boxes.tolist(), ids(a), strict=True):
            assert names.setdefault(who, by_box[tuple(box)]) == by_box[tuple(box)]


@given(seed=seeds, scale=st.sampled_from([2.0**-8, 2.0**10]), shift=st.sampled_from([0.0, 3.0]))
@settings(max_examples=25)
def test_neither_the_unit_nor_the_origin_matters(seed, scale, shift):
    plain, scaled = Tracker(), Tracker()
    for d in crowd(np.random.default_rng(seed)):
        a = plain.update(d)
        b = scaled.update(Detections(d.t, (d.boxes + shift) * scale, d.scores))
        assert ids(a) == ids(b)


def test_pixels_and_fractions_agree_when_the_aspect_is_told():
    fractions, pixels = Tracker(), Tracker(TrackerConfig(aspect=1.0))
    for d in crowd(np.random.default_rng(3)):
        a = fractions.update(d)
        b = pixels.update(Detections(d.t, d.boxes * [1920, 1080, 1920, 1080], d.scores))
        assert ids(a) == ids(b)


@given(seed=seeds)
@settings(max_examples=25)
def test_ids_are_unique_in_a_frame_and_never_come_again(seed):
    rng = np.random.default_rng(seed)
    tracker = Tracker()
    last_seen: dict[int, float] = {}
    highest = 0
    for i in range(120):
        centres = rng.uniform(0, 1, (rng.integers(0, 15), 2))
        found = frame(i / 10, *centres, scores=rng.random(len(centres)))
        tracks = tracker.update(found)
        assert len(set(ids(tracks))) == len(ids(tracks))
        for who in ids(tracks):
            if who in last_seen:
                assert found.t - last_seen[who] <= TrackerConfig().lost_s + 0.1 + 1e-9
            else:
                assert who > highest
            last_seen[who] = found.t
        highest = max(last_seen, default=0)
        assert not np.isnan(tracks.boxes).any()


def memory(tracker: Tracker) -> int:
    """Bytes of all that a tracker holds."""
    rooms = [view for room in tracker._measured._rooms.values() for view in room]
    arrays = [tracker._state, *tracker._steps.values(), *rooms]
    return sum(array.nbytes for array in arrays)


def test_nothing_is_kept_of_thousands_who_are_gone():
    tracker = Tracker()
    rng = np.random.default_rng(0)
    t, sizes = 0.0, []
    for i in range(4000):
        tracker.update(frame(t, *rng.uniform(0, 1, (rng.integers(0, 10), 2))))
        t += rng.uniform(0.02, 0.3)
        if i % 500 == 499:
            for _ in range(12):
                t += 0.2
                tracker.update(frame(t))
            assert tracker._state.shape[1] == 1  # nobody, but the place for newcomers
            sizes.append(memory(tracker))
    assert max(sizes) < 1_000_000


def test_a_clock_that_jumps_ends_all_tracks_and_reuses_no_id():
    for jump in (-3600.0, 3600.0):
        tracker = Tracker()
        for i in range(5):
            before = tracker.update(frame(100 + i / 5, (0.5, 0.5)))
        after = tracker.update(frame(101 + jump, (0.5, 0.5)))
        assert ids(after)[0] > ids(before)[0]
        again = tracker.update(frame(101.2 + jump, (0.5, 0.5)))
        assert ids(again) == ids(after)
        assert again.confirmed.all()


def test_a_new_track_is_as_unsure_of_itself_after_a_year_as_at_the_start():
    def second_box(tracker, t):
        tracker.update(frame(t, (0.5, 0.5)))
        tracker.update(frame(t + 0.2, (0.55, 0.5)))
        return tracker._state[:12, 0]

    old = Tracker()
    for i in range(20000):
        old.update(frame(i * 1.9))
    assert np.allclose(second_box(old, 38000.0), second_box(Tracker(), 0.0))


def test_boxes_without_size_or_of_single_precision_do_no_harm():
    tracker = Tracker()
    for i in range(5):
        boxes = np.array([[0.2, 0.2, 0.2, 0.2], [0.5, 0.5, 0.6, 0.8]], dtype=np.float32)
        tracks = tracker.update(Detections(i / 5, boxes, np.array([0.9, 0.9], dtype=np.float32)))
    assert len(tracks.ids) == 2
    assert ids(tracks)[1] == 2
