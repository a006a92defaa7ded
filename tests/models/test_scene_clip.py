"""A rendered clip: the same from the same seed, and its files agree with one another."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge_agent.config import load_site
from edge_agent.errors import InputError, StorageError
from edge_agent.observations import Tracks
from edge_agent.zones import Floors
from models.__main__ import main
from models.scene import clip
from models.scene.clip import Order, make
from models.scene.render import Clip, render
from models.scene.stage import set_stage, tell
from models.scene.story import Traffic

SMALL = Order(seed=1, seconds=12, fps=5, size=(320, 180), workers=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene") / "shop"
    make(SMALL, folder)
    return folder


@pytest.fixture(scope="module")
def labels(folder):
    with np.load(folder / "labels.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def truth(folder):
    return json.loads((folder / "truth.json").read_text())


def test_two_workers_draw_the_frames_that_one_draws():
    order = Clip(5, (192, 108), 10.0, 44)
    stage = set_stage(order.seed, order.size)
    story = tell(stage, Traffic(), order.frames / order.fps)
    alone = list(render(order, stage, story, workers=1))
    shared = list(render(order, stage, story, workers=2))
    assert len(alone) == len(shared) == 44
    for (picture, labels), (other, same) in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(picture, other)
        np.testing.assert_array_equal(labels.boxes, same.boxes)
        np.testing.assert_array_equal(labels.keypoints, same.keypoints)


def test_the_same_seed_writes_the_same_files_again(tmp_path):
    order = replace(SMALL, seconds=2)
    for name in ("one", "other"):
        make(order, tmp_path / name)
    for name in ("site.yaml", "truth.json", "clip.mp4"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_another_seed_is_another_shop(folder, tmp_path):
    make(replace(SMALL, seed=3, seconds=1), tmp_path)
    assert (tmp_path / "site.yaml").read_text() != (folder / "site.yaml").read_text()


def test_the_site_passes_the_units_own_check(folder, truth):
    site = load_site(folder / "site.yaml")
    assert [zone.name for zone in site.zones] == [zone["name"] for zone in truth["zones"]]
    assert site.privacy.k == 1
    assert all(zone.floor and zone.shelf and zone.facings for zone in site.zones)


def test_the_video_has_every_frame(folder, truth):
    video = cv2.VideoCapture(str(folder / "clip.mp4"))
    sizes = []
    while (got := video.read())[0]:
        sizes.append(got[1].shape)
    assert sizes == [(180, 320, 3)] * SMALL.frames
    assert truth["duration_s"] == SMALL.seconds


def test_labels_lie_in_the_picture(labels):
    boxes, points = labels["boxes"], labels["keypoints"]
    assert len(boxes) > 20
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert (boxes[:, 2:] >= boxes[:, :2]).all()
    assert 0 <= labels["visible"].min() <= labels["visible"].max() <= 1
    assert set(np.unique(points[:, :, 2])) <= {0, 1, 2}
    named = points[points[:, :, 2] > 0]
    assert named[:, :2].min() >= 0
    assert named[:, :2].max() <= 1
    assert labels["frame"].max() < SMALL.frames
    assert (labels["size"].tolist(), float(labels["fps"])) == ([320, 180], 5.0)


def test_the_units_own_floors_count_the_true_visits_from_the_true_boxes(folder, labels, truth):
    zones = load_site(folder / "site.yaml").zones
    floors = Floors(zones, 1 / SMALL.fps)
    found = []
    for frame in range(SMALL.frames):
        rows = labels["frame"] == frame
        boxes = labels["boxes"][rows].astype(np.float64)
        ids = labels["person"][rows].astype(np.int64)
        sure = np.ones(len(ids))
        found += floors.update(Tracks(frame / SMALL.fps, ids, boxes, sure, sure > 0))
    found += floors.finish()
    long = [visit for visit in truth["visits"] if visit["dwell_s"] > 1]
    assert long, "a clip without visits tests nothing"
    for visit in long:
        near = [
            other
            for other in found
            if other.zone == visit["zone"]
            and abs(other.enter_s - visit["enter_s"]) < 0.35
            and abs(other.leave_s - visit["leave_s"]) < 0.35
        ]
        assert near, visit
    assert len(found) <= len(truth["visits"]) + 1


def test_stock_changes_where_a_product_moves(truth):
    spans = {(stock["zone"], stock["facing"]): stock["present"] for stock in truth["stock"]}
    for event in truth["events"]:
        edges = [span[event["event"] == "pick"] for span in spans[event["zone"], event["facing"]]]
        assert event["t_s"] in edges


def test_what_breaks_off_leaves_no_file(monkeypatch, tmp_path):
    def breaks(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(clip, "render", breaks)
    with pytest.raises(KeyboardInterrupt):
        make(SMALL, tmp_path / "shop")
    assert list((tmp_path / "shop").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError, match="taken"):
        make(replace(SMALL, seconds=1), tmp_path / "taken")


@pytest.mark.parametrize(
    "words",
    [
        ["--seed", "1"],
        ["--seed", "-1", "--out", "x"],
        ["--seed", "1", "--out", "x", "--seconds", "0"],
        ["--seed", "1", "--out", "x", "--size", "640"],
        ["--seed", "1", "--out", "x", "--busy", "2"],
        ["--contact-sheet", "x.jpg", "--seeds", "9-1"],
    ],
)
def test_a_wrong_call_is_told_and_exits_2(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["scene", *words]) == InputError.exit_code
    assert "--" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
