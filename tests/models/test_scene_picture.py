"""The shop's picture: lens, backdrop, samples."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.scene.camera import Camera
from models.scene.lens import Lens, Sensor
from models.scene.quads import Layer, Quad, paint
from models.scene.sample import frames
from models.scene.stage import set_stage

SIZE = (320, 180)


@pytest.fixture(scope="module")
def stage():
    return set_stage(25, SIZE)


@pytest.mark.parametrize("bulge", [-0.01, 0.0, 0.05])
@pytest.mark.parametrize("spot", [(40, 30), (160, 90), (300, 150)])
def test_labels_go_where_the_lens_moves_the_picture(bulge, spot):
    sensor = Sensor(Lens(bulge=bulge), SIZE, np.random.default_rng(0))
    picture = np.zeros((180, 320, 3), np.uint8)
    cv2.circle(picture, spot, 3, (255, 255, 255), -1)
    seen = sensor.expose(picture, np.random.default_rng(0))[:, :, 0].astype(float)
    y, x = (np.average(axis, weights=seen) for axis in np.mgrid[0:180, 0:320])
    place = sensor.places(np.array([spot[0] + 0.5, spot[1] + 0.5]))
    np.testing.assert_allclose(place, (x + 0.5, y + 0.5), atol=0.35)


def test_the_same_chance_gives_the_same_noise():
    sensor = Sensor(Lens(noise=6, flicker=0.01), SIZE, np.random.default_rng(1))
    grey = np.full((180, 320, 3), 120, np.uint8)
    one, again, other = (sensor.expose(grey, np.random.default_rng(n)) for n in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert 4 < one.astype(float).std() < 8


def test_a_quad_lands_where_the_camera_projects_it_and_the_nearer_one_hides():
    camera = Camera.at(64, 48, 70, np.array([0.0, -3.0, 1.0]), np.array([0.0, 0.0, 1.0]))
    layer = Layer.empty(camera)

    def square(y, half, grey):
        texture = np.full((4, 4, 3), grey, np.uint8)
        across, down = np.array([2 * half, 0, 0]), np.array([0, 0, -2 * half])
        return Quad(np.array([-half, y, 1 + half]), across, down, texture)

    paint(layer, camera, [square(-1.0, 0.2, 200), square(0.0, 1.0, 100)])
    assert layer.colour[24, 32].tolist() == [200, 200, 200]
    assert layer.depth[24, 32] == pytest.approx(2.0, abs=0.01)
    x, y, _ = camera.project(np.array([0.7, 0.0, 1.0])).tolist()
    assert layer.colour[int(y), int(x)].tolist() == [100, 100, 100]
    x, y, _ = camera.project(np.array([1.1, 0.0, 1.0])).tolist()
    assert layer.colour[int(y), int(x)].tolist() == [40, 40, 40]


def test_a_product_is_in_the_picture_just_while_it_is_in_stock(stage):
    full = [True] * len(stage.shop.facings)
    stocked = stage.backdrop.stocked(full).colour
    for index in range(len(full)):
        without = [one != index for one in range(len(full))]
        changed = (stage.backdrop.stocked(without).colour != stocked).any(axis=2)
        assert changed.any(), stage.shop.facings[index].name
        x0, y0, x1, y1 = stage.backdrop.patches[index].region
        changed[y0:y1, x0:x1] = False
        assert not changed.any()


def test_floors_are_seen_and_not_hidden_by_fixtures(stage):
    for zone in stage.zones:
        mask = np.zeros((180, 320), np.uint8)
        cv2.fillPoly(mask, [np.round(zone.floor * SIZE).astype(np.int32)], 1)
        assert (
            stage.backdrop.floor[mask > 0].mean() > 0.8 * 255
        )  # a part of the drawn floor lies under the shelf


def test_samples_follow_from_their_seed_and_have_people_in_them():
    first = list(frames(3, 2, moments=1))
    again = list(frames(3, 2, moments=1))
    assert sum(len(sample.boxes) for sample in first) > 0
    for one, other in zip(first, again, strict=True):
        assert one.image.shape == (360, 640, 3)
        assert one.image.dtype == np.uint8
        np.testing.assert_array_equal(one.image, other.image)
        assert len(one.boxes) == len(one.visible) == len(one.keypoints)
        if len(one.boxes):
            assert one.boxes.min() >= 0
            assert one.boxes.max() <= 1
            assert (one.boxes[:, 2:] > one.boxes[:, :2]).all()


def test_more_samples_begin_with_the_same_ones():
    few, more = list(frames(4, 1, moments=4)), list(frames(4, 2, moments=4))
    np.testing.assert_array_equal(few[0].image, more[0].image)
