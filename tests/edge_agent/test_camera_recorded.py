from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from camera_stand_ins import HandClock
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.camera import open_camera
from edge_agent.camera.recorded import RecordingWriter, open_recording
from edge_agent.config import CameraConfig, Source
from edge_agent.errors import ClipError
from edge_agent.observations import Detections

HEADER = '{"v":1,"fps":10,"size":[640,480]}'
UNIT = st.floats(0, 1)


def config(path: Path | None, fps: float = 10.0, pace: float = 0.0) -> CameraConfig:
    return CameraConfig(source=Source.RECORDED, path=path, fps=fps, pace=pace)


def seen(t: float, *boxes: tuple[float, ...]) -> Detections:
    rows = np.array(boxes, np.float64).reshape(-1, 5)
    return Detections(t, rows[:, :4], rows[:, 4])


def played(path: Path, fps: float = 10.0) -> list[Detections]:
    recording = open_recording(config(path, fps), HandClock())
    rows = []
    while (detections := recording.read()) is not None:
        rows.append(detections)
    recording.close()
    return rows


def written(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


@pytest.fixture
def ten_seconds(tmp_path: Path) -> Path:
    path = tmp_path / "people.jsonl"
    with RecordingWriter(path, fps=10, size=(640, 480)) as writer:
        for number in range(100):
            writer.add(seen(number / 10, (0.1, 0.2, 0.3, 0.4, 0.9)))
    return path


def test_the_file_is_as_documented(tmp_path):
    path = tmp_path / "two.jsonl"
    with RecordingWriter(path, fps=5, size=(640, 480)) as writer:
        writer.add(seen(0.0, (0.1, 0.2, 0.3, 0.4, 0.9)))
        writer.add(seen(0.2))
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"v": 1, "fps": 5, "size": [640, 480]},
        {"t": 0.0, "boxes": [[0.1, 0.2, 0.3, 0.4, 0.9]]},
        {"t": 0.2, "boxes": []},
    ]


@given(st.lists(st.lists(st.tuples(UNIT, UNIT, UNIT, UNIT, UNIT), max_size=4), max_size=8))
def test_what_was_written_is_read(tmp_path_factory, frames):
    path = tmp_path_factory.mktemp("recorded") / "any.jsonl"
    with RecordingWriter(path, fps=10, size=(2, 2)) as writer:
        for number, boxes in enumerate(frames):
            ordered = [(min(a, c), min(b, d), max(a, c), max(b, d), s) for a, b, c, d, s in boxes]
            frames[number] = ordered
            writer.add(seen(number / 10, *ordered))
    rows = played(path, fps=100)
    assert [row.t for row in rows] == pytest.approx([n / 10 for n in range(len(frames))])
    for row, boxes in zip(rows, frames, strict=True):
        expected = np.array(boxes, np.float64).reshape(-1, 5)
        assert row.boxes.shape == (len(boxes), 4)
        assert row.boxes == pytest.approx(expected[:, :4], abs=1e-6)
        assert row.scores == pytest.approx(expected[:, 4], abs=1e-6)


def test_rate_and_size_of_the_recording_are_told(ten_seconds):
    recording = open_recording(config(ten_seconds), HandClock())
    assert (recording.fps, recording.size) == (10, (640, 480))
    assert recording.troubles() == frozenset()
    recording.close()


def test_at_half_the_rate_every_second_row_comes(ten_seconds):
    assert [row.t for row in played(ten_seconds, fps=5)] == [n / 5 for n in range(50)]


def test_asked_for_more_every_row_comes(ten_seconds):
    assert len(played(ten_seconds, fps=30)) == 100


def test_twenty_times_faster_takes_a_twentieth(ten_seconds):
    clock = HandClock()
    recording = open_recording(config(ten_seconds, pace=20), clock)
    while recording.read() is not None:
        pass
    recording.close()
    assert clock.now - 1000 == pytest.approx(9.9 / 20)


def test_no_row_is_left_out_however_late_the_reader(ten_seconds):
    clock = HandClock()
    recording = open_recording(config(ten_seconds, pace=1), clock)
    rows = 0
    while recording.read() is not None:
        rows += 1
        clock.pass_by(3)
    recording.close()
    assert rows == 100


def test_a_closed_recording_gives_nothing_more(ten_seconds):
    recording = open_recording(config(ten_seconds), HandClock())
    recording.read()
    recording.close()
    recording.close()
    assert recording.read() is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"t":0.2,"boxes":[[0.1,', "not JSON"),
        ("", "not JSON"),
        ("[]", "not an object of boxes, t"),
        ('{"t":0.2}', "not an object of boxes, t"),
        ('{"t":0.2,"boxes":[],"ids":[]}', "not an object of boxes, t"),
        ('{"t":0.1,"boxes":[]}', "t 0.1 does not come after 0.1"),
        ('{"t":NaN,"boxes":[]}', "t nan does not come after"),
        ('{"t":"1","boxes":[]}', "t '1' does not"),
        ('{"t":0.2,"boxes":[[0,0,1,1]]}', "no list of"),
        ('{"t":0.2,"boxes":[[0,0,1,"a",1]]}', "no list of"),
        ('{"t":0.2,"boxes":null}', "no list of"),
        ('{"t":0.2,"boxes":[[0.5,0,0.4,1,1]]}', "x0 <= x1"),
        ('{"t":0.2,"boxes":[[0,0,1.5,1,1]]}', "within 0..1"),
        ('{"t":0.2,"boxes":[[0,0,1,1,NaN]]}', "within 0..1"),
    ],
)
def test_a_broken_line_is_refused_with_file_and_number(tmp_path, line, why):
    path = written(tmp_path / "bad.jsonl", '{"t":0.1,"boxes":[]}', line)
    recording = open_recording(config(path), HandClock())
    recording.read()
    with pytest.raises(ClipError, match=rf"bad\.jsonl, line 3: .*{why}"):
        recording.read()
    recording.close()


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("", "not JSON"),
        ("{}", "not an object of fps, size, v"),
        ('{"v":2,"fps":10,"size":[1,1]}', "version 2, this reads 1"),
        ('{"v":1,"fps":0,"size":[1,1]}', "above 0"),
        ('{"v":1,"fps":10,"size":[1]}', "above 0"),
        ('{"v":1,"fps":"x","size":[1,1]}', "above 0"),
    ],
)
def test_a_broken_first_line_is_refused_when_opened(tmp_path, header, why):
    path = tmp_path / "bad.jsonl"
    path.write_text(header + "\n")
    with pytest.raises(ClipError, match=rf"line 1: .*{why}"):
        open_recording(config(path), HandClock())


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(ClipError, match="line 1"):
        open_recording(config(path), HandClock())


def test_a_recording_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ClipError, match=r"gone\.jsonl: no such recording"):
        open_recording(config(tmp_path / "gone.jsonl"), HandClock())
    with pytest.raises(ClipError, match=r"camera\.path: no such recording"):
        open_recording(config(None), HandClock())


def test_a_recording_holds_no_frames(ten_seconds):
    with pytest.raises(ValueError, match="open_recording"):
        open_camera(config(ten_seconds), HandClock())
