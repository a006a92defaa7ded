"""Life in the shop, without pictures: who comes, reaches, takes and goes."""

from __future__ import annotations

import numpy as np
import pytest

from models.scene import truth
from models.scene.shopper import HAND, X, Y
from models.scene.stage import set_stage, tell
from models.scene.story import Traffic, positions


@pytest.fixture(scope="module")
def stage():
    return set_stage(25, (192, 108))


@pytest.fixture(scope="module")
def story(stage):
    return tell(stage, Traffic(), 150)


def test_the_same_seed_lives_the_same_life(stage, story):
    again = tell(stage, Traffic(), 150)
    assert again.events == story.events
    assert len(again.tracks) == len(story.tracks)
    for one, other in zip(story.tracks, again.tracks, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)


def test_people_walk_and_never_jump(story):
    for track in story.tracks:
        steps = np.hypot(*np.diff(track.rows[:, [X, Y]], axis=0).T)
        assert steps.max(initial=0) < 2.0 * 0.05


def test_nobody_walks_through_a_shelf(stage, story):
    for track in story.tracks:
        for row in track.rows[::20]:
            assert stage.shop.free(row[X], row[Y], 0.15)


def test_nobody_appears_in_plain_view(stage, story):
    """Who comes after the start begins out of the picture or behind something."""
    camera, depth = stage.shop.camera, stage.backdrop.bare.depth
    for track in story.tracks:
        if track.start == 0:
            continue
        x, y, away = camera.project(np.array([*track.rows[0, [X, Y]], 1.0])).tolist()
        inside = away > 0.3 and 0 <= x < camera.width and 0 <= y < camera.height
        assert not inside or depth[int(y), int(x)] < away


def test_a_product_is_moved_by_a_hand_past_the_shelfs_plane(stage, story):
    events = truth.events(story, stage.shop, stage.zones)
    reaches = truth.reaches(story, stage.shop, stage.zones)
    assert {event["event"] for event in events} == {"pick", "put_back"}
    for event in events:
        assert any(
            reach["facing"] == event["facing"]
            and reach["start_s"] <= event["t_s"] <= reach["end_s"]
            for reach in reaches
        ), event


def test_stock_alternates(stage, story):
    now = list(story.stocked)
    for event in story.events:
        assert now[event.facing] != event.present
        now[event.facing] = event.present
    assert story.stock_at(1e9) == tuple(now)


def test_staff_fill_bare_shelves_and_are_told_apart(stage):
    story = tell(stage, Traffic(visits_every_s=3), 400)
    staff = {track.person.number for track in story.tracks if track.person.staff}
    assert staff
    assert all(event.staff == (event.person in staff) for event in story.events)
    assert any(event.staff and event.present for event in story.events)


def test_a_quiet_shop_is_empty_most_of_the_time(stage):
    seconds = 400
    story = tell(stage, Traffic(busy=0.2), seconds)
    camera = stage.shop.camera
    seen = 0
    for second in range(seconds):
        for _, row in positions(story, second):
            x, y, away = camera.project(np.array([row[X], row[Y], 0.9])).tolist()
            if away > 0.3 and 0 < x < camera.width and 0 < y < camera.height:
                seen += 1
                break
    assert 0.1 < seen / seconds < 0.32


def test_between_two_ticks_people_are_between_two_places(story):
    track = max(story.tracks, key=lambda one: len(one.rows))
    t = (track.start + 10) * 0.05
    rows = [
        {one.person.number: row for one, row in positions(story, when)}[track.person.number]
        for when in (t, t + 0.025, t + 0.05)
    ]
    middle = (rows[0][: HAND + 8] + rows[2][: HAND + 8]) / 2
    np.testing.assert_allclose(rows[1][: HAND + 8], middle, atol=1e-6)
