"""Drawn people: whole, in their place, told apart, and taken for people by a stranger."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.detector import YoloxDetector, build_detector
from edge_agent.manifest import load
from edge_agent.observations import Frame, Keypoint
from edge_agent.runtimes import open_runtime
from models.scene.camera import Camera
from models.scene.canvas import NOBODY, Canvas
from models.scene.figure import Drawn, Light, Look, build_random, draw, keypoints
from models.scene.look import Bag, Hat
from models.scene.posture import Act, stance_of
from models.scene.raster import rasterise
from models.scene.stance import Build, Joint, Stance

WIDTH, HEIGHT = 640, 360
ADULT = Build(1.75)
TOWARDS, AWAY = -np.pi / 2, np.pi / 2


def camera(up: float = 2.3, tilt_deg: float = 14) -> Camera:
    position = np.array([0.0, 0.0, up])
    tilt = np.radians(tilt_deg)
    ahead = np.array([0.0, np.cos(tilt), -np.sin(tilt)])
    return Camera.at(WIDTH, HEIGHT, 70, position, position + ahead)


def floor_and_wall(seen: Camera, rng: np.random.Generator | None = None) -> Canvas:
    """A tiled floor up to a wall 9 m away, with goods on the wall where rng is given."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    rays = np.stack(
        [(x - WIDTH / 2) / seen.focal, (y - HEIGHT / 2) / seen.focal, np.ones_like(x)], axis=-1
    )
    rays = rays @ seen.rotation
    to_floor = np.where(
        rays[..., 2] < -1e-3, seen.position[2] / -np.minimum(rays[..., 2], -1e-3), 99
    )
    to_wall = 9 / np.maximum(rays[..., 1], 1e-3)
    depth = np.minimum(to_floor, to_wall)
    spot = seen.position + rays * depth[..., None]
    tiles = 150 - 25 * ((spot[..., :2] / 0.6 % 1) < 0.03).any(-1)
    colour = np.repeat(tiles[..., None], 3, axis=2).astype(np.uint8)
    wall = to_wall < to_floor
    colour[wall] = 185
    if rng is not None:
        goods = rng.integers(40, 215, (50, 12, 3))
        column = (spot[..., 0] / 0.17).astype(int) % 50
        row = np.clip(spot[..., 2] / 0.35, 0, 11).astype(int)
        shelves = wall & (spot[..., 2] < 2)
        colour[shelves] = goods[column, row][shelves]
    return Canvas(colour, depth.astype(np.float32), np.zeros((HEIGHT, WIDTH), np.uint8))


def standing(x: float = 0.0, y: float = 4.0, heading: float = TOWARDS, **more: float) -> Stance:
    return stance_of(Act(x, y, heading, **more), ADULT)


def a_look(seed: int = 0, build: Build = ADULT) -> Look:
    look = Look.random(np.random.default_rng(seed), build)
    return replace(look, bag=Bag.NONE, hat=Hat.NONE)


def drawn(
    canvas: Canvas, seen: Camera, stance: Stance, person: int = 1, look: Look | None = None
) -> Drawn:
    return draw(canvas, seen, Light(), ADULT, look or a_look(), stance, person)


def test_the_same_person_is_drawn_the_same_again() -> None:
    seen = camera()
    pictures = []
    for _ in range(2):
        canvas = floor_and_wall(seen)
        result = drawn(canvas, seen, standing(walk=1.0, phase=1.2))
        pictures.append((canvas.colour, canvas.depth, canvas.owner, result))
    assert all(np.array_equal(a, b) for a, b in zip(*(p[:3] for p in pictures), strict=True))
    assert pictures[0][3] == pictures[1][3]


def test_the_box_and_the_count_are_those_of_the_pixels() -> None:
    seen = camera()
    canvas = floor_and_wall(seen)
    result = drawn(canvas, seen, standing(walk=1.0, phase=0.4))
    y, x = np.nonzero(canvas.owner == 1)
    assert result.box == pytest.approx((x.min(), y.min(), x.max() + 1, y.max() + 1), abs=1.6)
    assert result.pixels == pytest.approx(len(x), rel=0.02)
    assert result.cut == pytest.approx(0)


def test_a_person_is_as_tall_as_their_build_and_stands_on_the_floor() -> None:
    seen = camera()
    canvas = floor_and_wall(seen)
    result = drawn(canvas, seen, standing())
    top = seen.project(np.array([0.0, 4.0, 1.75]))[1]
    toes = seen.project(standing().joints[[Joint.LEFT_TOE, Joint.RIGHT_TOE]] * (1, 1, 0))[:, 1]
    assert result.box[1] == pytest.approx(top, abs=0.03 * 1.75 * seen.focal / 4)
    assert result.box[3] == pytest.approx(toes.max(), abs=0.04 * 1.75 * seen.focal / 4)


def test_depths_are_those_of_the_skin() -> None:
    seen = camera()
    canvas = floor_and_wall(seen)
    stance = standing()
    drawn(canvas, seen, stance)
    x, y, depth = seen.project(stance.joints[Joint.CHEST])
    skin = canvas.depth[int(y), int(x)]
    assert 0.05 < depth - skin < 0.2


def test_who_stands_in_front_hides_who_stands_behind_in_either_order() -> None:
    seen = camera()
    near, far = standing(0.0, 3.0), standing(0.15, 5.0)
    canvases = []
    for order in ((1, 2), (2, 1)):
        canvas = floor_and_wall(seen)
        results = {}
        for person in order:
            stance = near if person == 1 else far
            results[person] = drawn(canvas, seen, stance, person, a_look(person))
        seen_of_far = (canvas.owner == 2).sum() / results[2].pixels
        assert 0.02 < seen_of_far < 0.6
        assert (canvas.owner == 1).sum() == pytest.approx(results[1].pixels, rel=0.02)
        canvases.append(canvas)
    assert (canvases[0].owner == canvases[1].owner).mean() > 0.999


def test_somebody_half_out_of_the_frame_is_cut_by_half() -> None:
    seen = camera()
    depth = seen.project(standing().joints[Joint.CHEST])[2]
    edge = (WIDTH / 2) / seen.focal * depth
    result = drawn(floor_and_wall(seen), seen, standing(edge))
    assert 0.3 < result.cut < 0.7
    assert result.box[2] == WIDTH


def test_somebody_behind_the_camera_leaves_no_trace() -> None:
    seen = camera()
    canvas = floor_and_wall(seen)
    before = canvas.colour.copy()
    result = drawn(canvas, seen, standing(0.0, -3.0))
    assert (result.pixels, result.cut) == (0, 1)
    assert np.array_equal(canvas.colour, before)


@pytest.mark.parametrize("y", [0.3, 0.6, 1.0])
def test_somebody_right_under_the_camera_is_drawn_in_part(y: float) -> None:
    seen = camera(up=2.0, tilt_deg=30)
    result = drawn(floor_and_wall(seen), seen, standing(0.0, y))
    assert 0 < result.cut <= 1


def test_keypoints_know_left_from_right_and_what_is_seen() -> None:
    seen = camera()
    canvas, stance = floor_and_wall(seen), standing()
    drawn(canvas, seen, stance)
    points = keypoints(canvas, seen, stance, ADULT, 1)
    assert points[:, 2].tolist() == [2] * 17
    # Who faces the camera has the left hand on the picture's right.
    assert points[Keypoint.LEFT_WRIST, 0] > points[Keypoint.RIGHT_WRIST, 0]
    assert points[Keypoint.LEFT_EYE, 0] > points[Keypoint.NOSE, 0] > points[Keypoint.RIGHT_EYE, 0]
    elbow = seen.project(stance.joints[Joint.LEFT_ELBOW])
    assert points[Keypoint.LEFT_ELBOW, :2] == pytest.approx(elbow[:2])


def test_a_head_turned_away_shows_no_face() -> None:
    seen = camera()
    canvas, stance = floor_and_wall(seen), standing(heading=AWAY)
    drawn(canvas, seen, stance)
    points = keypoints(canvas, seen, stance, ADULT, 1)
    assert points[[Keypoint.NOSE, Keypoint.LEFT_EYE, Keypoint.RIGHT_EYE], 2].tolist() == [1, 1, 1]
    assert points[Keypoint.LEFT_SHOULDER, 2] == 2


def test_a_profile_hides_the_far_eye_and_ear() -> None:
    seen = camera()
    canvas, stance = floor_and_wall(seen), standing(heading=0.0)
    drawn(canvas, seen, stance)
    value = keypoints(canvas, seen, stance, ADULT, 1)[:, 2]
    # Facing +x, the right side is towards the camera.
    assert (value[Keypoint.RIGHT_EAR], value[Keypoint.LEFT_EAR]) == (2, 1)


def test_keypoints_behind_something_are_hidden_and_beyond_the_frame_are_absent() -> None:
    seen = camera()
    canvas, stance = floor_and_wall(seen), standing()
    drawn(canvas, seen, stance)
    row = int(seen.project(stance.joints[Joint.PELVIS])[1]) - 10
    canvas.depth[row:], canvas.owner[row:] = 1.0, NOBODY
    value = keypoints(canvas, seen, stance, ADULT, 1)[:, 2]
    assert value[Keypoint.NOSE] == 2
    assert set(value[Keypoint.LEFT_HIP :]) == {1}
    behind = keypoints(canvas, seen, standing(0.0, -3.0), ADULT, 1)
    assert set(behind[:, 2]) == {0}
    assert np.isfinite(behind).all()


def test_who_is_hidden_by_another_has_hidden_keypoints() -> None:
    seen = camera(tilt_deg=20)
    canvas = floor_and_wall(seen)
    near, far = standing(0.0, 3.0), standing(0.0, 5.0)
    drawn(canvas, seen, near, 1)
    drawn(canvas, seen, far, 2)
    assert set(keypoints(canvas, seen, near, ADULT, 1)[:, 2]) == {2}
    assert 1 in keypoints(canvas, seen, far, ADULT, 2)[:, 2]


def test_a_bag_is_drawn_but_beside_the_body_it_is_nobodys() -> None:
    seen = camera()
    bare, loaded = floor_and_wall(seen), floor_and_wall(seen)
    stance = standing(heading=0.0)
    without = drawn(bare, seen, stance)
    result = drawn(loaded, seen, stance, look=replace(a_look(), bag=Bag.BACKPACK))
    assert result.box == without.box
    nearer = (loaded.depth < floor_and_wall(seen).depth).sum()
    assert nearer > 1.05 * (loaded.owner == 1).sum()


def test_feet_darken_the_floor_but_not_a_counter_before_it() -> None:
    seen = camera()
    canvas = floor_and_wall(seen)
    clean = canvas.colour.copy()
    counter = np.s_[:, 340:]
    canvas.depth[counter] = 1.0
    drawn(canvas, seen, standing())
    assert (canvas.colour[canvas.owner == 0] < clean[canvas.owner == 0]).any()
    # An edge is soft, and the shadow is coarse, by a few pixels.
    assert np.array_equal(canvas.colour[:, 344:], clean[:, 344:])


def test_light_from_the_left_lights_the_left() -> None:
    seen = camera()
    halves = []
    for side in (-1.0, 1.0):
        canvas = floor_and_wall(seen)
        light = Light((0.9 * side, 0.0, 0.436), 0.8, 0.3)
        draw(canvas, seen, light, ADULT, a_look(), standing(), 1)
        grey = canvas.colour.mean(2)
        x = np.nonzero(canvas.owner == 1)[1]
        left = (canvas.owner == 1) & (np.arange(WIDTH) < np.median(x))
        right = (canvas.owner == 1) & ~left
        halves.append(grey[left].mean() - grey[right].mean())
    assert halves[0] > halves[1] + 10


def test_builds_and_looks_are_varied_and_people_like() -> None:
    rng = np.random.default_rng(3)
    builds = [build_random(rng) for _ in range(300)]
    looks = [Look.random(rng, build) for build in builds]
    assert 0.06 < np.mean([build.child for build in builds]) < 0.2
    assert all(0.9 <= build.height <= 2.0 and 0.75 <= build.girth <= 1.5 for build in builds)
    for field in ("hair", "hat", "bag", "glasses"):
        assert len({getattr(look, field) for look in looks}) >= 2
    assert len({look.top.pattern for look in looks}) == 6
    assert any(look.mask for look in looks)
    assert any(look.skirt for look in looks)
    assert all(hash(look) == hash(replace(look)) for look in looks[:5])


def test_neighbouring_quads_leave_no_crack_and_the_nearer_one_wins() -> None:
    x, y = np.meshgrid(np.linspace(1.3, 60.7, 12), np.linspace(2.1, 50.9, 9))
    bend = 0.9 * np.sin(y / 5)
    xy = np.stack([x + bend, y], axis=-1).reshape(-1, 2).astype(np.float32)
    index = np.arange(len(xy)).reshape(x.shape)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], axis=-1)
    quads = quads.reshape(-1, 4)
    corners = np.array([(10, 10), (30, 10), (30, 30), (10, 30)], np.float32)
    big = len(xy) + np.arange(4)
    closeness = np.append(np.full(len(xy), 0.5), np.ones(4)).astype(np.float32)
    counts = np.append(np.ones(len(quads), bool), False)
    found = rasterise(
        np.concatenate([xy, corners]), closeness, np.vstack([quads, big]), counts, (64, 56)
    )
    image = np.zeros(64 * 56)
    image[found.pixel] = found.closeness
    image = image.reshape(56, 64)
    assert image[10:30, 10:30] == pytest.approx(1)
    assert (image[4:50, 4:59] > 0).all()
    assert len(set(found.pixel.tolist())) == len(found.pixel)
    assert found.bare.reshape(56, 64)[10:30, 10:30].all()
    assert np.abs(found.weight.sum(1) - 1).max() < 1e-5


@pytest.fixture(scope="module")
def stranger(data: Path) -> YoloxDetector:
    """A detector that never saw the renderer."""
    entry = load().get("yolox-nano")
    return build_detector(entry, open_runtime(entry, data / "models" / entry.file, 1))


def test_a_stranger_finds_seven_of_ten(stranger: YoloxDetector) -> None:
    rng = np.random.default_rng(11)
    found = []
    for _ in range(36):
        seen = camera(rng.uniform(1.8, 3.2), rng.uniform(8, 35))
        canvas = floor_and_wall(seen, rng)
        build = build_random(rng)
        act = Act(
            rng.uniform(-0.6, 0.6),
            rng.uniform(2.5, 6.5),
            rng.uniform(0, 2 * np.pi),
            phase=rng.uniform(0, 2 * np.pi),
            walk=float(rng.random() < 0.5),
            bend=rng.uniform(0, 0.5),
        )
        stance, look = stance_of(act, build), Look.random(rng, build)
        result = draw(canvas, seen, Light.random(rng), build, look, stance, 1)
        if result.cut < 0.1:
            found.append(_overlap(stranger, canvas, result.box) >= 0.5)
    assert len(found) > 20
    assert np.mean(found) >= 0.7, f"{np.mean(found):.2f} of {len(found)}"


def _overlap(
    stranger: YoloxDetector, canvas: Canvas, box: tuple[float, float, float, float]
) -> float:
    picture = cv2.GaussianBlur(canvas.colour, (0, 0), 0.6)
    seen = stranger(Frame(np.asarray(picture, np.uint8), 0.0, WIDTH, HEIGHT))
    boxes = seen.boxes[seen.scores >= 0.3] * (WIDTH, HEIGHT, WIDTH, HEIGHT)
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    both = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    whole = areas + (box[2] - box[0]) * (box[3] - box[1]) - both
    return float((both / whole).max(initial=0.0))
