"""Pictures of a real shop are labelled by the models that ship."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from edge_agent.errors import InputError
from models.train.teacher import SURE, Teacher, footage

TEACHERS = "yolox-nano+movenet-lightning-int8"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "footage"
    made.mkdir()
    return made


def test_a_folder_gives_its_pictures_and_its_recordings_a_second_apart(data, folder):
    shutil.copy(data / "images/000000000139.jpg", folder)
    shutil.copy(data / "footage/bottle-shelf.mp4", folder)
    pictures = list(footage(folder, every_s=4.0))
    assert [picture.shape for picture in pictures] == [(426, 640, 3)] + [(360, 640, 3)] * 4


def test_an_empty_folder_and_a_broken_picture_are_told(folder):
    with pytest.raises(InputError, match=r"no \.jpg"):
        list(footage(folder))
    (folder / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"broken\.jpg is no picture"):
        list(footage(folder))


def test_a_shopper_is_labelled_with_the_joints_that_can_be_seen(data, monkeypatch):
    monkeypatch.setenv("SHELFLIGHT_MODELS", str(data / "models"))
    capture = cv2.VideoCapture(str(data / "footage/table-visits.mp4"))
    capture.set(cv2.CAP_PROP_POS_MSEC, 12_000)
    _, image = capture.read()
    capture.release()
    taught = Teacher(TEACHERS)(image.astype(np.uint8))
    sure = taught.visible == 1
    assert sure.any(), f"somebody stands at the table with a score of {SURE}"
    states = taught.keypoints[sure][..., 2]
    assert set(np.unique(states)) <= {0, 2}
    assert (states == 2).sum() >= 8


@pytest.mark.parametrize("name", ["yolox-nano", "a+b+c"])
def test_a_teacher_is_two_models(name):
    with pytest.raises(InputError, match="joined by '\\+'"):
        Teacher(name)
