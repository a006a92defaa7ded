"""One frame's way from picture to counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from walkers import FLOOR, person, visitor

from edge_agent.aggregates import Epoch
from edge_agent.config import OpeningHours, StaffRules, UnitConfig, parse_site
from edge_agent.errors import ModelError
from edge_agent.observations import (
    Censored,
    Closeups,
    Detections,
    Evidence,
    Frame,
    Hand,
    Poses,
    Reach,
    Stock,
)
from edge_agent.pipeline import STAGES, Models, build_pipeline, open_models, with_clip
from edge_agent.pipeline.build import opening
from edge_agent.records import Quality


def site(budget=None, **zone):
    values = {
        "budget": budget or {},
        "unit": {"id": "unit-1"},
        "camera": {"source": "recorded"},
        "zones": [{"name": "table", "floor": FLOOR, **zone}],
        "privacy": {"k": 1, "window_s": 10},
    }
    return parse_site(values, "site.yaml", Path("."))


def picture(t):
    return Frame(np.full((36, 64, 3), 128, np.uint8), t, 64, 36)


class Finds:
    """A detector that sees whatever walks."""

    input_size = (64, 64)

    def __init__(self):
        self.runtime = lambda tensor: [tensor]

    def prepare(self, frame):
        return np.array([frame.t])

    def decode(self, outputs, frame):
        assert outputs[0][0] == frame.t
        return person(frame.t, visitor(frame.t, 20, 6))


class Joints:
    """A pose model that remembers whom it was asked for."""

    def __init__(self):
        self.runtime = lambda tensor: [tensor]
        self.asked = []

    def __call__(self, frame, tracks, ids, toward):
        self.asked.append((frame.t, list(ids), dict(toward)))
        return Poses(frame.t, np.array(ids), np.zeros((len(ids), 17, 3)))


def frames(end, step=0.2):
    return [picture(round(i * step, 3)) for i in range(round(end / step) + 1)]


def test_a_walk_becomes_a_visit_and_windows():
    pipeline = build_pipeline(site(), Epoch(), Models(Finds(), None))
    visits, batches = [], []
    for frame in frames(45):
        analysis = pipeline.step(frame)
        visits += analysis.visits
        batches += analysis.batches
    last = pipeline.finish(45.0)
    visits += last.visits
    batches += last.batches
    assert [round(v.dwell_s) for v in visits] == [7, 7, 3]
    assert [v.censored for v in visits] == [Censored.NONE, Censored.NONE, Censored.RIGHT]
    assert sum(batch[0].pass_bys for batch in batches) == 3
    assert [batch[0].start for batch in batches] == [0, 10, 20, 30, 40]


def test_every_stage_is_told_once_a_frame_and_in_order():
    pipeline = build_pipeline(site(), Epoch(), Models(Finds(), Joints()))
    laps: list[str] = []
    pipeline.step(picture(0.0), laps.append)
    assert tuple(laps) == STAGES


def test_pose_runs_for_people_near_a_shelf_alone():
    shelf = [[0.45, 0.2], [0.55, 0.2], [0.55, 0.3], [0.45, 0.3]]
    near, far = Joints(), Joints()
    for joints, where in ((near, {"shelf": shelf}), (far, {})):
        pipeline = build_pipeline(site(**where), Epoch(), Models(Finds(), joints))
        for frame in frames(20):
            pipeline.step(frame)
    assert far.asked == []
    seen = [(t, toward) for t, _, toward in near.asked]
    assert seen
    assert all(
        dx**2 + dy**2 == pytest.approx(1) for _, toward in seen for dx, dy in toward.values()
    )
    # Standing at 0.75 the arm does not reach 0.55: 0.5 of a height of 0.4, at 16:9.
    assert max(t for t, _ in seen) < 10.5


class Shop:
    """A camera that sees what walks: a dark block on a grey wall."""

    def __init__(self, every=20, stay=6):
        self.every, self.stay = every, stay

    def box(self, t):
        boxes = visitor(t, self.every, self.stay)
        return person(t, boxes).boxes

    def frame(self, t):
        image = np.full((90, 160, 3), 150, np.uint8)
        for x0, y0, x1, y1 in self.box(t):
            image[round(y0 * 90) : round(y1 * 90), round(x0 * 160) : round(x1 * 160)] = 40
        return Frame(image, t, 160, 90)


class Looks(Finds):
    """Finds whatever walks, and knows when it was asked."""

    def __init__(self, every=20, stay=6, joints=False):
        super().__init__()
        self.every, self.stay, self.joints = every, stay, joints
        self.asked = []

    def decode(self, outputs, frame):
        self.asked.append(frame.t)
        found = person(frame.t, visitor(frame.t, self.every, self.stay))
        if not self.joints:
            return found
        return Detections(found.t, found.boxes, found.scores, np.ones((len(found.boxes), 17, 3)))


def walk(budget, seconds=200, fps=5, every=50, stay=6, **zone):
    looks, shop = Looks(every, stay), Shop(every, stay)
    pipeline = build_pipeline(site(budget, **zone), Epoch(), Models(looks, None))
    visits, batches = [], []
    for i in range(round(seconds * fps)):
        analysis = pipeline.step(shop.frame(round(i / fps, 3)))
        visits += analysis.visits
        batches += analysis.batches
    visits += pipeline.finish(seconds).visits
    return looks, visits, batches


def test_the_detector_rests_while_nobody_is_there_and_no_visit_changes():
    always, true, windows = walk({"gate": False, "detect_every": 1})
    gated, found, observed = walk({"detect_every": 1})
    assert len(true) == 4
    assert found == true
    assert len(always.asked) == 1000
    assert len(gated.asked) < 400
    assert [window[0] for window in observed] == [window[0] for window in windows]


def test_between_two_looks_the_ends_of_a_visit_lie_on_the_line():
    _, true, _ = walk({"gate": False, "detect_every": 1})
    sparse, found, _ = walk({})
    assert len(sparse.asked) < 250
    assert [v.enter_s for v in found] == pytest.approx([v.enter_s for v in true], abs=0.15)
    assert [v.leave_s for v in found] == pytest.approx([v.leave_s for v in true], abs=0.15)
    assert [v.bridged_s for v in found] == [0] * 4


def test_a_frame_that_the_detector_leaves_out_is_told_as_such():
    looks, shop = Looks(), Shop()
    pipeline = build_pipeline(site(), Epoch(), Models(looks, None))
    for i in range(50):
        laps: list[str] = []
        analysis = pipeline.step(shop.frame(i / 5), laps.append)
        ran = bool(looks.asked) and looks.asked[-1] == i / 5
        assert (analysis.detections is not None) is ran
        assert tuple(laps) == (STAGES if ran else ("gate", "shelf", "zones", "aggregates"))
        assert analysis.poses is None
    # Somebody is there all the same, and walks on.
    walked = [pipeline.step(shop.frame(10 + i / 5)) for i in range(100)]
    left_out = [one for one in walked if one.detections is None and len(one.tracks.ids)]
    assert left_out
    for one in left_out:
        assert one.tracks.boxes[0] == pytest.approx(shop.box(one.tracks.t)[0], abs=0.06)


def test_a_camera_that_was_away_finds_who_is_there_at_once():
    looks, shop = Looks(), Shop(1000, 900)
    pipeline = build_pipeline(site(), Epoch(), Models(looks, None))
    for i in range(50):
        pipeline.step(shop.frame(i / 5))
    pipeline.idle(30.0)
    looks.asked.clear()
    for i in range(5):
        pipeline.step(shop.frame(30 + i / 5))
    assert looks.asked == [30, 30.2, 30.4, 30.6, 30.8]


def test_joints_of_the_detector_are_poses_and_cost_no_other_model():
    shelf = [[0.45, 0.2], [0.55, 0.2], [0.55, 0.3], [0.45, 0.3]]
    joints, looks, shop = Joints(), Looks(joints=True), Shop()
    pipeline = build_pipeline(site(shelf=shelf), Epoch(), Models(looks, joints))
    poses = [pipeline.step(shop.frame(i / 5)).poses for i in range(100)]
    assert joints.asked == []
    assert any(one is not None and len(one.ids) and one.keypoints.all() for one in poses)


class Closely:
    """Looks at everybody's hands, and remembers when and at whom."""

    def __init__(self):
        self.runtime = lambda tensor: [tensor]
        self.asked = []

    def __call__(self, frame, tracks):
        self.asked.append((frame.t, tracks.ids.tolist()))
        return Closeups(
            frame.t, {"table": tuple(Hand(one, (0.5, 0.25), 0.99) for one in tracks.ids)}
        )


SHELF = [[0.45, 0.2], [0.55, 0.2], [0.55, 0.3], [0.45, 0.3]]


def test_whoever_is_in_a_frame_that_the_detector_looks_at_is_looked_at_closely():
    closely, looks, shop = Closely(), Looks(joints=True), Shop()
    pipeline = build_pipeline(site(shelf=SHELF), Epoch(), Models(looks, None, closely))
    seen = [pipeline.step(shop.frame(i / 5)) for i in range(100)]
    assert [t for t, _ in closely.asked] == looks.asked
    assert [ids for _, ids in closely.asked] == [
        one.tracks.ids.tolist() for one in seen if one.detections is not None
    ]
    assert any(ids for _, ids in closely.asked)


def test_what_a_close_look_tells_becomes_a_reach():
    found = {}
    for name, closely in (("looked", Closely()), ("not", None)):
        pipeline = build_pipeline(
            site({"gate": False, "detect_every": 1}, shelf=SHELF), Epoch(),
            Models(Looks(joints=True), None, closely),
        )  # fmt: skip
        events = [event for frame in frames(19) for event in pipeline.step(frame).events]
        found[name] = [event for event in events if isinstance(event, Reach)]
    (reach,) = found["looked"]
    assert (reach.zone, reach.evidence) == ("table", Evidence.WRIST)
    assert reach.end_s - reach.start_s > 5
    assert found["not"] == []


def opened(models, shelf=SHELF):
    values = {
        "unit": {"id": "u"}, "models": models,
        "zones": [{"name": "table", "floor": FLOOR, **({"shelf": shelf} if shelf else {})}],
    }  # fmt: skip
    return open_models(parse_site(values, "site.yaml", Path(".")))


def test_beside_the_built_in_detector_a_shelf_is_looked_at_closely():
    assert opened({}).reach is not None
    assert opened({"detector": "shelflight-nano"}).reach is not None
    assert opened({}, shelf=None).reach is None
    assert opened({"reach": "none"}).reach is None


def test_beside_another_detector_only_who_is_named_looks_closely(data, monkeypatch):
    monkeypatch.setenv("SHELFLIGHT_MODELS", str(data / "models"))
    assert opened({"detector": "yolox-nano"}).reach is None
    assert opened({"detector": "yolox-nano", "reach": "shelflight-reach"}).reach is not None


def test_a_model_that_looks_at_no_hands_is_refused_as_such():
    with pytest.raises(ModelError, match=r"shelflight-nano does not tell hands.*models\.reach"):
        opened({"reach": "shelflight-nano"})


def test_who_has_no_joints_from_the_detector_is_asked_of_the_pose_model():
    class Half(Looks):
        def decode(self, outputs, frame):
            found = super().decode(outputs, frame)
            boxes = np.concatenate([found.boxes, found.boxes - [0.3, 0, 0.3, 0]])
            keypoints = np.ones((len(boxes), 17, 3))
            keypoints[len(found.boxes) :, :, 2] = 0
            return Detections(found.t, boxes, np.full(len(boxes), 0.9), keypoints)

    shelf = [[0.0, 0.2], [1.0, 0.2], [1.0, 0.3], [0.0, 0.3]]
    joints, shop = Joints(), Shop()
    pipeline = build_pipeline(site(shelf=shelf), Epoch(), Models(Half(joints=True), joints))
    poses = [pipeline.step(shop.frame(i / 5)).poses for i in range(100)]
    both = [one for one in poses if one is not None and len(one.ids) == 2]
    assert both
    assert joints.asked
    assert all(len(ids) == 1 for _, ids, _ in joints.asked)
    asked = {ids[0] for _, ids, _ in joints.asked}
    for one in both:
        given = dict(zip(one.ids.tolist(), one.keypoints.all(axis=(1, 2)).tolist(), strict=True))
        assert [known for identity, known in given.items() if identity in asked] == [False]


def test_without_a_picture_visits_are_cut_off_and_windows_close_unobserved():
    pipeline = build_pipeline(site(), Epoch(), Models(Finds(), None))
    for frame in frames(5):
        pipeline.step(frame)
    closing = pipeline.idle(35.0)
    visits, batches = closing.visits, closing.batches
    assert [v.censored for v in visits] == [Censored.RIGHT]
    assert [round(batch[0].observed_s) for batch in batches] == [5, 0, 0]
    assert [batch[0].pass_bys for batch in batches] == [1, 0, 0]


def test_a_dark_place_is_no_data_and_not_zero():
    pipeline = build_pipeline(site(), Epoch(), Models(Finds(), None))
    visits, batches = [], []
    for frame in frames(60):
        dark = 3 <= frame.t < 35
        shown = replace(frame, image=frame.image // 100) if dark else frame
        analysis = pipeline.step(shown)
        assert (pipeline.outlook.blind is not None) is (7 <= frame.t < 37)
        visits += analysis.visits
        batches += analysis.batches
    assert [v.censored for v in visits] == [Censored.RIGHT, Censored.NONE]
    observed = [round(batch[0].observed_s) for batch in batches]
    assert observed == [7, 0, 0, 3, 10, 10]
    assert [batch[0].pass_bys for batch in batches] == [1, 0, 0, 0, 1, 0]


def test_opening_hours_are_of_the_shops_own_time_and_asked_of_a_clock_that_can_be_trusted():
    seoul = replace(
        site(),
        unit=UnitConfig("unit-1", timezone="Asia/Seoul"),
        staff=StaffRules(open=OpeningHours(9 * 3600, 21 * 3600)),
    )
    midnight_utc = 1_700_006_400.0
    is_open = opening(seoul, lambda: Epoch(midnight_utc, Quality.SYNCED))
    assert [hour for hour in range(24) if is_open(3600 * hour)] == list(range(12))
    for quality in (Quality.UNSYNCED, Quality.RECORDING):
        unsure = Epoch(midnight_utc, quality)
        assert opening(seoul, lambda unsure=unsure: unsure)(3600 * 15)
    assert opening(site(), lambda: Epoch(midnight_utc, Quality.SYNCED))(3600 * 15)


def test_everybody_is_staff_while_the_shop_is_closed():
    closed = replace(site(), staff=StaffRules(open=OpeningHours(9 * 3600, 21 * 3600)))
    pipeline = build_pipeline(closed, Epoch(1_700_006_400.0, Quality.SYNCED), Models(Finds(), None))
    visits = [visit for frame in frames(40) for visit in pipeline.step(frame).visits]
    assert visits
    assert all(visit.staff for visit in visits)


def test_while_a_camera_is_blind_nobody_knows_what_facings_hold():
    corners = [[0.45, 0.2], [0.55, 0.2], [0.55, 0.3], [0.45, 0.3]]
    shelved = site(shelf=corners, facings=[{"name": "A", "polygon": corners}])
    pipeline = build_pipeline(shelved, Epoch(), Models(Finds(), None))
    batches = []
    for frame in frames(10):
        batches += pipeline.step(frame).batches
    pipeline._aggregates.add([], [Stock("table", "A", 10.0, False)])
    batches += pipeline.idle(15.0).batches
    for frame in frames(25):
        if frame.t >= 15:
            batches += pipeline.step(frame).batches
    batches += pipeline.finish(25.0).batches
    told = [batch[0].facings[0] for batch in batches]
    assert [facing.empty_s for facing in told][1:] == [0, 0]


def test_a_clip_takes_the_place_of_the_camera(tmp_path):
    configured = with_clip(site(), tmp_path / "clip.mp4", None, pace=0)
    assert configured.camera.source.value == "file"
    assert configured.camera.fps == 5
    assert with_clip(site(), tmp_path / "clip.mp4", 10, pace=0).camera.fps == 10
