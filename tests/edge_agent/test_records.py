"""What may leave a unit, and nothing else."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from window_world import estimates, facings, histograms, visit_counts

from edge_agent.config import MAX_FACINGS, MAX_ZONES
from edge_agent.errors import RecordError
from edge_agent.records import (
    EDGES,
    MAX_PAYLOAD_BYTES,
    Counts,
    Definitions,
    Estimate,
    Estimates,
    FacingCounts,
    Health,
    Histograms,
    Quality,
    Receipt,
    State,
    Trouble,
    VisitCounts,
    Window,
    decode_counts,
    decode_health,
    decode_receipt,
    decode_state,
    encode,
    fold,
    is_name,
    topic,
)

RULES = Definitions(stop_s=5, engage_s=15, gap_s=2)
BOOT = "0123456789abcdef"
count = st.integers(0, 50)


@st.composite
def windows(draw, zone="table"):
    pass_bys = draw(count)
    stops = draw(st.integers(0, pass_bys))
    times, few = st.floats(0, 600), st.sampled_from("ABC")
    return Window(
        zone=zone,
        start=draw(st.integers(0, 10_000)) * 60.0,
        length_s=60.0,
        observed_s=draw(st.floats(0, 60)),
        clock=Quality.SYNCED,
        definitions=RULES,
        pass_bys=pass_bys,
        stops=stops,
        engaged=draw(st.integers(0, pass_bys)),
        reaches=draw(st.none() | count),
        dwell_s=draw(st.floats(0, 600)),
        censored=draw(st.integers(0, pass_bys)),
        reached=draw(st.none() | st.integers(0, stops)),
        empty_handed=draw(st.none() | st.integers(0, pass_bys)),
        abstained=draw(st.none() | count),
        staff=draw(st.none() | visit_counts(pass_bys, count, times)),
        histograms=draw(st.none() | histograms(count)),
        facings=draw(facings(count, times, few)),
        estimates=draw(st.none() | estimates(st.floats(0, 100))),
    )


def sums(window):
    """All that merging must conserve, by path; what was never told is missing."""
    known = asdict(window)
    facings = known.pop("facings") or ()
    found = {}
    for facing in facings:
        rest = {k: v for k, v in facing.items() if k not in ("name", "brand", "since_full_s")}
        found |= leaves(rest, ("facings", facing["name"]))
    apart = ("zone", "start", "length_s", "clock", "definitions", "estimates")
    found |= leaves({key: value for key, value in known.items() if key not in apart}, ())
    for name, told in (known["estimates"] or {}).items():
        if told is not None:
            best, high = told["best"], told["high"]
            # Errors of windows are independent: their squares add up.
            found |= leaves({"best": best, "half": (high - best) ** 2}, ("estimates", name))
    return found


def leaves(value, path):
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, inner in items for k, v in leaves(inner, (*path, key)).items()}
    return {} if value is None else {path: value}


def total(windows):
    found = {}
    for window in windows:
        for path, value in sums(window).items():
            found[path] = found.get(path, 0) + value
    return found


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


@given(st.lists(windows(), min_size=1, max_size=5), st.randoms())
def test_windows_merged_in_any_order_conserve_every_sum(several, chance):
    wanted = total(several)
    while len(several) > 1:
        chance.shuffle(several)
        several.append(several.pop().merge(several.pop()))
    found = sums(several[0])
    assert found.keys() == wanted.keys()
    for path, value in wanted.items():
        assert found[path] == pytest.approx(value, rel=1e-6, abs=1e-6), path


@given(st.lists(windows(), max_size=4), st.lists(windows(), max_size=4))
def test_folding_conserves_every_sum(old, new):
    wanted, found = total([*old, *new]), total(fold(tuple(old), tuple(new)))
    assert found.keys() == wanted.keys()
    for path, value in wanted.items():
        assert found[path] == pytest.approx(value, rel=1e-6, abs=1e-6), path


@pytest.mark.parametrize("turned", [False, True])
def test_facings_merge_by_name_and_the_later_one_says_since_when_it_is_not_full(turned):
    first = replace(
        one_window(),
        facings=(
            FacingCounts("A", "acme", picks=1, known_s=60.0, since_full_s=0.0),
            FacingCounts("B", picks=5),
        ),
    )
    second = replace(
        one_window(),
        start=60.0,
        facings=(
            FacingCounts("A", "acme", picks=2, known_s=40.0, empty_s=30.0, since_full_s=45.0),
        ),
    )
    pair = (second, first) if turned else (first, second)
    assert pair[0].merge(pair[1]).facings == (
        FacingCounts("A", "acme", picks=3, known_s=100.0, empty_s=30.0, since_full_s=45.0),
        FacingCounts("B", picks=5),
    )


LONG = ["x" * 60 + f"{i:04}" for i in range(MAX_FACINGS)]


def test_the_largest_message_that_a_site_can_make_fits():
    """Every zone and facing that is allowed, the longest names, a day's window of a busy shop."""
    many, day = 99_999, 86_399.999
    facing = FacingCounts("A", "b" * 64, many, many, many, day, day, day, day)
    facings = [replace(facing, name=name) for name in LONG]
    each = MAX_FACINGS // MAX_ZONES
    guess = Estimate(many + 0.125, many + 0.25, many + 0.375)
    zones = tuple(
        Window(
            zone=LONG[zone], start=1_700_000_040.125, length_s=86_400.0, observed_s=day,
            clock=Quality.RECORDING, definitions=Definitions(1234.567, 1234.567, 12.345, 1000),
            pass_bys=many, stops=many, engaged=many, reaches=many, picks=many, put_backs=many,
            dwell_s=many * 10.125, bridged_s=many * 10.125, censored=many,
            censored_dwell_s=many * 10.125, merged=1440, reached=many, empty_handed=many,
            abstained=many, staff=VisitCounts(many, many, many, many * 10.125, *[many] * 5),
            histograms=Histograms(*((many,) * len(edges) for edges in EDGES.values())),
            facings=tuple(facings[each * zone : each * (zone + 1)]),
            estimates=Estimates(guess, guess, guess),
        )
        for zone in range(MAX_ZONES)
    )  # fmt: skip
    payload = encode(Counts("u" * 64, BOOT, 2**53 - 1, zones))
    assert len(payload) <= MAX_PAYLOAD_BYTES
    assert len(payload) > 0.8 * MAX_PAYLOAD_BYTES, "more facings could be allowed"
    assert decode_counts(payload).windows == zones


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
    [
        {"pass_bys": 1, "stops": 2},
        {"censored": 1},
        {"engaged": 1},
        {"pass_bys": -1},
        {"pass_bys": 1, "reached": 1},
        {"empty_handed": 1},
        {"staff": VisitCounts(1)},
    ],
)
def test_impossible_counts_cannot_be_built(changes):
    with pytest.raises(RecordError):
        one_window(**changes)


@pytest.mark.parametrize(
    "part",
    [
        lambda: FacingCounts("a man in a red coat"),
        lambda: FacingCounts("A", brand="Acme & Sons"),
        lambda: VisitCounts(1, stops=2),
        lambda: Histograms((1, 2, 3)),
    ],
)
def test_impossible_parts_of_a_window_cannot_be_built(part):
    with pytest.raises(RecordError):
        part()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("staff", {"pass_bys": 0, "track": 7}),
        ("staff", 3),
        ("histograms", {"dwell_s": [1]}),
        ("histograms", [1]),
        ("facings", [{"name": "free text"}]),
        ("facings", [{"name": "A", "x": 0.5}]),
        ("estimates", {"picks": {"low": 2, "best": 1, "high": 3}}),
        ("estimates", {"picks": 1}),
    ],
)
def test_a_part_of_a_window_that_does_not_fit_is_refused(field, value):
    known = json.loads(encode(Counts("unit-1", BOOT, 1, (one_window(),))))
    known["windows"][0][field] = value
    with pytest.raises(RecordError, match="window"):
        decode_counts(json.dumps(known).encode())


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
