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
    found = kinds(found, "visit")
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
        sum(event["dwell_s"] for event in kinds(found, "visit")), abs=0.01
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
    found = kinds(replay(data, tmp_path, clip), "visit")
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
    found = kinds(replay(data, tmp_path, clip), "visit")
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


def shelf_site(folder, known, mirrored=False):
    """A site of the truth's zones, with the models that come with the package."""
    zones = json.loads(json.dumps(known["zones"]))
    for polygon in (p for zone in zones for p in (zone, *zone.get("facings", ())) if mirrored):
        for key in polygon.keys() & {"floor", "shelf", "polygon"}:
            polygon[key] = [[round(1 - x, 4), y] for x, y in polygon[key]]
    path = folder / "shelf.yaml"
    path.write_text(yaml.safe_dump({"unit": {"id": "shelf"}, "zones": zones}))
    return path


def kinds(events, *names):
    return [event for event in events if event["event"] in names]


def assert_bottles(found, known, length_s, flipped=False):
    """The pick and the put-back, no other, both reaches, and what stands there in between."""
    turn = (lambda t: length_s - t) if flipped else (lambda t: t)
    moves = sorted((turn(event["t_s"]), event["event"]) for event in known["events"])
    if flipped:
        other = {"pick": "put_back", "put_back": "pick"}
        moves = [(t, other[name]) for t, name in moves]
    events = kinds(found, "pick", "put_back")
    assert [(one["event"], one["facing"]) for one in events] == [(n, "A") for _, n in moves]
    for event, (t, _) in zip(events, moves, strict=True):
        assert event["t_s"] == pytest.approx(t, abs=known["tolerance_s"])
    reaches = kinds(found, "reach")
    spans = sorted(sorted((turn(r["start_s"]), turn(r["end_s"]))) for r in known["reaches"])
    assert len(reaches) == len(spans)
    for reach, (start, end) in zip(reaches, spans, strict=True):
        assert reach["facing"] == "A"
        assert reach["start_s"] == pytest.approx(start, abs=1)
        assert min(reach["end_s"], end) - max(reach["start_s"], start) > 0.6 * (end - start)
    first = {one["facing"]: one["present"] for one in kinds(found, "stock")[:3]}
    assert first == {"A": True, "B": True, "C": True}
    assert [one["present"] for one in kinds(found, "stock")[3:]] == [False, True]


@pytest.mark.parametrize(
    ("name", "filters"),
    [
        ("as it is", "null"),
        ("mirrored", "hflip"),
        ("smaller and darker", "scale=400:-2,eq=brightness=-0.12"),
        ("backwards", "reverse"),
    ],
)
def test_a_hand_without_a_body_takes_a_bottle_and_puts_it_back(
    data, tmp_path, ffmpeg, name, filters
):
    known = truth(data, "bottle-shelf")
    clip = tmp_path / "clip.mp4"
    altered(ffmpeg, data / "footage" / known["clip"], clip, 0, known["duration_s"], filters)
    site = shelf_site(tmp_path, known, name == "mirrored")
    found = replay(data, tmp_path, clip, site)
    assert_bottles(found, known, known["duration_s"], name == "backwards")


def test_two_long_reaches_in_an_aisle_while_a_third_shopper_crosses(data, tmp_path):
    known = truth(data, "store-aisle")
    clip = data / "footage" / known["clip"]
    found = kinds(replay(data, tmp_path, clip, shelf_site(tmp_path, known)), "reach")
    assert sorted(one["zone"] for one in found) == sorted(r["zone"] for r in known["reaches"])
    for true in known["reaches"]:
        (one,) = [reach for reach in found if reach["zone"] == true["zone"]]
        assert one["start_s"] == pytest.approx(true["start_s"], abs=1)
        both = min(one["end_s"], true["end_s"]) - max(one["start_s"], true["start_s"])
        assert both >= 0.7 * (true["end_s"] - true["start_s"])
