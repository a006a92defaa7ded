"""What may leave a unit, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import RecordError
from edge_agent.records import (
    MAX_PAYLOAD_BYTES,
    Counts,
    Definitions,
    Health,
    Quality,
    Receipt,
    State,
    Trouble,
    Window,
    decode_counts,
    decode_health,
    decode_receipt,
    decode_state,
    encode,
    is_name,
    topic,
)

RULES = Definitions(stop_s=5, engage_s=15, gap_s=2)
BOOT = "0123456789abcdef"
count = st.integers(0, 50)


@st.composite
def windows(draw, zone="table"):
    pass_bys = draw(count)
    return Window(
        zone=zone,
        start=draw(st.integers(0, 10_000)) * 60.0,
        length_s=60.0,
        observed_s=draw(st.floats(0, 60)),
        clock=Quality.SYNCED,
        definitions=RULES,
        pass_bys=pass_bys,
        stops=draw(st.integers(0, pass_bys)),
        engaged=draw(st.integers(0, pass_bys)),
        reaches=draw(st.none() | count),
        dwell_s=draw(st.floats(0, 600)),
        censored=draw(st.integers(0, pass_bys)),
    )


def one_window(**changes):
    return Window("table", 0.0, 60.0, 60.0, Quality.SYNCED, RULES, **changes)


@given(st.lists(windows(), min_size=1, max_size=4), st.integers(1, 2**40))
def test_counts_survive_the_way(several, seq):
    counts = Counts("unit-1", BOOT, seq, tuple(several))
    assert decode_counts(encode(counts)) == counts


@pytest.mark.parametrize(
    ("record", "decode"),
    [
        (State("unit-1", 7, True), decode_state),
        (Receipt(BOOT, 3, ((5, 9), (11, 11))), decode_receipt),
        (Health("unit-1", 5.0, 1.0, Quality.SYNCED, troubles=(Trouble.DISK_FULL,)), decode_health),
    ],
)
def test_the_others_survive_too(record, decode):
    assert decode(encode(record)) == record


@given(windows(), windows())
def test_merging_conserves_every_sum_and_covers_both(a, b):
    merged = a.merge(b)
    for name in ("observed_s", "pass_bys", "stops", "engaged", "dwell_s", "censored", "merged"):
        assert getattr(merged, name) == pytest.approx(getattr(a, name) + getattr(b, name))
    assert merged.start == min(a.start, b.start)
    if a.start != b.start:
        assert merged.start + merged.length_s == max(a.start, b.start) + 60
    assert (merged.reaches is None) == (a.reaches is None and b.reaches is None)


def test_windows_of_other_rules_do_not_join():
    assert one_window().joins(one_window(pass_bys=3))
    other = Window("table", 0.0, 60.0, 60.0, Quality.SYNCED, Definitions(8, 15, 2))
    assert not one_window().joins(other)


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff\x00garbage",
        b"[]",
        b"[" * 60_000,
        b'{"v":1}',
        b'{"v":2,"unit":"u","boot":"0123456789abcdef","seq":1,"windows":[]}',
        b'{"v":1,"unit":"u","boot":"0123456789abcdef","seq":1,"windows":[{"zone":"z"}]}',
        b'{"v":1,"unit":"u","boot":"0123456789abcdef","seq":1,"windows":[],"picture":"..."}',
        b'{"v":1,"unit":"u","boot":"short","seq":"1","windows":[1]}',
        b'{"v":1,"seq":' + b"1" * MAX_PAYLOAD_BYTES + b"}",
    ],
)
def test_garbage_is_refused_by_name(payload):
    with pytest.raises(RecordError, match="counts"):
        decode_counts(payload)


def test_an_unknown_field_in_a_window_is_refused():
    known = json.loads(encode(Counts("unit-1", BOOT, 1, (one_window(),))))
    known["windows"][0]["track"] = 12
    with pytest.raises(RecordError, match="track"):
        decode_counts(json.dumps(known).encode())


@pytest.mark.parametrize(
    "changes",
    [{"pass_bys": 1, "stops": 2}, {"censored": 1}, {"engaged": 1}, {"pass_bys": -1}],
)
def test_impossible_counts_cannot_be_built(changes):
    with pytest.raises(RecordError):
        one_window(**changes)


def test_a_receipt_covers_up_to_its_seq_and_its_spans():
    receipt = Receipt(BOOT, 3, ((5, 6),))
    assert [seq for seq in range(1, 9) if receipt.covers(seq)] == [1, 2, 3, 5, 6]


def test_joined_health_keeps_what_only_one_service_knows():
    vision = Health("u", 10.0, 90.0, Quality.SYNCED, boot=BOOT, fps=5.0)
    uplink = Health("u", 12.0, 40.0, Quality.SYNCED, waiting=3, troubles=(Trouble.BROKER_ABSENT,))
    joined = vision.join(uplink)
    assert (joined.boot, joined.fps, joined.waiting, joined.at) == (BOOT, 5.0, 3, 12.0)
    assert joined.uptime_s == 40.0
    assert joined.troubles == (Trouble.BROKER_ABSENT,)
    assert vision.join(uplink) == uplink.join(vision)


def test_names_become_topics():
    assert topic("demo", "store-1", "unit-1", "cmd/ack") == (
        "shelflight/v1/demo/store-1/unit-1/cmd/ack"
    )
    assert is_name("shelf-0042")
    assert not any(is_name(text) for text in ("", "a/b", "+", "#", "a b", "é", "x" * 65))
