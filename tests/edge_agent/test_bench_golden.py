"""What was once seen, played again."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from shelf_world import FACINGS, board, frame, people, with_arm, zone

from edge_agent.__main__ import main
from edge_agent.bench.golden import EVENTS, RECORDS, SAID, difference
from edge_agent.bench.golden import play as tell_story
from edge_agent.bench.tape import (
    Tape,
    TapedDetector,
    TapedEyes,
    TapedLookout,
    TapedReach,
    ToldDetector,
    ToldEyes,
    ToldLookout,
    ToldReach,
    read_tape,
    write_tape,
)
from edge_agent.errors import InputError
from edge_agent.lookout import Outlook
from edge_agent.observations import Blindness, Closeups, Detections, Frame, Hand
from edge_agent.pipeline import Models
from edge_agent.shelf import Shelves

STORIES = sorted(
    path.parent for path in (Path(__file__).parent.parent / "golden").glob(f"*/{SAID}")
)


def taken(t):
    """A hand takes A from 2 to 3 s."""
    picture = board("A") if t > 2.5 else board()
    return with_arm(picture, FACINGS["A"], 0.75) if 2 <= t <= 3 else picture


def recorded(path):
    tape, lines, events = Tape(), [], []
    stage = Shelves([zone()], TapedEyes(tape))
    for i in range(31):
        t = i / 5
        tape.line = {"t": t}
        lines.append(tape.line)
        events += stage.update(frame(taken(t), t), people(t), None)
    write_tape(path, (320, 180), lines)
    return events + stage.finish()


def told(path):
    size, lines = read_tape(path)
    tape, events = Tape(), []
    stage = Shelves([zone()], ToldEyes(tape))
    nothing = np.zeros((1, 1, 3), np.uint8)
    for line in lines:
        tape.line = line
        events += stage.update(Frame(nothing, line["t"], *size), people(line["t"]), None)
    return events + stage.finish()


def test_a_shelf_says_of_a_recording_what_it_said_of_the_pictures(tmp_path):
    path = tmp_path / SAID
    events = recorded(path)
    assert len(events) == 6  # three stocks, a reach, a pick, a stock
    assert told(path) == events


def test_the_same_recording_has_the_same_bytes_and_no_pixels(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    recorded(one)
    recorded(other)
    assert one.read_bytes() == other.read_bytes()
    assert len(one.read_bytes()) < 31 * 180  # not a byte for each line of each picture


def test_what_nobody_recorded_is_an_error_that_says_when(tmp_path):
    path = tmp_path / SAID
    recorded(path)
    size, lines = read_tape(path)
    kept = [{k: v for k, v in line.items() if k != "shelves"} for line in lines]
    write_tape(path, size, kept)
    with pytest.raises(InputError, match="at 0 s nobody recorded 'moving'"):
        told(path)


@pytest.mark.parametrize("broken", [b"", b"no gzip", gzip.compress(b'{"v":9,"size":[1,1]}\n')])
def test_a_file_that_is_no_recording_is_refused(tmp_path, broken):
    path = tmp_path / SAID
    path.write_bytes(broken)
    with pytest.raises(InputError, match=SAID):
        read_tape(path)


def test_detector_and_lookout_say_again_what_they_said():
    tape = Tape()
    tape.line = {"t": 1.0}
    shown = Frame(np.zeros((4, 4, 3), np.uint8), 1.0, 4, 4)
    seen = Detections(1.0, np.array([[0.1, 0.2, 0.3, 0.4]]), np.array([0.9]), np.ones((1, 17, 3)))

    class Finds:
        input_size = (4, 4)
        runtime = staticmethod(lambda _: [])

        def prepare(self, _):
            return np.empty(0)

        def decode(self, _outputs, _frame):
            return seen

    TapedDetector(Models(Finds(), None), tape).decode([], shown)
    again = ToldDetector(tape).decode([], shown)
    for name in ("boxes", "scores", "keypoints"):
        np.testing.assert_array_equal(getattr(again, name), getattr(seen, name))
    assert ToldLookout(tape).look(shown) == TapedLookout(tape).look(shown) == Outlook()
    tape.line["outlook"] = ["moved", [0.1, -0.05]]
    assert ToldLookout(tape).look(shown) == Outlook(Blindness.MOVED, (0.1, -0.05))


class Sees:
    """Tells the hands that it was given."""

    def __init__(self, hands):
        self.hands = hands
        self.runtime = lambda tensor: [tensor]

    def __call__(self, frame, _tracks):
        return Closeups(frame.t, self.hands)


LEFT, RIGHT = (0.1, 0.2, 0.30004, 0.9), (0.6, 0.2, 0.8, 0.9)
HANDS = {
    "a": (Hand(1, (0.25, 0.5), 0.75), Hand(2, (0.7, 0.5), 0.123456)),
    "b": (),
}


def taped_hands(hands):
    tape, shown = Tape(), Frame(np.zeros((4, 4, 3), np.uint8), 1.0, 4, 4)
    tape.line = {"t": 1.0}
    said = TapedReach(Sees(hands), tape)(shown, people(1.0, LEFT, RIGHT))
    tape.line = json.loads(json.dumps(tape.line))
    return tape, shown, said


def test_hands_are_told_again_of_the_same_boxes_whatever_their_tracks_are_called():
    tape, shown, said = taped_hands(HANDS)
    assert said.hands == {"a": (HANDS["a"][0], Hand(2, (0.7, 0.5), 0.1235)), "b": ()}
    again = ToldReach(tape)(shown, people(1.0, LEFT, RIGHT))
    assert (again.t, again.hands) == (1.0, said.hands)
    others = ToldReach(tape)(shown, people(1.0, RIGHT, LEFT, first=8))
    assert [hand.track for hand in others.hands["a"]] == [9, 8]


def test_a_hand_whose_body_is_not_there_any_more_is_nobodys():
    tape, shown, _ = taped_hands(HANDS)
    told = ToldReach(tape)(shown, people(1.0, RIGHT))
    assert [(hand.track, hand.point) for hand in told.hands["a"]] == [(1, (0.7, 0.5))]


def test_a_frame_of_which_no_hands_were_recorded_is_an_error():
    tape, shown, _ = taped_hands(HANDS)
    del tape.line["hands"]
    with pytest.raises(InputError, match="at 1 s nobody recorded 'hands'"):
        ToldReach(tape)(shown, people(1.0, LEFT))


def test_a_tape_is_read_as_often_as_one_likes(tmp_path):
    write_tape(tmp_path / SAID, (4, 3), [{"t": 0.0}, {"t": 0.2, "hands": {"a": []}}])
    size, lines = read_tape(tmp_path / SAID)
    assert size == (4, 3)
    assert [line["t"] for line in lines] == [line["t"] for line in lines] == [0.0, 0.2]


def test_a_story_in_which_hands_were_looked_at_needs_them_in_every_frame(tmp_path):
    story = tmp_path / "story"
    story.mkdir()
    for path in STORIES[0].iterdir():
        (story / path.name).write_bytes(path.read_bytes())
    size, lines = read_tape(story / SAID)
    for line in lines:
        line["hands"] = {}
    write_tape(story / SAID, size, lines)
    tell_story(story, tmp_path)
    del lines[len(lines) // 2]["hands"]
    write_tape(story / SAID, size, lines)
    with pytest.raises(InputError, match="nobody recorded 'hands'"):
        tell_story(story, tmp_path)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_is_told_as_it_was(story):
    assert list(difference(story)) == []


def test_a_story_that_is_told_otherwise_shows_how_and_can_be_taken_over(tmp_path, capsys):
    story = tmp_path / "story"
    story.mkdir()
    for path in STORIES[0].iterdir():
        (story / path.name).write_bytes(path.read_bytes())
    events = (story / EVENTS).read_text().splitlines(keepends=True)
    visit = next(i for i, line in enumerate(events) if json.loads(line)["event"] == "visit")
    (story / EVENTS).write_text("".join(events[:visit] + events[visit + 1 :]))
    assert main(["golden", str(story)]) == 1
    assert f"+{events[visit]}" in capsys.readouterr().out
    assert main(["golden", str(story), "--update"]) == 0
    assert main(["golden", str(story)]) == 0
    assert (story / EVENTS).read_text() == "".join(events)
    assert (story / RECORDS).read_text() == (STORIES[0] / RECORDS).read_text()
