"""A site file: read whole, or every mistake told at once."""

from pathlib import Path

import pytest

from edge_agent.config import (
    MAX_FACINGS,
    Anchor,
    Broker,
    BudgetConfig,
    ModelsConfig,
    OpeningHours,
    Source,
    StaffRules,
    Thresholds,
    load_site,
    parse_site,
)
from edge_agent.errors import ConfigError

SITES = Path(__file__).parents[1] / "sites"
FLOOR = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]


def site(**parts):
    values = {"unit": {"id": "u1"}, "zones": [{"name": "table", "floor": FLOOR}], **parts}
    return parse_site(values, "site.yaml", Path("/somewhere"))


def mistakes(**parts):
    with pytest.raises(ConfigError) as caught:
        site(**parts)
    assert caught.value.exit_code == 2
    return caught.value.mistakes


def test_the_contracts_example_is_sound(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text("""
unit: {id: shelf-0042, tenant: demo, store: store-1, timezone: Asia/Seoul}
camera: {source: file, path: clip.mp4, fps: 5}
models: {detector: a, pose: b}
runtime: {threads: 2, providers: []}
zones:
  - name: table
    anchor: feet
    floor: [[0.43, 0.62], [0.78, 0.62], [0.78, 0.97]]
    shelf: [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]]
    facings:
      - {name: A, polygon: [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]], brand: acme, product: "sku-1"}
    thresholds: {stop_s: 8}
thresholds: {stop_s: 5, engage_s: 15, gap_s: 2}
privacy: {k: 5, window_s: 60}
uplink: {broker: "mqtt://localhost:1883"}
""")
    read = load_site(path)
    assert read.unit.id == "shelf-0042"
    assert read.camera.path == tmp_path / "clip.mp4"
    assert read.zones[0].thresholds == Thresholds(stop_s=8, engage_s=15, gap_s=2)
    assert read.zones[0].facings[0].product == "sku-1"
    assert read.uplink.broker == Broker("localhost", 1883)
    assert read.privacy.k == 5


def test_every_site_in_the_tree_is_sound():
    for path in SITES.glob("*.yaml"):
        load_site(path)


def test_what_is_left_out_has_the_contracts_defaults():
    plain = site()
    assert plain.camera.fps == 5
    assert plain.camera.source is Source.FILE
    assert plain.zones[0].anchor is Anchor.FEET
    assert plain.thresholds == Thresholds(5, 15, 2)
    assert plain.privacy.window_s == 60
    assert plain.budget == BudgetConfig(gate=True, look_s=5, detect_every=None, cool=True)


def test_the_budget_is_read():
    read = site(budget={"gate": False, "look_s": 2, "detect_every": 3, "cool": False}).budget
    assert read == BudgetConfig(gate=False, look_s=2, detect_every=3, cool=False)
    assert site(budget={"detect_every": "auto"}).budget.detect_every is None


def test_the_models_are_read_and_each_may_be_left_out():
    assert site().models == ModelsConfig(None, None, None)
    read = site(models={"detector": "a", "pose": "b", "reach": "c"}).models
    assert (read.detector, read.pose, read.reach) == ("a", "b", "c")
    assert site(models={"reach": "none"}).models.reach == ModelsConfig.NOTHING
    assert any("models.reach" in one for one in mistakes(models={"reach": 3}))
    assert any("models.reech" in one for one in mistakes(models={"reech": "c"}))


def test_how_long_a_link_may_be_silent_is_read():
    assert site().uplink.keepalive_s == 30
    assert site(uplink={"keepalive_s": 10}).uplink.keepalive_s == 10
    assert any("uplink.keepalive_s" in one for one in mistakes(uplink={"keepalive_s": 4}))
    assert any("uplink.keepalive_s" in one for one in mistakes(uplink={"keepalive_s": 7.5}))


def test_who_is_staff_is_read():
    assert site().staff == StaffRules()
    said = site(
        staff={"open": "09:00-21:30", "dwell_s": 900, "put_backs": 4},
        zones=[{"name": "counter", "floor": FLOOR, "staff": True}],
    )
    assert said.staff == StaffRules(OpeningHours(9 * 3600, 21.5 * 3600), 900.0, 4)
    assert said.zones[0].staff


@pytest.mark.parametrize(
    ("open_", "hours_open"),
    [
        ("09:00-21:00", range(9, 21)),
        ("18:00-02:00", [18, 19, 20, 21, 22, 23, 0, 1]),
        ("00:00-24:00", range(24)),
        ("06:00 - 24:00", range(6, 24)),
    ],
)
def test_a_shop_is_open_from_its_first_second_to_before_its_last(open_, hours_open):
    hours = site(staff={"open": open_}).staff.open
    assert {hour for hour in range(24) if hours.hold(3600 * hour)} == set(hours_open)
    assert {hour for hour in range(24) if hours.hold(3600 * hour + 3599.9)} == set(hours_open)


def facings(count):
    polygon = [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]]
    return [{"name": f"f{i}", "polygon": polygon} for i in range(count)]


def test_as_many_facings_are_allowed_as_one_message_holds():
    half = MAX_FACINGS // 2
    zones = [{"name": name, "floor": FLOOR, "facings": facings(half)} for name in ("a", "b")]
    assert sum(len(zone.facings) for zone in site(zones=zones).zones) == MAX_FACINGS
    zones[0]["facings"] = facings(half + 1)
    (told,) = mistakes(zones=zones)
    assert (
        told == f"zones: have {MAX_FACINGS + 1} facings together; at most 128 are allowed in a unit"
    )


def test_all_mistakes_come_at_once_each_with_its_key():
    found = mistakes(
        unit={"id": "a b", "tennant": "x"},
        camera={"fps": 900, "source": "usb"},
        threshold={},
        zones=[{"name": "z", "floor": [[0, 0], [1, 1]]}, {"name": "z"}],
    )
    keys = [line.split(":")[0] for line in found]
    assert keys == [
        "unit.id", "unit.tennant", "camera.source", "camera.fps", "zones[0].floor", "zones",
        "threshold",
    ]  # fmt: skip


def test_a_misspelt_key_names_the_nearest():
    assert "did you mean tenant?" in mistakes(unit={"id": "u1", "tennant": "x"})[0]


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"camera": {"fps": 0}}, "camera.fps: is 0; 0.2..60 is allowed"),
        ({"camera": {"fps": "fast"}}, "camera.fps: is 'fast'; a number 0.2..60"),
        ({"camera": {"fps": float("nan")}}, "camera.fps: is nan"),
        ({"camera": {"fps": True}}, "camera.fps: is True; a number"),
        ({"camera": "file"}, "camera: is 'file'; a mapping"),
        ({"runtime": {"threads": 1.5}}, "runtime.threads: is 1.5; a whole number 1..64"),
        ({"runtime": {"providers": "cuda"}}, "runtime.providers: is 'cuda'; a list of texts"),
        ({"budget": {"gate": "on?"}}, "budget.gate: is 'on?'; allowed: true | false"),
        ({"budget": {"look_s": 0}}, "budget.look_s: is 0; 1..60 is allowed"),
        ({"budget": {"detect_every": 0}}, "budget.detect_every: is 0; auto or a whole number 1"),
        ({"budget": {"detect_every": True}}, "auto or a whole number 1..30"),
        ({"budget": {"detect_evry": 2}}, "did you mean detect_every?"),
        ({"privacy": {"window_s": 0}}, "privacy.window_s: is 0; 1..86400"),
        ({"unit": {}}, "unit.id: is missing"),
        ({"unit": {"id": "u1", "timezone": "Mars"}}, "unit.timezone: is 'Mars'; a name such as"),
        ({"uplink": {"broker": "http://x"}}, "uplink.broker: is 'http://x'; mqtt://HOST"),
        ({"uplink": {"broker": "mqtt://me:secret@x"}}, "no user or password"),
        ({"uplink": {"broker": "mqtt://x:99999"}}, "mqtt://HOST"),
        ({"uplink": {"protocol": 4}}, "allowed: 5 | 3.1.1"),
        ({"outbox": {"max_rows": 400}}, "more than uplink.max_unreceipted (500)"),
        ({"zones": []}, "zones: is missing"),
        ({"zones": [{"name": f"z{i}"} for i in range(65)]}, "zones: are 65; at most 64"),
        ({"uplink": {"broker": "mqtt://h?x=1"}}, "mqtt://HOST"),
        ({"uplink": {"broker": "mqtt://[::1"}}, "mqtt://HOST"),
        ({"zones": {"a": 1}}, "zones: is {'a': 1}; a list"),
        ({"zones": [{"name": "z", "anchor": "knee"}]}, "allowed: feet | head | torso"),
        ({"zones": [{"name": "z", "floor": [[0, 0], [2, 0], [1, 1]]}]}, "outside the frame"),
        ({"zones": [{"name": "z", "floor": [[0, 0], [1, 1], [1, 0], [0, 1]]}]}, "crosses itself"),
        ({"zones": [{"name": "z", "floor": [[0, 0, 0]] * 3}]}, "zones[0].floor"),
        ({"zones": [{"name": "z", "floor": "here"}]}, "zones[0].floor"),
        ({"zones": [{"name": "z", "facings": [{"name": "A"}]}]}, "facings[0].polygon: is missing"),
        (
            {"zones": [{"name": "z", "facings": [{"name": "A", "brand": "Acme & Sons"}]}]},
            "facings[0].brand: is 'Acme & Sons'; allowed are letters",
        ),
        ({"zones": [{"name": "z", "facings": [{"name": "A", "product": 7}]}]}, "].product: is 7"),
        ({"zones": [{"name": "z", "staff": True}]}, "zones[0].staff: is true, but the zone has no"),
        ({"zones": [{"name": "z", "floor": FLOOR, "staff": "yes"}]}, "allowed: true | false"),
        ({"staff": {"open": "9-21"}}, "staff.open: is '9-21'; two times of day are allowed"),
        ({"staff": {"open": "09:00-09:00"}}, "staff.open: is '09:00-09:00'; two times of day"),
        ({"staff": {"open": "09:00-25:00"}}, "staff.open: is '09:00-25:00'; two times of day"),
        ({"staff": {"open": "09:00-21:60"}}, "staff.open: is '09:00-21:60'; two times of day"),
        ({"staff": {"open": 540}}, "staff.open: is 540; two times of day are allowed, opening and"),
        ({"staff": {"dwell_s": 0}}, "staff.dwell_s: is 0; 1..86400 is allowed"),
        ({"staff": {"put_backs": 2.5}}, "staff.put_backs: is 2.5; a whole number 1..1000"),
        ({"staff": {"dwel_s": 9}}, "did you mean dwell_s? allowed: dwell_s, open, put_backs"),
    ],
)
def test_each_mistake_says_what_is_allowed(parts, says):
    found = mistakes(**parts)
    assert any(says in line for line in found), found


@pytest.mark.parametrize(
    "url",
    [
        "mqtt://me:hunter2@x",
        "mqtts://hunter2@x:8883",
        "mqtt://me:hunt/er2@x",
        "mqtt://me:two words hunter2@x",
        "http://me:hunter2@x",
        "mqtt:me:hunter2@x",
        "mqtt://me:hunter2@x:99999",
        "mqtt://me:p@hunter2@[::1",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(url):
    said = mistakes(uplink={"broker": url})
    assert said[0].startswith("uplink.broker: ")
    assert "hunter2" not in str(said)
    assert "er2@" not in str(said)


@pytest.mark.parametrize(
    "pipeline",
    [
        "rtspsrc location=rtsp://me:hunter2@cam/1 ! decodebin",
        "rtspsrc location=rtsp://cam user-id=me user-pw=hunter2 ! decodebin",
    ],
)
def test_a_cameras_password_is_refused_and_not_repeated(pipeline):
    (said,) = mistakes(camera={"source": "gstreamer", "pipeline": pipeline})
    assert said.startswith("camera.pipeline: holds a password")
    assert "hunter2" not in said


def test_a_cameras_address_without_a_password_is_sound():
    pipeline = "rtspsrc location=rtsp://cam:554/a@b ! decodebin"
    assert site(camera={"source": "gstreamer", "pipeline": pipeline}).camera.pipeline == pipeline


def test_a_password_where_nobody_would_look_for_one_is_not_repeated():
    said = mistakes(uplink={"broker": "mqtt://x", "receipt_s": "mqtt://me:hunter2@x"})
    assert "uplink.receipt_s" in said[0]
    assert "hunter2" not in said[0]


def test_what_is_no_yaml_is_told_by_its_place_and_not_quoted(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text('unit: {id: a}\nuplink: {broker: "mqtt://me:hunter2@x" oops}\n')
    with pytest.raises(ConfigError) as told:
        load_site(path)
    assert "line 2, column 40" in str(told.value)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("text", ["zones: [", "unit: {id: a}\nunit: {id: b}\n", "\x00", "[" * 5000])
def test_what_is_no_yaml_or_says_a_key_twice_is_told(tmp_path, text):
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"site\.yaml"):
        load_site(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_site(tmp_path / "no.yaml")


def test_mqtts_has_its_own_port():
    assert site(uplink={"broker": "mqtts://b"}).uplink.broker == Broker("b", 8883, True)
