"""What a unit sees: values, and what a visit gathers from its hands."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.observations import Doings, Evidence, Handling, Move, Reach, Visit


def reach(facing, start, end=None):
    return Reach("table", facing, start, end or start + 1, Evidence.BOTH, track=1)


def pick(facing, t):
    return Handling(Move.PICK, "table", facing, t, 0.9, track=1)


def put_back(facing, t):
    return Handling(Move.PUT_BACK, "table", facing, t, 0.9, track=1)


def visit(*events, enter=10.0):
    return Visit("table", enter, 60.0, did=reduce(Doings.add, events, Doings()))


def test_a_visit_without_hands_has_done_nothing():
    plain = visit()
    assert (plain.reaches, plain.picks, plain.put_backs, plain.switches) == (0, 0, 0, 0)
    assert (plain.first_reach_s, plain.chose_s) == (None, None)


def test_a_shopper_who_looks_at_two_and_takes_the_second():
    seen = visit(reach("A", 14), reach("B", 20), pick("B", 20.5))
    assert (seen.reaches, seen.picks, seen.switches) == (2, 1, 1)
    assert (seen.first_reach_s, seen.chose_s) == (4.0, 10.5)


def test_the_first_reach_is_the_one_that_began_first_whichever_ended_first():
    assert visit(reach("A", 18, 19), reach("A", 15, 25)).first_reach_s == 5.0


def test_a_hand_at_the_shelf_before_the_feet_are_on_the_floor_is_there_at_once():
    assert visit(reach("A", 9.6)).first_reach_s == 0.0


def test_what_is_put_back_where_it_was_was_not_chosen():
    assert visit(pick("A", 20), put_back("A", 25)).chose_s is None
    assert visit(pick("A", 20), pick("B", 30), put_back("B", 35)).chose_s == 10.0


def test_of_two_picks_at_one_facing_the_latest_is_the_one_that_came_back():
    assert visit(pick("A", 20), pick("A", 30), put_back("A", 35)).chose_s == 10.0


def test_what_is_put_back_elsewhere_leaves_the_choice_and_is_counted():
    restocked = visit(pick("A", 20), put_back("B", 25))
    assert (restocked.picks, restocked.put_backs, restocked.chose_s) == (1, 1, 10.0)


@pytest.mark.parametrize(
    ("facings", "switches"),
    [("AAA", 0), ("AB", 1), ("ABA", 2), ("-A", 0), ("A-", 0), ("A-A", 0), ("A-B", 1), ("--", 0)],
)
def test_a_switch_is_from_one_known_facing_to_another(facings, switches):
    events = [reach(None if name == "-" else name, 12 + i) for i, name in enumerate(facings)]
    assert visit(*events).switches == switches


moves = st.tuples(st.sampled_from(Move), st.sampled_from("AB"))


@given(st.lists(moves, max_size=30))
def test_no_more_comes_back_than_was_taken_and_counts_are_those_told(told):
    events = [
        Handling(move, "table", facing, 20.0 + i, 0.9) for i, (move, facing) in enumerate(told)
    ]
    seen = visit(*events)
    assert seen.picks + seen.put_backs == len(events)
    assert seen.picks - seen.put_backs <= len(seen.did.kept) <= seen.picks
