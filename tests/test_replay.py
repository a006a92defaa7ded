"""The shipping pipeline on real footage, and on what else such footage could look like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SITE = Path(__file__).parent / "sites" / "table-visits.yaml"


def replay(data, folder, clip, site=SITE, *more):
    words = ("replay", clip, "--site", site, "--events", folder / "events.jsonl")
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", *map(str, (*words, *more))],
        capture_output=True, text=True, timeout=120,
        env={**os.environ, "SHELFLIGHT_MODELS": str(data / "models")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def truth(data, name):
    return json.loads((data / "footage" / f"{name}.truth.json").read_text())


def assert_visits(found, expected, tolerance_s):
    assert len(found) == len(expected), found
    for event, true in zip(found, expected, strict=True):
        assert event["event"] == "visit"
        assert event["zone"] == true["zone"]
        assert event["enter_s"] == pytest.approx(true["enter_s"], abs=tolerance_s)
        assert event["leave_s"] == pytest.approx(true["leave_s"], abs=tolerance_s)
        assert event["dwell_s"] == pytest.approx(event["leave_s"] - event["enter_s"], abs=0.002)
        assert event["censored"] == true["censored"]
        assert event["staff"] is False


@pytest.mark.parametrize("fps", [5, 10])
def test_the_three_visits_to_the_table_are_found_to_their_edges(data, tmp_path, fps):
    known = truth(data, "table-visits")
    clip = data / "footage" / known["clip"]
    records = tmp_path / "records.jsonl"
    found = replay(data, tmp_path, clip, SITE, "--fps", str(fps), "--records", records)
    assert_visits(found, known["visits"], known["tolerance_s"])
    windows = [w for line in records.read_text().splitlines() for w in json.loads(line)["windows"]]
    assert sum(w["pass_bys"] for w in windows) == 3
    assert sum(w["dwell_s"] for w in windows) == pytest.approx(
        sum(event["dwell_s"] for event in found), abs=0.01
    )


def altered(ffmpeg, source, target, start_s, length_s, filters):
    cut = ("-ss", str(start_s), "-i", str(source), "-t", str(length_s))
    words = (ffmpeg, "-y", "-loglevel", "error", *cut, "-vf", filters, "-an", str(target))
    subprocess.run(words, check=True, timeout=120)


def mirrored_site(folder):
    site = yaml.safe_load(SITE.read_text())
    for zone in site["zones"]:
        for key in ("floor", "shelf"):
            zone[key] = [[round(1 - x, 4), y] for x, y in zone[key]]
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(site))
    return path


@pytest.mark.parametrize(
    ("name", "filters"),
    [
        ("mirrored", "hflip"),
        ("smaller and darker", "scale=384:216,eq=brightness=-0.12"),
        ("thirty frames a second", "fps=30"),
    ],
)
def test_it_holds_on_another_cut_of_that_kind(data, tmp_path, ffmpeg, name, filters):
    known = truth(data, "table-visits")
    clip = tmp_path / "cut.mp4"
    altered(ffmpeg, data / "footage" / known["clip"], clip, 3, 19, filters)
    site = mirrored_site(tmp_path) if name == "mirrored" else SITE
    found = replay(data, tmp_path, clip, site)
    first = known["visits"][0]
    expected = {**first, "enter_s": first["enter_s"] - 3, "leave_s": first["leave_s"] - 3}
    assert_visits(found, [expected], known["tolerance_s"])


def test_a_cut_through_two_visits_censors_both_ends(data, tmp_path, ffmpeg):
    known = truth(data, "table-visits")
    clip = tmp_path / "cut.mp4"
    altered(ffmpeg, data / "footage" / known["clip"], clip, 12, 18, "null")
    found = replay(data, tmp_path, clip)
    assert [event["censored"] for event in found] == ["left", "right"]
    assert found[0]["enter_s"] == pytest.approx(0, abs=0.7)
    assert found[0]["leave_s"] == pytest.approx(18.8 - 12, abs=0.7)
    assert found[1]["enter_s"] == pytest.approx(23.9 - 12, abs=0.7)
    assert found[1]["leave_s"] == pytest.approx(18, abs=0.7)


def test_a_cut_off_recording_is_counted_as_far_as_it_goes(data, tmp_path, ffmpeg):
    whole = tmp_path / "whole.mp4"
    source = data / "footage/table-visits.mp4"
    altered(ffmpeg, source, whole, 3, 30, "null")
    fast = tmp_path / "faststart.mp4"
    copy = ("-i", str(whole), "-c", "copy", "-movflags", "+faststart", str(fast))
    subprocess.run((ffmpeg, "-y", "-loglevel", "error", *copy), check=True, timeout=60)
    clip = tmp_path / "cut.mp4"
    clip.write_bytes(fast.read_bytes()[: fast.stat().st_size * 7 // 10])
    found = replay(data, tmp_path, clip)
    assert found[0]["leave_s"] == pytest.approx(15.8, abs=0.7)


def test_the_overlay_is_a_video_of_the_analysed_frames(data, tmp_path, ffmpeg):
    import cv2

    clip, overlay = tmp_path / "cut.mp4", tmp_path / "overlay.mp4"
    altered(ffmpeg, data / "footage/table-visits.mp4", clip, 10, 4, "null")
    replay(data, tmp_path, clip, SITE, "--overlay", overlay)
    capture = cv2.VideoCapture(str(overlay))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 20
    shown, picture = capture.read()
    assert shown
    assert picture.shape[1] >= 960
    capture.release()
