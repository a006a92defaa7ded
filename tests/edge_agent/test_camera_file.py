from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from camera_stand_ins import HandClock, grey, write_avi

from edge_agent.camera import open_camera
from edge_agent.config import CameraConfig
from edge_agent.errors import ClipError
from edge_agent.observations import Layout
from edge_agent.records import Trouble


def times(path: Path, fps: float = 5.0) -> tuple[list[float], frozenset[Trouble]]:
    camera = open_camera(CameraConfig(path=path, fps=fps, pace=0), HandClock())
    taken = []
    while (frame := camera.read()) is not None:
        taken.append(frame.t)
    camera.close()
    return taken, camera.troubles()


def film(ffmpeg: str, path: Path, *options: str, rate: int = 10, seconds: float = 4) -> Path:
    scene = f"testsrc=size=160x120:rate={rate}:duration={seconds}"
    subprocess.run(
        [ffmpeg, "-v", "error", "-y", "-f", "lavfi", "-i", scene, *options, str(path)], check=True
    )
    return path


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_avi(tmp_path / "clip.avi", frames=40)


def test_at_half_the_rate_every_second_picture_comes_with_its_own_time(clip):
    camera = open_camera(CameraConfig(path=clip, fps=5, pace=0), HandClock())
    for number in range(0, 40, 2):
        frame = camera.read()
        assert frame is not None
        assert frame.t == pytest.approx(number / 10)
        assert frame.image.shape == (48, 64, 3)
        assert (frame.width, frame.height, frame.layout) == (64, 48, Layout.BGR)
        assert abs(int(frame.image[24, 32, 0]) - grey(number)) <= 2
    assert camera.read() is None
    assert camera.read() is None
    assert camera.troubles() == frozenset()


def test_asked_for_more_than_the_clip_has_every_picture_comes(clip):
    assert times(clip, fps=30)[0] == pytest.approx([number / 10 for number in range(40)])


def test_pictures_are_blue_green_red(tmp_path, ffmpeg):
    path = tmp_path / "red.avi"
    scene = "color=red:size=64x48:rate=10:duration=0.5"
    command = [ffmpeg, "-v", "error", "-f", "lavfi", "-i", scene, "-c:v", "mjpeg", str(path)]
    subprocess.run(command, check=True)
    frame = open_camera(CameraConfig(path=path, pace=0), HandClock()).read()
    assert frame is not None
    blue, green, red = frame.image[24, 32]
    assert red > 240
    assert max(blue, green) < 15


def test_played_as_filmed_it_waits_for_each_frame(clip):
    clock = HandClock()
    camera = open_camera(CameraConfig(path=clip, fps=5, pace=1), clock)
    start = clock.now
    while (frame := camera.read()) is not None:
        assert clock.now - start == pytest.approx(frame.t)


def test_a_reader_who_comes_late_misses_what_a_live_camera_would_have_dropped(clip):
    clock = HandClock()
    camera = open_camera(CameraConfig(path=clip, fps=5, pace=1), clock)
    camera.read()
    clock.pass_by(1.55)
    frame = camera.read()
    assert frame is not None
    assert frame.t == pytest.approx(1.4)
    following = camera.read()
    assert following is not None
    assert following.t == pytest.approx(1.6)
    assert clock.now - 1000 == pytest.approx(1.6)


def test_at_twenty_times_the_pace_lateness_counts_twenty_times(clip):
    clock = HandClock()
    camera = open_camera(CameraConfig(path=clip, fps=5, pace=20), clock)
    camera.read()
    clock.pass_by(0.105)
    frame = camera.read()
    assert frame is not None
    assert frame.t == pytest.approx(2.0)


def test_as_fast_as_it_goes_nothing_is_missed_however_slow_the_reader(clip):
    clock = HandClock()
    camera = open_camera(CameraConfig(path=clip, fps=5, pace=0), clock)
    taken = []
    while (frame := camera.read()) is not None:
        taken.append(frame.t)
        clock.pass_by(10)
    assert len(taken) == 20
    assert clock.slept == []


def test_a_machine_too_slow_to_decode_still_sees_a_picture_within_the_time_allowed(tmp_path):
    class SlowMachine(HandClock):
        def monotonic(self) -> float:
            self.now += 0.5
            return self.now

    path = write_avi(tmp_path / "long.avi", frames=300)
    camera = open_camera(CameraConfig(path=path, fps=5, pace=1, stall_s=2.0), SlowMachine())
    taken = []
    while (frame := camera.read()) is not None:
        taken.append(frame.t)
    assert len(taken) > 10


def test_a_closed_clip_gives_nothing_more(clip):
    camera = open_camera(CameraConfig(path=clip, pace=0), HandClock())
    camera.read()
    camera.close()
    camera.close()
    assert camera.read() is None


def test_variable_rate_is_timed_by_the_container(tmp_path, ffmpeg):
    path = film(
        ffmpeg, tmp_path / "vfr.mp4",
        "-vf", "select='not(mod(n,3))+lt(n,30)'", "-fps_mode", "vfr", "-c:v", "mpeg4", rate=30,
    )  # fmt: skip
    every = [n / 30 for n in range(120) if n < 30 or n % 3 == 0]
    assert times(path, fps=100)[0] == pytest.approx(every, abs=0.002)
    assert times(path, fps=5)[0] == pytest.approx([n / 5 for n in range(20)], abs=0.02)


@pytest.mark.parametrize("name", ["late.mkv", "late.ts"])
def test_a_clip_that_starts_late_starts_at_nought_and_is_not_cut_off(tmp_path, ffmpeg, name):
    path = film(ffmpeg, tmp_path / name, "-c:v", "mpeg4", "-output_ts_offset", "5")
    taken, troubles = times(path)
    assert taken == pytest.approx([n / 5 for n in range(20)], abs=0.002)
    assert troubles == frozenset()


def test_reordered_pictures_come_in_the_order_shown(tmp_path, ffmpeg):
    path = film(ffmpeg, tmp_path / "b.mp4", "-c:v", "mpeg4", "-bf", "2")
    assert times(path)[0] == pytest.approx([n / 5 for n in range(20)])


def test_a_bare_stream_without_stamps_is_timed_by_its_rate(tmp_path, ffmpeg):
    path = film(ffmpeg, tmp_path / "bare.mjpeg", "-c:v", "mjpeg", "-f", "mjpeg", rate=25)
    taken, troubles = times(path, fps=5)
    assert taken == pytest.approx([n / 5 for n in range(20)], abs=0.01)
    assert troubles == frozenset()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cut.mp4", ["-c:v", "mpeg4", "-movflags", "+faststart"]),
        ("cut.mkv", ["-c:v", "mpeg4"]),
        ("cut.avi", ["-c:v", "mjpeg"]),
    ],
)
def test_a_clip_cut_off_plays_to_its_end_and_says_so(tmp_path, ffmpeg, caplog, name, options):
    path = cut(film(ffmpeg, tmp_path / name, *options), 0.5)
    with caplog.at_level(logging.WARNING, "shelflight.camera"):
        taken, troubles = times(path)
    assert 1.0 < taken[-1] < 3.0
    assert troubles == {Trouble.CLIP_TRUNCATED}
    message = caplog.records[-1].getMessage()
    assert str(path) in message
    assert "ends early: it promises 40 frames (4.0 s)" in message
    assert f"({taken[-1] + 0.1:.1f} s)" in message or f"({taken[-1] + 0.2:.1f} s)" in message


def test_a_clock_that_jumps_back_is_rebased_and_told(tmp_path, ffmpeg, caplog):
    first = film(ffmpeg, tmp_path / "a.ts", "-c:v", "mpeg4", seconds=2)
    second = film(ffmpeg, tmp_path / "b.ts", "-c:v", "mpeg4", "-vf", "negate", seconds=2)
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    with caplog.at_level(logging.WARNING, "shelflight.camera"):
        taken, troubles = times(path)
    assert taken == pytest.approx([n / 5 for n in range(20)], abs=0.002)
    assert troubles == {Trouble.CLOCK_JUMPED}
    assert "jumps from 1.900 s to 0.100 s" in caplog.text


def test_a_clock_that_jumps_forward_is_believed_told_and_not_waited_for(tmp_path, ffmpeg, caplog):
    path = film(
        ffmpeg, tmp_path / "hole.mp4", "-vf", r"setpts=PTS+if(gte(N\,10)\,10/TB\,0)",
        "-fps_mode", "passthrough", "-c:v", "mpeg4", seconds=2,
    )  # fmt: skip
    clock = HandClock()
    camera = open_camera(CameraConfig(path=path, fps=5, pace=1), clock)
    taken = []
    with caplog.at_level(logging.WARNING, "shelflight.camera"):
        while (frame := camera.read()) is not None:
            taken.append(frame.t)
    expected = [0, 0.2, 0.4, 0.6, 0.8, 11, 11.2, 11.4, 11.6, 11.8]
    assert taken == pytest.approx(expected, abs=0.002)
    assert camera.troubles() == {Trouble.CLOCK_JUMPED}
    assert "jumps from 0.900 s to 11.000 s" in caplog.text
    assert sum(clock.slept) < 2


@pytest.mark.parametrize(
    "content", [b"", b"not a film at all\n" * 100, b"RIFF\x00\x00\x00\x00AVI "]
)
def test_what_is_no_film_is_refused_by_name(tmp_path, content):
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(ClipError, match=r"bad\.mp4: no picture can be decoded; check with"):
        open_camera(CameraConfig(path=path), HandClock())


def test_an_mp4_whose_index_is_lost_is_refused(tmp_path, ffmpeg):
    path = cut(film(ffmpeg, tmp_path / "lost.mp4", "-c:v", "mpeg4"), 0.5)
    with pytest.raises(ClipError, match=r"lost\.mp4: no picture"):
        open_camera(CameraConfig(path=path), HandClock())


def test_sound_without_pictures_is_refused(tmp_path, ffmpeg):
    path = tmp_path / "sound.wav"
    subprocess.run(
        [ffmpeg, "-v", "error", "-f", "lavfi", "-i", "sine=d=0.2", str(path)], check=True
    )
    with pytest.raises(ClipError, match=r"sound\.wav: no picture"):
        open_camera(CameraConfig(path=path), HandClock())


def test_a_clip_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ClipError, match=r"gone\.mp4 does not exist: name a clip"):
        open_camera(CameraConfig(path=tmp_path / "gone.mp4"), HandClock())
    with pytest.raises(ClipError, match="is a folder"):
        open_camera(CameraConfig(path=tmp_path), HandClock())
    with pytest.raises(ClipError, match=r"camera\.path is missing"):
        open_camera(CameraConfig(), HandClock())


def test_a_name_that_looks_like_an_address_is_a_file(tmp_path, monkeypatch):
    write_avi(tmp_path / "plain.avi", frames=5).rename(tmp_path / "http:x.avi")
    monkeypatch.chdir(tmp_path)
    assert len(times(Path("http:x.avi"), fps=10)[0]) == 5


def test_ffmpegs_own_chatter_is_not_printed(tmp_path):
    path = cut(write_avi(tmp_path / "cut.avi", frames=40, size=(160, 120)), 0.5)
    program = (
        "import sys; from pathlib import Path; from edge_agent.camera import open_camera\n"
        "from edge_agent.clock import SystemClock; from edge_agent.config import CameraConfig\n"
        "import logging; logging.disable()\n"
        "c = open_camera(CameraConfig(path=Path(sys.argv[1]), pace=0), SystemClock())\n"
        "while c.read(): pass\n"
        "try: open_camera(CameraConfig(path=Path(sys.argv[2])), SystemClock())\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(path.read_bytes()[:200])
    command = [sys.executable, "-c", program, str(path), str(bad)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    assert ran.stdout == "ClipError\n"


@pytest.mark.parametrize(
    ("name", "frames", "end"),
    [("table-visits", 360, 71.8), ("store-aisle", 23, 4.4), ("bottle-shelf", 76, 14.98)],
)
def test_real_footage_at_five_frames_a_second(data, name, frames, end):
    taken, troubles = times(data / "footage" / f"{name}.mp4")
    assert abs(len(taken) - frames) <= 1
    assert taken[-1] == pytest.approx(end, abs=0.21)
    assert troubles == frozenset()
