"""Who has a hand past a shelf's plane, look by look."""

from __future__ import annotations

from edge_agent.observations import Hand
from edge_agent.shelf.looks import Looks


def hand(chance, track=1):
    return Hand(track, (0.5, 0.5), chance)


def follow(*chances):
    """Whether the hand is past the plane, look by look; None = none was told."""
    looks = Looks()
    return [bool(looks.update([] if chance is None else [hand(chance)])) for chance in chances]


def test_a_hand_is_past_the_plane_from_a_chance_on():
    assert follow(0.24, 0.25) == [False, True]


def test_who_has_a_hand_there_keeps_it_at_a_lower_chance():
    assert follow(0.2, 0.3, 0.2, 0.12, 0.11) == [False, True, True, True, False]


def test_whose_hand_was_gone_for_a_look_begins_anew():
    assert follow(0.3, None, 0.2) == [True, False, False]
    assert follow(0.3, 0.05, 0.2) == [True, False, False]


def test_a_neighbours_hand_says_nothing_of_ones_own():
    looks = Looks()
    assert looks.update([hand(0.9, 1), hand(0.2, 2)]) == [hand(0.9, 1)]
    assert looks.update([hand(0.2, 1), hand(0.2, 2)]) == [hand(0.2, 1)]


def test_the_second_hand_of_somebody_whose_first_is_there_is_easily_believed():
    looks = Looks()
    looks.update([hand(0.5)])
    assert looks.update([hand(0.5), hand(0.2)]) == [hand(0.5), hand(0.2)]
