"""Tracking MOTChallenge text, and scoring it."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from edge_agent.bench import mot, rivals, track
from edge_agent.bench.score import pair, score
from edge_agent.errors import InputError


def run(tmp_path, text, *options):
    parser = argparse.ArgumentParser()
    track.add_arguments(parser)
    (tmp_path / "det.txt").write_text(text)
    out = tmp_path / "res.txt"
    given = ["--fps", "30", "--size", "1920x1080", "--out", str(out), *options]
    args = parser.parse_args([str(tmp_path / "det.txt"), *given])
    assert track.main(args) == 0
    return [[float(cell) for cell in line.split(",")] for line in out.read_text().splitlines()]


def walk(frames, score=0.9):
    return [f"{n},-1,{100 + 4 * n},200,80.5,200,{score},-1,-1,-1" for n in frames]


def test_rows_keep_frames_and_boxes_and_are_sorted_though_the_input_is_not(tmp_path):
    lines = walk(range(1, 31))
    rows = run(tmp_path, "\n".join(reversed(lines)))
    assert [row[0] for row in rows] == list(range(1, 31))
    assert {row[1] for row in rows} == {1}
    assert rows[4][2:7] == [120, 200, 80.5, 200, 0.9]


def test_every_nth_frame_is_analysed_from_the_first_and_the_others_are_not_looked_at(tmp_path):
    rows = run(tmp_path, "\n".join(walk(range(1, 31))), "--every", "6")
    assert [row[0] for row in rows] == [1, 7, 13, 19, 25]
    assert {row[1] for row in rows} == {1}


def test_a_track_that_is_never_confirmed_is_left_out_and_one_that_is_has_its_first_row(tmp_path):
    flicker = "15,-1,1500,700,80,200,0.9"
    rows = run(tmp_path, "\n".join([*walk(range(1, 31)), flicker]))
    assert len(rows) == 30
    assert rows[0][0] == 1


def test_frames_without_detections_take_their_time(tmp_path):
    still = [f"{n},-1,500,200,80,200,0.9" for n in [*range(1, 10), *range(90, 100)]]
    assert len({row[1] for row in run(tmp_path, "\n".join(still))}) == 2
    close = [f"{n},-1,500,200,80,200,0.9" for n in [*range(1, 10), *range(60, 70)]]
    assert len({row[1] for row in run(tmp_path, "\n".join(close))}) == 1


def test_no_detections_give_no_rows(tmp_path):
    assert run(tmp_path, "\n") == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("1,-1,5,5,5", "5 columns"),
        ("1,-1,5,5,a,5,1", "could not convert"),
        ("0,-1,5,5,5,5,1", "frame 0"),
        ("1.5,-1,5,5,5,5,1", "frame 1.5"),
        ("1,-1,5,5,0,5,1", "no size"),
        ("1,-1,nan,5,5,5,1", "not finite"),
    ],
)
def test_a_broken_line_is_named_with_its_file_and_number(tmp_path, line, complaint):
    with pytest.raises(InputError, match=rf"det\.txt, line 3: .*{complaint}"):
        run(tmp_path, "\n".join([*walk([1, 2]), line]))


def test_a_missing_file_and_a_folder_that_is_none_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.txt"):
        mot.read(tmp_path / "nothing.txt")
    with pytest.raises(InputError, match="cannot be written"):
        mot.write(tmp_path / "no" / "res.txt", [])


@pytest.mark.parametrize("bad", [["--fps", "0"], ["--size", "1920"], ["--every", "0"]])
def test_options_out_of_range_are_refused(tmp_path, bad, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path, "", *bad)
    assert bad[0] in capsys.readouterr().err


def sequence(*frames):
    """Each frame: {id: x}; boxes 10 x 10 at y = 0."""
    return {
        number: mot.Boxes(
            np.array(list(boxes), dtype=np.int64),
            np.array([[x, 0, x + 10, 10] for x in boxes.values()], dtype=float),
            np.ones(len(boxes)),
        )
        for number, boxes in enumerate(frames, start=1)
        if boxes
    }


def test_scores_of_a_small_example_are_those_worked_out_by_hand():
    # One person, four frames, followed by two tracks of two frames each, exactly.
    truth = sequence({1: 0}, {1: 0}, {1: 0}, {1: 0})
    result = sequence({7: 0}, {7: 0}, {8: 0}, {8: 0})
    found = score(truth, result)
    # IDTP 2, so IDF1 = 2 * 2 / (4 + 4). DetA 1; each pair of tracks agrees in 2 of 4 frames.
    assert found.idf1 == pytest.approx(0.5)
    assert found.hota == pytest.approx(0.5**0.5)


def test_misses_false_boxes_and_loose_boxes_cost_what_the_papers_say():
    truth = sequence({1: 0, 2: 100}, {1: 0, 2: 100})
    result = sequence({1: 0, 3: 500}, {1: 5})
    found = score(truth, result)
    # 5 px off leave an overlap of 1/3: no match for IDF1, one for HOTA up to 0.30.
    assert found.idf1 == pytest.approx(2 * 1 / (4 + 3))
    # Up to 0.30: 2 hits of 4 truths and 3 boxes, full agreement. Above: 1 hit, agreeing in 1 of 3.
    low, high = (2 / 5 * 1) ** 0.5, (1 / 6 * 1 / 3) ** 0.5
    assert found.hota == pytest.approx((6 * low + 13 * high) / 19)
    both = found + score(truth, truth)
    assert both.idf1 == pytest.approx(2 * (1 + 4) / (4 + 3 + 8))


def test_a_perfect_tracking_scores_one_and_nothing_scores_nought():
    truth = sequence({1: 0, 2: 30}, {}, {1: 3, 2: 33})
    assert (score(truth, truth).hota, score(truth, truth).idf1) == pytest.approx((1.0, 1.0))
    assert (score(truth, {}).hota, score(truth, {}).idf1) == (0.0, 0.0)


def test_pairing_finds_the_greatest_sum():
    assert sorted(pair(np.array([[3.0, 2.0], [2.0, 0.0]]))) == [(0, 1), (1, 0)]
    assert sorted(pair(np.array([[1.0], [5.0], [2.0]]))) == [(1, 0)]
    assert pair(np.zeros((0, 3))) == []


def test_rivals_that_are_not_installed_are_named(tmp_path):
    with pytest.raises(InputError, match="make bench"):
        rivals.compare(None, tmp_path)


# What the better of two libraries' ByteTrack reaches at its defaults (supervision 0.25.1 and
# trackers 2.6.1; HOTA, IDF1 in %), by analysed frames: both MOT17 sequences together, TUD-Campus
# times 0.97.
FLOOR = {1: (37.6, 43.0, 46.6, 64.6), 6: (38.0, 43.8, 42.4, 54.9)}


@pytest.mark.parametrize("every", [1, 6])
def test_tracking_is_not_below_the_better_rival(data, every):
    def one(name, fps, size):
        folder = data / "mot" / name
        rows = track.track(mot.by_frame(mot.read(folder / "det.txt")), fps, size, every)
        truth = mot.by_frame(mot.truth(mot.read(folder / "gt.txt")))
        analysed = {n: boxes for n, boxes in truth.items() if (n - 1) % every == 0}
        return score(analysed, mot.by_frame(rows))

    mot17 = one("MOT17-02-FRCNN", 30, (1920, 1080)) + one("MOT17-09-FRCNN", 30, (1920, 1080))
    tud = one("TUD-Campus", 25, (640, 480))
    reached = (mot17.hota, mot17.idf1, tud.hota, tud.idf1)
    assert all(100 * a >= b for a, b in zip(reached, FLOOR[every], strict=True)), reached
