"""What a unit said beside what was so: counted by hand."""

from __future__ import annotations

import pytest

from edge_agent.observations import Censored, Evidence, Handling, Move, Reach, Stock, Visit
from models.evaluate.tally import Tally, tally


def reach(start, end, zone="shelf"):
    return Reach(zone, None, start, end, Evidence.WRIST)


def pick(t, facing="A", move=Move.PICK):
    return Handling(move, "shelf", facing, t, 0.9)


def true_reach(start, end, zone="shelf"):
    return {"zone": zone, "start_s": start, "end_s": end}


def true_move(event, t, facing="A"):
    return {"event": event, "zone": "shelf", "facing": facing, "t_s": t}


def test_what_the_truth_has_no_key_for_is_not_judged():
    said = [reach(1, 2), pick(3), Visit("shelf", 0, 9), Stock("shelf", "A", 0, True)]
    assert tally(said, {"duration_s": 10}) == Tally()


def test_a_reach_is_right_once_and_where_it_shares_time():
    truth = {"reaches": [true_reach(1, 3), true_reach(8, 9), true_reach(1, 3, "table")]}
    found = tally([reach(2, 4), reach(1, 1.5), reach(20, 21)], truth)
    assert (found.reaches, found.reaches_said, found.reaches_right) == (3, 3, 1)


def test_a_move_is_right_at_its_facing_in_its_direction_and_in_time():
    truth = {"events": [true_move("pick", 5), true_move("put_back", 20)]}
    assert tally([pick(7.5)], truth).picks_right == 1
    assert tally([pick(9)], truth).picks_right == 0
    assert tally([pick(5, "B")], truth).picks_right == 0
    found = tally([pick(20), pick(20, move=Move.PUT_BACK)], truth)
    assert (found.picks_right, found.put_backs_right, found.put_backs) == (0, 1, 1)


def test_as_many_pairs_as_there_can_be_are_made():
    truth = {"events": [true_move("pick", 5), true_move("pick", 7)]}
    assert tally([pick(6.9), pick(9.5)], truth).picks_right == 2


def test_visits_are_counted_and_whole_ones_timed():
    truth = {
        "visits": [
            {"enter_s": 2, "leave_s": 12, "censored": "none"},
            {"enter_s": 0, "leave_s": 50, "censored": "left"},
        ]
    }
    said = [Visit("shelf", 0, 12), Visit("shelf", 5, 6, censored=Censored.RIGHT)]
    found = tally(said, truth)
    assert (found.visits, found.visits_said) == (2, 2)
    assert (found.dwell_s, found.dwells, found.dwell_said_s, found.dwells_said) == (10, 1, 12, 1)


def test_stock_is_asked_away_from_its_changes_and_unknown_is_wrong():
    truth = {
        "duration_s": 20,
        "stock": [{"zone": "shelf", "facing": "A", "present": [[0, 10]]}],
    }
    known = [Stock("shelf", "A", 0, True), Stock("shelf", "A", 10.5, False)]
    found = tally(known, truth)
    assert found.stock_right == found.stock == pytest.approx(29, abs=1)
    assert tally([], truth).stock_right == 0
    assert tally(known[:1], truth).stock_right < found.stock


def test_tallies_add_up():
    one = tally([reach(1, 2)], {"reaches": [true_reach(1, 2)]})
    assert (one + one + Tally()).reaches_right == 2
