from __future__ import annotations

from dataclasses import replace
from math import log

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planes import i420
from tiny_models import entry, input_spec

from edge_agent.detector import build_detector, suppress
from edge_agent.errors import ModelError
from edge_agent.manifest import Decoder, Limits, load, model_path
from edge_agent.observations import Frame, Layout
from edge_agent.runtimes import open_runtime

# A 64 x 64 input has 8*8 + 4*4 + 2*2 cells.
CELLS = 84


def nothing(_tensor):
    return [empty()]


def empty() -> np.ndarray:
    return np.zeros((1, CELLS, 85), np.float32)


def put(output: np.ndarray, cell: int, box: tuple[float, ...], scores: tuple[float, float]) -> None:
    """Write a box (pixels of the input) as YOLOX says it: offset in cells and log-size."""
    stride, first, across = next(
        (s, f, 64 // s) for s, f, end in ((8, 0, 64), (16, 64, 80), (32, 80, 84)) if cell < end
    )
    row, column = divmod(cell - first, across)
    x0, y0, x1, y1 = box
    output[0, cell, 0] = (x0 + x1) / 2 / stride - column
    output[0, cell, 1] = (y0 + y1) / 2 / stride - row
    output[0, cell, 2] = log((x1 - x0) / stride)
    output[0, cell, 3] = log((y1 - y0) / stride)
    output[0, cell, 4:6] = scores


def frame(width: int = 128, height: int = 64) -> Frame:
    return Frame(np.full((height, width, 3), 50, np.uint8), 3.5, width, height)


@pytest.mark.parametrize("cell", [0, 9, 63, 64, 70, 79, 80, 83])
def test_a_box_comes_out_where_each_scale_of_the_grid_put_it(cell):
    """A 128 x 64 frame fills the upper 32 rows of the input."""
    output = empty()
    put(output, cell, (16, 4, 32, 28), (0.9, 0.8))
    found = build_detector(entry(), nothing).decode([output], frame())
    np.testing.assert_allclose(found.boxes, [[16 / 64, 4 / 32, 32 / 64, 28 / 32]], atol=1e-6)
    np.testing.assert_allclose(found.scores, [0.72], atol=1e-6)
    assert found.t == 3.5
    assert found.keypoints is None


def test_doubtful_people_are_kept_down_to_the_threshold_and_other_classes_are_not():
    output = empty()
    put(output, 0, (0, 0, 8, 8), (0.4, 0.3))
    put(output, 10, (20, 0, 28, 8), (0.3, 0.3))
    put(output, 20, (40, 0, 48, 8), (0.9, 0.05))
    output[0, 20, 6] = 0.99  # a bicycle
    found = build_detector(entry(), nothing).decode([output], frame())
    np.testing.assert_allclose(found.scores, [0.12], atol=1e-6)


def test_of_two_boxes_on_one_person_the_better_stays_and_neighbours_both_stay():
    output = empty()
    put(output, 0, (10, 2, 20, 30), (0.8, 1))
    put(output, 1, (11, 2, 21, 30), (0.9, 1))
    put(output, 2, (22, 2, 32, 30), (0.7, 1))
    found = build_detector(entry(), nothing).decode([output], frame())
    np.testing.assert_allclose(found.scores, [0.9, 0.7], atol=1e-6)
    np.testing.assert_allclose(found.boxes[:, 0], [11 / 64, 22 / 64], atol=1e-6)


def test_boxes_end_at_the_frame_and_what_lies_in_the_padding_is_no_one():
    output = empty()
    put(output, 0, (-10, -10, 20, 60), (0.9, 1))
    put(output, 1, (10, 40, 20, 60), (0.9, 1))
    found = build_detector(entry(), nothing).decode([output], frame())
    np.testing.assert_allclose(found.boxes, [[0, 0, 20 / 64, 1]], atol=1e-6)


def test_an_empty_frame_gives_arrays_of_the_right_shape():
    found = build_detector(entry(), nothing)(frame())
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)
    assert found.boxes.dtype == found.scores.dtype == np.float64


def test_noise_all_over_the_grid_is_survived():
    output = np.random.default_rng(0).normal(0, 3000, (1, CELLS, 85)).astype(np.float32)
    output[..., 4:] = 1.0
    found = build_detector(entry(), nothing).decode([output], frame())
    assert ((found.boxes >= 0) & (found.boxes <= 1)).all()


@given(
    st.lists(
        st.tuples(*[st.floats(0, 1)] * 2, *[st.floats(0.01, 1)] * 2, st.floats(0.1, 1)), max_size=12
    ),
    st.floats(0.1, 0.9),
)
def test_suppression_keeps_the_best_and_leaves_no_pair_that_overlaps_more(drawn, most):
    people = sorted(((s, x, y, x + w, y + h) for x, y, w, h, s in drawn), reverse=True)
    kept = suppress(people, most)
    assert kept[:1] == people[:1]
    for i, one in enumerate(kept):
        assert all(overlap(one, other) <= most + 1e-9 for other in kept[:i])
    for one in people:
        assert one in kept or any(
            overlap(one, other) >= most - 1e-9 and other[0] >= one[0] for other in kept
        )


def overlap(one, other):
    _, x0, y0, x1, y1 = one
    _, u0, v0, u1, v1 = other
    shared = max(0, min(x1, u1) - max(x0, u0)) * max(0, min(y1, v1) - max(y0, v0))
    return shared / ((x1 - x0) * (y1 - y0) + (u1 - u0) * (v1 - v0) - shared)


def test_the_frame_is_fitted_top_left_and_the_rest_is_padding():
    detector = build_detector(entry(), nothing)
    tensor = detector.prepare(frame())
    assert (tensor[0, :, :32] == 50).all()
    assert (tensor[0, :, 32:] == 114).all()


def test_the_input_is_written_in_place_and_another_size_of_frame_leaves_nothing_behind():
    detector = build_detector(entry(), nothing)
    first = detector.prepare(frame(64, 64))
    second = detector.prepare(frame(128, 64))
    assert first is second
    assert (second[0, :, 32:] == 114).all()


def test_a_frame_of_the_models_own_size_is_taken_as_it_is():
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    tensor = build_detector(entry(), nothing).prepare(Frame(picture, 0.0, 64, 64))
    np.testing.assert_array_equal(tensor[0], picture.transpose(2, 0, 1))


@pytest.mark.parametrize("size", [(64, 64), (128, 96)])
def test_an_i420_frame_gives_the_input_that_its_bgr_twin_gives(size):
    width, height = size
    picture = cv2.GaussianBlur(
        np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8), (0, 0), 8
    )
    detector = build_detector(entry(), nothing)
    plain = detector.prepare(Frame(picture, 0.0, width, height)).copy()
    planes = Frame(i420(picture, width + 32), 0.0, width, height, Layout.I420)
    np.testing.assert_allclose(detector.prepare(planes), plain, atol=6)


def test_an_output_that_is_not_yolox_is_an_error():
    detector = build_detector(entry(), nothing)
    for shape in ((1, 50, 85), (1, CELLS, 5), (CELLS, 85)):
        with pytest.raises(ModelError, match=r"YOLOX gives \[1, 84, 5 \+ classes\]"):
            detector.decode([np.zeros(shape, np.float32)], frame())


def test_a_model_that_is_no_detector_or_has_an_odd_input_is_an_error():
    with pytest.raises(ModelError, match="no detector"):
        build_detector(entry(decoder=Decoder.MOVENET_SINGLE), nothing)
    with pytest.raises(ModelError, match="multiples of 32"):
        build_detector(entry(input_spec(60, 64)), nothing)


@pytest.fixture(scope="module")
def real(data):
    model = load().get("yolox-nano")
    return build_detector(model, open_runtime(model, model_path(model, data / "models"), 2))


def test_shoppers_at_a_table_are_found_in_nearly_every_frame(real, data):
    """By the truth's visits: 11 to 18, 25 to 43 and 54 to 68 s somebody stands at the table."""
    clip = cv2.VideoCapture(str(data / "footage" / "table-visits.mp4"))
    found, empty_frames = [], []
    for second in (*range(11, 19), *range(25, 44), *range(54, 69)):
        clip.set(cv2.CAP_PROP_POS_FRAMES, second * 10)
        people = real(picture_of(clip))
        found.append(len(people.scores) > 0 and people.scores[0] >= 0.5)
        if found[-1]:
            left, _, right, bottom = people.boxes[0]
            assert 0.43 < (left + right) / 2 < 0.79
            assert bottom > 0.8
    for second in (0, 2, 21, 47, 70.5):
        clip.set(cv2.CAP_PROP_POS_FRAMES, second * 10)
        empty_frames.append(bool((real(picture_of(clip)).scores >= 0.3).any()))
    assert np.mean(found) >= 0.98
    assert not any(empty_frames)


def test_one_person_gives_one_box(real, data):
    clip = cv2.VideoCapture(str(data / "footage" / "table-visits.mp4"))
    clip.set(cv2.CAP_PROP_POS_FRAMES, 300)
    assert (real(picture_of(clip)).scores >= 0.3).sum() == 1


def test_a_higher_threshold_of_the_manifest_drops_the_doubtful(real, data):
    model = load().get("yolox-nano")
    strict = build_detector(replace(model, limits=Limits(0.6, 0.5)), real.runtime)
    picture = cv2.imread(str(data / "images" / "000000000785.jpg"))
    seen = Frame(picture, 0.0, picture.shape[1], picture.shape[0])
    loose = real(seen)
    assert (strict(seen).scores >= 0.6).all()
    assert len(strict(seen).scores) == (loose.scores >= 0.6).sum() >= 1


def picture_of(clip) -> Frame:
    _, image = clip.read()
    return Frame(image, 0.0, image.shape[1], image.shape[0])
