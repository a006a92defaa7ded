"""Touches, frame by frame, become reaches."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.observations import Censored, Evidence
from edge_agent.shelf.reaches import Reaches, Stay, Touch

WRIST, INTRUSION = Evidence.WRIST, Evidence.INTRUSION


def hand(x, y=0.5, evidence=INTRUSION, **more):
    return Touch((x, y), evidence, share=0.02 if evidence is INTRUSION else None, **more)


def follow(frames, fps=5, looked=False):
    """Reaches out of a list of touches a frame."""
    reaches, found = Reaches("shelf", 16 / 9), []
    for i, touches in enumerate(frames):
        found += reaches.update(i / fps, touches, looked=looked)
    return found + reaches.finish()


def test_a_gap_of_less_than_a_second_is_one_reach_and_more_are_two():
    for missing, expected in ((4, 1), (6, 2)):
        frames = [[], [], [hand(0.3)] * 1] + [[hand(0.3)]] * 3 + [[]] * missing
        frames += [[hand(0.3)]] * 3 + [[]] * 8
        assert len(follow(frames)) == expected


def test_one_frame_of_flicker_is_no_reach():
    assert follow([[], [], [hand(0.3)], [], [], [], [], [], [], []]) == []


def test_a_speck_that_belongs_to_nobody_is_no_hand():
    speck = Touch((0.3, 0.5), INTRUSION, share=0.001)
    assert follow([[], [], *[[speck]] * 5, *[[]] * 8]) == []
    (reach,) = follow([[], [], [speck], [hand(0.3)], [speck], *[[]] * 8])
    assert (reach.start_s, reach.end_s) == (0.4, 0.8)


def test_a_hand_whose_arm_is_lost_for_a_moment_leaps_and_stays_one():
    frames = [[], [], *[[hand(0.3, 0.8)]] * 3, *[[hand(0.3, 0.4)]] * 3, *[[]] * 8]
    assert len(follow(frames)) == 1


def test_two_hands_stay_two_when_they_pass_each_other():
    frames = [[], []]
    frames += [[hand(0.2 + i / 40, thing=1), hand(0.5 - i / 40, thing=2)] for i in range(12)]
    found = follow([*frames, *[[]] * 8])
    assert len(found) == 2
    assert all(reach.end_s == 2.6 for reach in found)


def test_who_saw_it_where_it_was_most_and_whose_hand_it_was():
    frames = [
        [], [],
        [hand(0.3, evidence=WRIST, track=4, facing="A")],
        [hand(0.32, facing="B")],
        [hand(0.3, evidence=WRIST, track=4, facing="B")],
    ]  # fmt: skip
    (reach,) = follow([*frames, *[[]] * 8])
    assert (reach.evidence, reach.facing, reach.track) == (Evidence.BOTH, "B", 4)


def test_a_hand_that_was_there_before_and_has_gone_is_told_when_it_goes():
    reaches = Reaches("shelf", 16 / 9)
    reaches.update(0.0, [])
    reaches.update(1.6, [])
    reaches.left(1.6, hand(0.4, track=1), 0.0)
    (reach,) = reaches.update(3.0, [])
    assert (reach.start_s, reach.end_s, reach.censored) == (0.0, 1.6, Censored.LEFT)
    reaches.left(4.0, hand(0.4), None)  # nobody of then is there any more
    assert reaches.finish() == []


@given(st.integers(0, 2**32 - 1))
def test_reaches_lie_within_what_was_seen_and_last(seed):
    rng = np.random.default_rng(seed)
    frames = [[hand(*rng.random(2)) for _ in range(rng.integers(0, 3))] for _ in range(40)]
    seen = [i / 5 for i, touches in enumerate(frames) if touches]
    for reach in follow(frames):
        assert reach.end_s > reach.start_s
        assert reach.start_s in seen
        assert reach.end_s in seen


def test_what_sticks_out_of_a_body_is_a_hand_only_when_it_stays():
    sleeve = hand(0.3, track=1, sure=False)
    assert follow([[], [], *[[sleeve]] * 13, *[[]] * 8]) == []
    assert len(follow([[], [], *[[sleeve]] * 14, *[[]] * 8])) == 1
    wrist = hand(0.3, evidence=WRIST, track=1)
    assert len(follow([[], [], *[[sleeve]] * 2, [wrist], *[[sleeve]] * 2, *[[]] * 8])) == 1


def test_between_two_looks_for_joints_a_reach_goes_on_and_none_begins():
    guess = hand(0.3, track=1, begins=False)
    assert follow([[], [], *[[guess]] * 10, *[[]] * 8]) == []
    (reach,) = follow([[], [], [hand(0.3, track=1)], *[[guess]] * 10, *[[]] * 8])
    assert reach.end_s == 2.4


def looked_at(count, *chances, **more):
    """Reaches of somebody whose hand was told so many times, with these chances in turn."""
    some = [
        [hand(0.3, evidence=WRIST, track=1, chance=chances[i % len(chances)], **more)]
        for i in range(count)
    ]
    return follow([[], [], *some, *[[]] * 8], looked=True)


def test_of_a_look_a_surer_hand_needs_less_time_to_be_believed():
    least = [
        next(count for count in range(2, 40) if looked_at(count, chance))
        for chance in (0.99, 0.85, 0.6)
    ]
    assert least == sorted(set(least))
    assert least[0] <= 5
    assert least[-1] > 9


def test_of_many_looks_the_surest_counts():
    assert looked_at(8, 0.2) == []
    assert len(looked_at(8, 0.2, 0.2, 0.95)) == 1


def test_an_arm_that_no_look_showed_counts_when_it_stays():
    assert looked_at(13, None, sure=False) == []
    assert len(looked_at(14, None, sure=False)) == 1


def test_a_hand_that_looks_showed_and_doubted_does_not_count_however_long_it_stays():
    assert looked_at(40, 0.1, sure=False) == []


def test_a_hand_of_nobody_is_believed_without_a_look():
    frames = [[], [], *[[hand(0.3)]] * 4, *[[]] * 8]
    assert len(follow(frames, looked=True)) == len(follow(frames)) == 1


def test_a_surer_reach_says_so():
    sure, unsure = (looked_at(12, chance)[0].confidence for chance in (0.97, 0.6))
    assert 0.4 < unsure < sure <= 1
    both, moved = (
        follow([[], [], *[[hand(0.3, evidence=evidence)]] * 8, *[[]] * 8])[0].confidence
        for evidence in (Evidence.BOTH, Evidence.INTRUSION)
    )
    assert 0 < moved < both < 1


def test_a_stay_is_looked_at_if_anybody_looked_while_it_lasted():
    reaches = Reaches("shelf", 16 / 9)
    unsure = hand(0.3, evidence=WRIST, track=1, chance=0.1)
    for i in range(8):
        reaches.update(i / 5, [unsure], looked=i == 3)
        (stay,) = reaches.open
        assert stay.looked is (i >= 3)
    assert stay.most == 0.1
    assert reaches.finish() == []


@given(
    st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0, 5), st.floats(0, 5), st.booleans()
)  # fmt: skip
def test_a_surer_and_longer_stay_is_never_believed_less(chance, more, length_s, longer_s, whose):
    def counts(most, seconds):
        stay = Stay(0.0, seconds, (0.5, 0.5), 1 if whose else None, cut_left=False)
        stay.sights, stay.large, stay.looked, stay.most = 9, True, True, most
        return stay.counts

    assert counts(max(chance, more), max(length_s, longer_s)) >= counts(chance, length_s)
