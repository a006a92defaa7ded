"""What hands did belongs to a visit, and some visits are those of staff."""

from __future__ import annotations

import pytest
from zone_world import TABLE, play, through, tracks, walk

from edge_agent.config import OpeningHours, StaffRules, Zone
from edge_agent.geometry import Polygon
from edge_agent.observations import (
    Abstained,
    Doings,
    Evidence,
    Handling,
    Move,
    Reach,
    Stock,
    Visit,
)
from edge_agent.zones import Floors, Staff


def reach(start, end, track=1, zone="table", facing="A"):
    return Reach(zone, facing, start, end, Evidence.WRIST, track=track)


def pick(t, track=1, move=Move.PICK):
    return Handling(move, "table", "A", t, 0.9, track)


def told(floors, frames, *events):
    """Visits of a story in which each event is noted when it is over."""
    visits, waiting = [], list(events)
    for frame in frames:
        for event in waiting:
            if getattr(event, "t_s", None) == frame.t or getattr(event, "end_s", None) == frame.t:
                floors.note(event)
        visits += floors.update(frame)
    return visits + floors.finish()


def test_a_visit_gathers_what_its_own_hands_did():
    events = (
        reach(4, 5),
        pick(5),
        reach(5, 6, track=2),
        reach(5, 7, track=None),
        reach(5, 8, zone="elsewhere"),
        Stock("table", "A", 5, False),
        Abstained("table", "A", 6),
    )
    (visit,) = told(Floors([TABLE], 0.2), walk(through, 0, 16), *events)
    assert (visit.reaches, visit.picks, visit.put_backs) == (1, 1, 0)
    assert visit.first_reach_s == pytest.approx(2.0, abs=0.05)
    assert visit.chose_s == pytest.approx(3.0, abs=0.05)


def test_a_visit_that_changes_its_track_keeps_what_its_hands_did():
    frames = [
        *walk(through, 0, 6, identity=1),
        *walk(lambda t: min(through(t), 0.6), 6.2, 16, identity=2),
    ]
    (visit,) = told(Floors([TABLE], 0.2), frames, reach(3, 4), reach(8, 9, track=2))
    assert visit.reaches == 2


def test_the_next_visit_begins_with_empty_hands():
    def twice(t):
        return 0.6 if t < 6 or t > 12 else 0.2

    visits = told(Floors([TABLE], 0.2), walk(twice, 0, 20), reach(2, 4))
    assert [visit.reaches for visit in visits] == [1, 0]


COUNTER = Zone(
    "counter",
    floor=Polygon(((0.1, 0.5), (0.3, 0.5), (0.3, 1.0), (0.1, 1.0))),
    staff=True,
)


def test_who_stood_where_only_staff_stand_is_staff_on_every_floor_from_then_on():
    def clerk(t):
        return 0.6 if t < 4 or t > 14 else 0.2

    visits = play(Floors([TABLE, COUNTER], 0.2), walk(clerk, 0, 20))
    assert [(visit.zone, visit.staff) for visit in visits] == [
        ("table", False),
        ("counter", True),
        ("table", True),
    ]


def test_who_only_passes_the_counter_is_no_staff():
    def passer(t):
        return 0.2 if t < 3 else 0.6

    visits = play(Floors([TABLE, COUNTER], 0.2), walk(passer, 0, 20))
    assert [visit.staff for visit in visits] == [False, False]


def test_staff_that_a_tracker_loses_out_on_the_floor_stays_staff():
    def out(t):
        return 0.2 if t < 8 else 0.6

    frames = [*walk(out, 0, 14, identity=1), *walk(out, 14.2, 20, identity=2)]
    visits = play(Floors([TABLE, COUNTER], 0.2), frames)
    assert [(visit.zone, visit.staff) for visit in visits] == [("counter", True), ("table", True)]


def test_another_person_beside_staff_is_none():
    both = [tracks(i / 5, (1, 0.2), (2, 0.6)) for i in range(60)]
    visits = play(Floors([TABLE, COUNTER], 0.2), both)
    assert {visit.zone: visit.staff for visit in visits} == {"counter": True, "table": False}


def test_staff_that_is_unseen_for_a_while_stays_staff_and_is_forgotten_in_the_end():
    def clerk(t):
        return 0.2 if t < 10 else 0.6

    floors = Floors([TABLE, COUNTER], 0.2)
    visits = [
        v for f in walk(clerk, 0, 40, seen=lambda t: not 10 < t < 25) for v in floors.update(f)
    ]
    for i in range(400):
        visits += floors.update(tracks(40 + i / 5))
    assert [(visit.zone, visit.staff) for visit in visits] == [("counter", True), ("table", True)]
    assert not floors._people


def test_floors_ask_the_shops_rules():
    floors = Floors([TABLE], 0.2, Staff(StaffRules(dwell_s=8)))
    (visit,) = play(floors, walk(through, 0, 16))
    assert visit.staff


def visit(dwell=30.0, picks=0, put_backs=0, enter=100.0):
    return Visit("table", enter, enter + dwell, did=Doings(picks=picks, put_backs=put_backs))


def test_without_rules_nobody_is_staff():
    assert not Staff().behind(visit(dwell=36_000, put_backs=100))


def test_who_stays_very_long_is_staff():
    staff = Staff(StaffRules(dwell_s=900))
    assert [staff.behind(visit(dwell=dwell)) for dwell in (899, 900, 5000)] == [False, True, True]


@pytest.mark.parametrize(
    ("picks", "put_backs", "staff"),
    [(0, 3, False), (0, 4, True), (3, 4, True), (4, 4, False), (9, 8, False), (7, 8, True)],
)
def test_who_lays_much_on_the_shelf_and_more_than_he_takes_restocks(picks, put_backs, staff):
    rules = StaffRules(put_backs=4)
    assert Staff(rules).behind(visit(picks=picks, put_backs=put_backs)) is staff


def test_who_came_while_the_shop_was_closed_is_staff_and_who_came_before_is_not():
    hours = OpeningHours(60, 120)
    staff = Staff(is_open=hours.hold)
    assert [staff.behind(visit(enter=enter)) for enter in (50, 100, 119, 120)] == [
        True, False, False, True,
    ]  # fmt: skip
