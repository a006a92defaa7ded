"""The HTTP interface as a backend engineer meets it, without a broker."""

import asyncio
import csv
import io
import json
from functools import reduce

import httpx
import pytest
from sink_world import BOOT, TELLING, counts, window

from cloud_sink.api import make_app
from cloud_sink.condition import Condition
from cloud_sink.ingest import Arrival
from cloud_sink.metrics import Metrics
from cloud_sink.schema import checks
from cloud_sink.store import Store
from cloud_sink.tables import LATER_COLUMNS
from edge_agent.records import Definitions, Estimate, Quality, topic

HOUR = 1_700_002_800.0  # a full hour, UTC
OTHER = "00000000000000bb"


class Requests:
    """httpx straight into the application."""

    def __init__(self, app):
        self._app = app

    def get(self, path, **more):
        return self.send("GET", path, **more)

    def send(self, method, path, **more):
        async def ask():
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://sink") as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("api") / "sink.db", checks())
    stricter = Definitions(stop_s=8.0, engage_s=15.0, gap_s=2.0)
    messages = [
        ("shelf-1", counts(1, "shelf-1", BOOT, window("table", HOUR), window("aisle", HOUR))),
        ("shelf-1", counts(2, "shelf-1", BOOT, window("table", HOUR + 60, censored=1))),
        ("shelf-1", counts(3, "shelf-1", BOOT, window("table", HOUR + 3600, reaches=2))),
        ("shelf-1", counts(4, "shelf-1", BOOT, window("aisle", HOUR + 60, definitions=stricter))),
        (
            "shelf-2",
            counts(
                1, "shelf-2", OTHER,
                window("table", HOUR, pass_bys=0, stops=0, engaged=0, dwell_s=0.0),
                window("table", 1.0, clock=Quality.RECORDING),
            ),
        ),
    ]  # fmt: skip
    store.commit(
        [Arrival(topic("demo", "store-1", unit, "counts"), body, 5.0) for unit, body in messages]
        + [Arrival("shelflight/v1/demo/store-1/shelf-1/counts", b"garbage", 6.0)]
    )
    yield store
    store.close()


@pytest.fixture
def condition():
    return Condition(broker=None)


@pytest.fixture
def client(store, condition):
    return Requests(make_app(store.path, condition, Metrics()))


@pytest.fixture
def telling(tmp_path, condition):
    """Four windows of a zone with everything."""
    store = Store(tmp_path / "sink.db", checks())
    several = [window("table", HOUR + 60 * i, **TELLING) for i in range(4)]
    payload = counts(1, "shelf-1", BOOT, *several)
    store.commit([Arrival(topic("demo", "store-1", "shelf-1", "counts"), payload, 5.0)])
    yield Requests(make_app(store.path, condition, Metrics()))
    store.close()


def ask(client, **parameters):
    answer = client.get("/v1/counts", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_windows_by_default_with_every_count_and_the_rules_they_were_made_by(client):
    answer = ask(client, unit="shelf-1", zone="table", **{"from": HOUR, "to": HOUR + 60})
    assert answer == {
        "windows": [
            {
                "tenant": "demo", "store": "store-1", "unit": "shelf-1", "zone": "table",
                "start": HOUR, "length_s": 60.0, "clock": "synced", "observed_s": 60.0,
                "pass_bys": 3, "stops": 2, "engaged": 1,
                "reaches": None, "picks": None, "put_backs": None,
                "dwell_s": 31.5, "bridged_s": 0.0, "censored": 0, "censored_dwell_s": 0.0,
                "merged": 1, "stop_s": 5.0, "engage_s": 15.0, "gap_s": 2.0, "k": 1,
                "definitions_version": 3, "boot": BOOT, "seq": 1,
                **dict.fromkeys(LATER_COLUMNS),
            }
        ],
        "next": None,
    }  # fmt: skip


def test_what_a_window_tells_of_staff_times_facings_and_certainty(telling):
    (window,) = ask(telling, limit=1)["windows"]
    assert (window["reached"], window["empty_handed"], window["abstained"]) == (2, 1, 3)
    staff = {name: value for name, value in window.items() if name.startswith("staff_")}
    assert staff == {
        "staff_pass_bys": 1, "staff_stops": 1, "staff_engaged": 1, "staff_dwell_s": 20.5,
        "staff_reached": 1, "staff_reaches": 2, "staff_picks": 0, "staff_put_backs": 1,
        "staff_empty_handed": 1,
    }  # fmt: skip
    assert [window[f"picks_{end}"] for end in ("low", "best", "high")] == [1.0, 2.5, 6.5]
    assert window["histograms"]["reaches"] == [0, 1, 2, 3, 4, 5]
    assert [(one["name"], one["brand"], one["since_full_s"]) for one in window["facings"]] == [
        ("A", "acme", 3.5),
        ("B", None, None),
    ]


def test_sums_carry_reach_rate_staff_and_error_bars_as_merged_windows_would(telling):
    (row,) = ask(telling, by="total")["totals"]
    assert (row["stops"], row["reached"], row["reach_rate"]) == (8, 8, 1.0)
    assert (row["staff_pass_bys"], row["staff_dwell_s"]) == (4, 82.0)
    assert (row["picks_best"], row["picks_low"], row["picks_high"]) == (10.0, 2.0, 18.0)
    merged = reduce(Estimate.__add__, [TELLING["estimates"].reaches] * 4)
    assert row["reaches_low"] == pytest.approx(merged.low)
    assert row["reaches_high"] == pytest.approx(merged.high)
    assert not {"histograms", "facings"} & row.keys()


def test_where_nothing_of_it_was_told_sums_are_none(client):
    rows = ask(client, by="total")["totals"]
    assert {row["reach_rate"] for row in rows} == {None}
    assert {row["staff_pass_bys"] for row in rows} == {None}
    assert {row["picks_high"] for row in rows} == {None}


def test_csv_writes_histograms_and_facings_as_json_texts(telling):
    text = telling.get("/v1/counts", params={"format": "csv", "limit": 1}).text
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert json.loads(row["histograms"])["switches"] == [0, 1, 2, 3, 4]
    assert json.loads(row["facings"])[0]["empty_s"] == 10.5
    assert row["staff_put_backs"] == "1"


def test_a_window_belongs_where_its_start_lies(client):
    span = {"unit": "shelf-1", "zone": "table"}
    starts = [w["start"] for w in ask(client, **span)["windows"]]
    assert starts == [HOUR, HOUR + 60, HOUR + 3600]
    later = ask(client, **span, **{"from": HOUR + 60, "to": HOUR + 3600})["windows"]
    assert [w["start"] for w in later] == [HOUR + 60]


def test_times_can_be_written_in_iso_8601_with_an_offset(client):
    span = {"from": "2023-11-15T08:00:00+09:00", "to": "2023-11-14T23:01:00Z"}
    assert {w["start"] for w in ask(client, **span)["windows"]} == {HOUR}


def test_empty_parameters_count_as_not_given(client):
    answer = client.get("/v1/counts?unit=&zone=&from=&to=")
    assert len(answer.json()["windows"]) == 7


def test_totals_keep_clocks_and_rules_apart_and_never_divide_by_zero(client):
    rows = ask(client, by="total")["totals"]
    told = {(r["unit"], r["zone"], r["clock"], r["stop_s"]): r for r in rows}
    assert len(rows) == 5
    table = told["shelf-1", "table", "synced", 5.0]
    assert (table["windows"], table["pass_bys"], table["reaches"], table["picks"]) == (
        3,
        9,
        2,
        None,
    )
    assert table["stop_rate"] == pytest.approx(6 / 9)
    assert table["engagement_rate"] == pytest.approx(3 / 9)
    assert table["mean_dwell_s"] == pytest.approx(94.5 / 8)
    empty = told["shelf-2", "table", "synced", 5.0]
    assert (empty["pass_bys"], empty["stop_rate"], empty["mean_dwell_s"]) == (0, None, None)


def test_sums_by_hour(client):
    rows = ask(client, by="hour", unit="shelf-1", zone="table")["hours"]
    assert [(r["hour"], r["pass_bys"]) for r in rows] == [(HOUR, 6), (HOUR + 3600, 3)]


@pytest.mark.parametrize("by", ["window", "hour", "total"])
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_pages_together_are_the_whole_answer(client, by, limit):
    member = {"window": "windows", "hour": "hours", "total": "totals"}[by]
    whole = ask(client, by=by)[member]
    collected, parameters = [], {"by": by, "limit": limit}
    while True:
        page = ask(client, **parameters)
        assert len(page[member]) <= limit
        collected += page[member]
        if page["next"] is None:
            break
        parameters["cursor"] = page["next"]
    assert collected == whole


def test_the_link_header_leads_to_the_next_page(client):
    answer = client.get("/v1/counts", params={"limit": 6, "format": "csv"})
    assert answer.links["next"]["url"].startswith("/v1/counts?")
    rest = client.get(answer.links["next"]["url"])
    assert len(rest.text.splitlines()) == 2
    assert "next" not in rest.links


@pytest.mark.parametrize(
    ("parameters", "headers"), [({"format": "csv"}, {}), ({}, {"accept": "text/csv"})]
)
def test_csv_has_the_contracts_columns_and_empty_cells_for_never_measured(
    client, parameters, headers
):
    answer = client.get("/v1/counts", params=parameters, headers=headers)
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(rows) == 7
    measured = [row["reaches"] for row in rows if row["start"] == str(HOUR + 3600)]
    assert measured == ["2"]
    assert {row["reaches"] for row in rows} == {"", "2"}
    assert {"unit", "zone", "start", "pass_bys", "stops", "engaged", "picks", "put_backs"} <= set(
        rows[0]
    )


WRONG = [
    ("from", "yesterday"),
    ("from", "2026-03-01T09:00:00"),
    ("from", "2026-03-01T09:00:00 09:00"),
    ("to", "nan"),
    ("to", "1e999"),
    ("limit", "0"),
    ("limit", "10001"),
    ("limit", "²"),
    ("limit", "9" * 5000),
    ("by", "week"),
    ("unit", "a b"),
    ("zone", "x" * 65),
    ("cursor", "nonsense"),
    ("cursor", "W10"),
    ("cursor", "é"),
    ("cursor", "WzFlOTk5LDFd"),
    ("cursor", "WzE4NDQ2NzQ0MDczNzA5NTUxNjE1LDFd"),
    ("format", "xml"),
    ("colour", "red"),
]


@pytest.mark.parametrize(("parameter", "text"), WRONG)
def test_a_wrong_parameter_is_named_in_a_json_problem(client, parameter, text):
    answer = client.get("/v1/counts", params={parameter: text})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["parameter"] == parameter
    assert answer.json()["status"] == 400


def test_a_span_that_ends_before_it_begins_and_a_parameter_given_twice_are_refused(client):
    assert client.get("/v1/counts?from=2&to=1").json()["parameter"] == "to"
    assert client.get("/v1/counts?unit=a&unit=b").json()["parameter"] == "unit"


def test_a_cursor_of_another_sum_is_refused(client):
    cursor = ask(client, limit=1)["next"]
    answer = client.get("/v1/counts", params={"by": "total", "cursor": cursor})
    assert answer.json()["parameter"] == "cursor"


def test_other_paths_and_methods_are_json_problems_too(client):
    assert client.get("/v2/counts").json()["status"] == 404
    refused = client.send("POST", "/v1/counts")
    assert (refused.status_code, refused.json()["status"]) == (405, 405)
    assert "GET" in refused.headers["allow"]


def test_dead_letters_by_reason(client):
    assert client.get("/v1/dead-letters").json() == {
        "reasons": {"not_json": 1}, "total": 1, "kept": 1,
    }  # fmt: skip


def test_units(client):
    units = client.get("/v1/units").json()["units"]
    assert [(u["unit"], u["online"], u["last_seen"]) for u in units] == [
        ("shelf-1", None, 6.0),
        ("shelf-2", None, 6.0),
    ]


@pytest.mark.parametrize("part", ["broker", "store", "subscriber"])
def test_health_says_which_part_is_not_well(client, condition, part):
    assert client.get("/healthz").json()["ok"] is True
    if part == "subscriber":
        condition.beat -= 60.0
    else:
        setattr(condition, part, "gone")
    answer = client.get("/healthz")
    assert answer.status_code == 503
    told = answer.json()
    assert {name for name in ("broker", "store", "subscriber") if not told[name]["ok"]} == {part}


def test_a_store_that_is_gone_is_a_503(tmp_path):
    client = Requests(make_app(tmp_path / "none.db", Condition(), Metrics()))
    answer = client.get("/v1/counts")
    assert (answer.status_code, answer.json()["status"]) == (503, 503)
