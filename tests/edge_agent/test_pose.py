from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planes import i420
from tiny_models import entry, input_spec

from edge_agent.errors import ModelError
from edge_agent.manifest import Axes, Colour, Decoder, Dtype, load, model_path
from edge_agent.observations import Frame, Keypoint, Layout, Tracks
from edge_agent.pose import Region, build_pose, crop_for
from edge_agent.runtimes import open_runtime

SPEC = input_spec(48, 48, Axes.NHWC, Dtype.UINT8, Colour.RGB, pad=0)
MODEL = entry(SPEC, Decoder.MOVENET_SINGLE)
STANDING = (0.4, 0.3, 0.5, 0.9)


def middle(_tensor):
    """A model that sees every joint in the middle of its input."""
    return [np.full((1, 1, 17, 3), 0.5, np.float32)]


def frame(width: int = 160, height: int = 90) -> Frame:
    picture = np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Frame(cv2.GaussianBlur(picture, (0, 0), 3), 4.0, width, height)


def tracks(**boxes: tuple[float, ...]) -> Tracks:
    ids = [int(name[1:]) for name in boxes]
    return Tracks(
        4.0,
        np.array(ids, np.int64),
        np.array(list(boxes.values()), np.float64),
        np.ones(len(ids)),
        np.ones(len(ids), np.bool_),
    )


def edges(region: Region, aspect: float) -> tuple[float, float, float, float]:
    return (
        region.left,
        region.top,
        region.left + region.side / aspect,
        region.top + region.side,
    )


def test_a_crop_holds_the_box_with_room_above_and_on_both_sides():
    left, top, right, bottom = edges(crop_for(STANDING, None, 16 / 9), 16 / 9)
    assert top < 0.3 - 0.6 * 0.14
    assert bottom > 0.9
    assert left < 0.4 - 0.05
    assert right > 0.5 + 0.05
    assert (left + right) / 2 == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("toward", "side"), [((-1.0, 0.0), 0), ((0.0, -1.0), 1), ((1.0, 0.0), 2), ((0.0, 1.0), 3)]
)
def test_a_crop_has_more_room_towards_the_shelf(toward, side):
    wide = (0.4, 0.4, 0.6, 0.7)
    plain = edges(crop_for(wide, None, 1.5), 1.5)
    shifted = edges(crop_for(wide, toward, 1.5), 1.5)
    room, before = abs(shifted[side] - wide[side]), abs(plain[side] - wide[side])
    assert room > before
    assert room > abs(shifted[side - 2] - wide[side - 2])


@given(
    st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 1), st.floats(0.01, 1)),
    st.one_of(st.none(), st.floats(0, 6.3).map(lambda angle: (np.cos(angle), np.sin(angle)))),
    st.sampled_from([16 / 9, 4 / 3, 1.0, 9 / 16]),
)
def test_every_crop_holds_its_box(drawn, toward, aspect):
    x, y, width, height = drawn
    box = (x, y, min(1.0, x + width), min(1.0, y + height))
    left, top, right, bottom = edges(crop_for(box, toward, aspect), aspect)
    assert left <= box[0]
    assert top <= box[1]
    assert right >= box[2]
    assert bottom >= box[3]


def test_the_region_fills_the_input_in_the_models_colours():
    seen = frame()
    tensor = build_pose(MODEL, middle).prepare(seen, Region(16 / 160, 10 / 90, 48 / 90))
    np.testing.assert_array_equal(tensor[0], seen.image[10:58, 16:64, ::-1])


@pytest.mark.parametrize(
    ("region", "inside"),
    [
        (Region(-24 / 160, 0.0, 48 / 90), (slice(None), slice(24, None))),
        (Region(136 / 160, 0.0, 48 / 90), (slice(None), slice(0, 24))),
        (Region(0.0, -12 / 90, 48 / 90), (slice(12, None), slice(None))),
        (Region(0.0, 78 / 90, 48 / 90), (slice(0, 12), slice(None))),
    ],
)
def test_what_hangs_over_the_border_is_padding(region, inside):
    pose = build_pose(MODEL, middle)
    seen = Frame(np.full((90, 160, 3), 200, np.uint8), 0.0, 160, 90)
    pose.prepare(seen, Region(0.1, 0.1, 0.5))
    tensor = pose.prepare(seen, region)
    expected = np.zeros((48, 48, 3), np.uint8)
    expected[inside] = 200
    np.testing.assert_array_equal(tensor[0], expected)


def test_a_region_beside_the_frame_is_all_padding():
    tensor = build_pose(MODEL, middle).prepare(frame(), Region(1.5, 0.0, 0.5))
    assert not tensor.any()


def test_an_i420_frame_gives_the_input_that_its_bgr_twin_gives():
    seen, region = frame(), Region(0.1, -0.2, 0.9)
    planes = Frame(i420(seen.image, 192), 0.0, 160, 90, Layout.I420)
    pose = build_pose(MODEL, middle)
    plain = pose.prepare(seen, region).astype(int)
    np.testing.assert_allclose(pose.prepare(planes, region).astype(int), plain, atol=8)


def test_joints_come_back_as_fractions_of_the_frame():
    output = np.zeros((1, 1, 17, 3), np.float32)
    output[0, 0, Keypoint.LEFT_WRIST] = (0.25, 0.75, 0.6)
    region = Region(-16 / 160, 9 / 90, 48 / 90)
    joints = build_pose(MODEL, middle).decode([output], frame(), region)
    assert joints.shape == (17, 3)
    assert joints.dtype == np.float64
    expected = [(-16 + 36) / 160, (9 + 12) / 90, 0.6]
    np.testing.assert_allclose(joints[Keypoint.LEFT_WRIST], expected, atol=1e-6)


def test_only_the_tracks_named_are_looked_at_in_their_order():
    runs = []
    pose = build_pose(MODEL, lambda tensor: runs.append(tensor) or middle(tensor))
    people = tracks(_7=(0.1, 0.2, 0.2, 0.8), _3=STANDING, _9=(0.7, 0.2, 0.8, 0.8))
    found = pose(frame(), people, [9, 7], {9: (1.0, 0.0), 7: None})
    assert found.ids.tolist() == [9, 7]
    assert found.t == 4.0
    assert len(runs) == 2
    assert found.keypoints.shape == (2, 17, 3)
    # The middle of each crop lies in its person's box, or towards the shelf.
    assert found.keypoints[0, 0, 0] > 0.75
    assert found.keypoints[1, 0, 0] == pytest.approx(0.15, abs=0.01)


def test_no_tracks_give_no_poses_and_an_unknown_track_is_an_error():
    pose = build_pose(MODEL, middle)
    found = pose(frame(), tracks(_1=STANDING), [], {})
    assert found.keypoints.shape == (0, 17, 3)
    assert found.ids.dtype == np.int64
    with pytest.raises(KeyError):
        pose(frame(), tracks(_1=STANDING), [2], {})


def test_another_output_or_another_decoder_is_an_error():
    pose = build_pose(MODEL, middle)
    with pytest.raises(ModelError, match=r"MoveNet gives \[1, 1, 17, 3\]"):
        pose.decode([np.zeros((1, 6, 56), np.float32)], frame(), Region(0, 0, 1))
    with pytest.raises(ModelError, match="no joints"):
        build_pose(entry(), middle)


def test_joints_of_a_shopper_at_a_table_lie_on_the_body(data):
    """Seen from behind at 30 s: the person stands in x 0.50..0.69, y 0.0..0.86 of the frame."""
    model = load().get("movenet-lightning-int8")
    pytest.importorskip("ai_edge_litert", reason="pip install 'shelflight[tflite]'")
    pose = build_pose(model, open_runtime(model, model_path(model, data / "models"), 2))
    clip = cv2.VideoCapture(str(data / "footage" / "table-visits.mp4"))
    clip.set(cv2.CAP_PROP_POS_FRAMES, 300)
    image = clip.read()[1]
    seen = Frame(image, 30.0, 768, 432)
    for toward in (None, (1.0, 0.0), (-1.0, 0.0), (0.0, -1.0)):
        found = pose(seen, tracks(_1=(0.49, 0.01, 0.70, 0.86)), [1], {1: toward})
        joints = found.keypoints[0]
        trunk = joints[[5, 6, 11, 12]]
        assert (trunk[:, 2] > 0.3).all()
        assert ((joints[:, 0] > 0.48) & (joints[:, 0] < 0.71)).all()
        assert joints[Keypoint.NOSE, 1] < 0.16
        assert 0.18 < joints[5:7, 1].mean() < 0.3
        assert 0.42 < joints[11:13, 1].mean() < 0.58
        assert joints[15:17, 1].mean() > 0.75
        assert joints[Keypoint.LEFT_SHOULDER, 0] < joints[Keypoint.RIGHT_SHOULDER, 0]
