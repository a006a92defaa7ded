"""From a site file to a `Site`, or to every mistake in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from edge_agent.config.section import Section
from edge_agent.config.site import (
    MAX_EVERY,
    MAX_FACINGS,
    MAX_FPS,
    MAX_ZONES,
    MIN_FPS,
    Anchor,
    Broker,
    BudgetConfig,
    CameraConfig,
    Facing,
    ModelsConfig,
    OpeningHours,
    OutboxConfig,
    Privacy,
    RuntimeConfig,
    Site,
    Source,
    StaffRules,
    Tflite,
    Thresholds,
    UnitConfig,
    UplinkConfig,
    Zone,
)
from edge_agent.errors import ConfigError
from edge_agent.geometry import Polygon

_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_PROTOCOLS = {"5": 5, "5.0": 5, "3.1.1": 3}
_HOURS = re.compile(r"(\d\d):([0-5]\d)\s*-\s*(\d\d):([0-5]\d)")
# A user and password in an address, or as the property of a GStreamer element.
_PASSWORD = re.compile(r"://[^\s/]*@|\buser-pw\s*=")
_WHOLE_FRAME = Polygon(((0, 0), (1, 0), (1, 1), (0, 1)))


def load_site(path: Path) -> Site:
    """Read a site file.

    Raises:
        ConfigError: all its mistakes at once, each with its key and what is allowed.
    """
    return parse_site(read_yaml(path), str(path), path.parent)


def read_yaml(path: Path) -> Any:
    """The file's bare values.

    Raises:
        ConfigError: unreadable, not YAML, or a key that stands twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [f"cannot be read: {error}"]) from None
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - it derives from SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(str(path), [f"is not YAML: {_problem(error)}"]) from None


def _problem(error: Exception) -> str:
    """What is wrong and where, without the line itself: it may hold what belongs in no log."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())
    mark = error.problem_mark
    said = ": ".join(part for part in (error.context, error.problem) if part)
    return f"{said} (line {mark.line + 1}, column {mark.column + 1})"


def parse_site(values: Any, source: str, base: Path) -> Site:
    """Check the values of a site file.

    Args:
        values: what YAML gave.
        source: named in the error.
        base: the folder that relative paths are taken from.

    Raises:
        ConfigError: as for `load_site`.
    """
    mistakes: list[str] = []
    root = Section({} if values is None else values, "", mistakes)
    thresholds = _thresholds(root.section("thresholds"), Thresholds())
    site = Site(
        unit=_unit(root.section("unit")),
        camera=_camera(root.section("camera"), base),
        models=_models(root.section("models")),
        runtime=runtime_of(root.section("runtime")) if root.given("runtime") else None,
        budget=_budget(root.section("budget")),
        zones=tuple(_zone(section, thresholds) for section in root.sections("zones")),
        thresholds=thresholds,
        staff=_staff(root.section("staff")),
        privacy=_privacy(root.section("privacy")),
        uplink=_uplink(root.section("uplink"), base),
        outbox=_outbox(root.section("outbox")),
    )
    if not site.zones:
        root.mistake("zones", "is missing; at least one zone with a name and a floor or a shelf")
    if len(site.zones) > MAX_ZONES:
        root.mistake("zones", f"are {len(site.zones)}; at most {MAX_ZONES} are allowed")
    facings = sum(len(zone.facings) for zone in site.zones)
    if facings > MAX_FACINGS:
        text = f"have {facings} facings together; at most {MAX_FACINGS} are allowed in a unit"
        root.mistake("zones", text)
    names = [zone.name for zone in site.zones]
    for name in sorted({name for name in names if names.count(name) > 1}):
        root.mistake("zones", f"two zones are called {name!r}; each needs a name of its own")
    if site.outbox.max_rows <= site.uplink.max_unreceipted:
        root.mistake(
            "outbox.max_rows",
            f"is {site.outbox.max_rows}; more than uplink.max_unreceipted "
            f"({site.uplink.max_unreceipted}) is allowed",
        )
    root.close()
    if mistakes:
        raise ConfigError(source, mistakes)
    return site


def _unit(section: Section) -> UnitConfig:
    unit = UnitConfig(
        id=section.name("id", None),
        tenant=section.name("tenant", "demo"),
        store=section.name("store", "store-1"),
        timezone=section.parsed("timezone", "UTC", _timezone),
    )
    section.close()
    return unit


def _camera(section: Section, base: Path) -> CameraConfig:
    camera = CameraConfig(
        source=section.choice("source", Source.FILE),
        path=section.file("path", base),
        pipeline=_pipeline(section),
        fps=section.number("fps", 5.0, MIN_FPS, MAX_FPS),
        pace=section.number("pace", 1.0, 0, 1000),
        loop=section.flag("loop", False),
        width=section.optional_whole("width", 64, 4096),
        height=section.optional_whole("height", 64, 4096),
        stall_s=section.number("stall_s", 2.0, 0.1, 60),
    )
    section.close()
    return camera


def _pipeline(section: Section) -> str | None:
    pipeline = section.text("pipeline")
    if pipeline is None or not _PASSWORD.search(pipeline):
        return pipeline
    # The launcher is a process of its own: its words stand in the process list.
    text = (
        "holds a password, which everybody on the unit could read; a camera without one is allowed"
    )
    section.mistake("pipeline", text)
    return None


def _models(section: Section) -> ModelsConfig:
    models = ModelsConfig(
        detector=section.text("detector"), pose=section.text("pose"), reach=section.text("reach")
    )
    section.close()
    return models


def runtime_of(section: Section) -> RuntimeConfig:
    """How models are run, from a section that holds nothing else that is not yet read."""
    runtime = RuntimeConfig(
        threads=section.whole("threads", 1, 1, 64),
        providers=section.strings("providers"),
        tflite=section.choice("tflite", Tflite.LITERT) if section.given("tflite") else None,
    )
    section.close()
    return runtime


def _budget(section: Section) -> BudgetConfig:
    budget = BudgetConfig(
        gate=section.flag("gate", True),
        look_s=section.number("look_s", 5.0, 1, 60),
        detect_every=section.parsed("detect_every", None, _every),
        cool=section.flag("cool", True),
    )
    section.close()
    return budget


def _zone(section: Section, thresholds: Thresholds) -> Zone:
    facings = tuple(_facing(facing) for facing in section.sections("facings"))
    zone = Zone(
        name=section.name("name", None),
        anchor=section.choice("anchor", Anchor.FEET),
        floor=section.polygon("floor"),
        shelf=section.polygon("shelf"),
        facings=facings,
        thresholds=_thresholds(section.section("thresholds"), thresholds),
        staff=section.flag("staff", False),
    )
    if zone.staff and zone.floor is None:
        section.mistake("staff", "is true, but the zone has no floor where staff could stand")
    names = [facing.name for facing in facings]
    for name in sorted({name for name in names if names.count(name) > 1}):
        section.mistake("facings", f"two facings are called {name!r}; each needs its own name")
    section.close()
    return zone


def _facing(section: Section) -> Facing:
    facing = Facing(
        name=section.name("name", None),
        # A facing without a place cannot be looked at: a whole-frame stand-in keeps reading on.
        polygon=section.polygon("polygon") or _WHOLE_FRAME,
        brand=section.optional_name("brand"),
        product=section.optional_name("product"),
        holds=section.whole("holds", 1, 1, 100),
    )
    if not section.given("polygon"):
        section.mistake("polygon", "is missing; a list of [x, y], fractions of the frame")
    section.close()
    return facing


def _thresholds(section: Section, inherited: Thresholds) -> Thresholds:
    thresholds = Thresholds(
        stop_s=section.number("stop_s", inherited.stop_s, 0, 3600),
        engage_s=section.number("engage_s", inherited.engage_s, 0, 3600),
        gap_s=section.number("gap_s", inherited.gap_s, 0, 60),
    )
    section.close()
    return thresholds


def _staff(section: Section) -> StaffRules:
    rules = StaffRules(
        open=section.parsed("open", None, _opening_hours),
        dwell_s=section.optional_number("dwell_s", 1, 86_400),
        put_backs=section.optional_whole("put_backs", 1, 1000),
    )
    section.close()
    return rules


def _privacy(section: Section) -> Privacy:
    privacy = Privacy(
        k=section.whole("k", 1, 1, 1000), window_s=section.number("window_s", 60.0, 1, 86_400)
    )
    section.close()
    return privacy


def _uplink(section: Section, base: Path) -> UplinkConfig:
    uplink = UplinkConfig(
        broker=section.parsed("broker", None, _broker),
        protocol=section.parsed("protocol", 5, _protocol),
        ca=section.file("ca", base),
        cert=section.file("cert", base),
        key=section.file("key", base),
        max_inflight=section.whole("max_inflight", 20, 1, 1000),
        max_unreceipted=section.whole("max_unreceipted", 500, 1, 10_000),
        receipt_s=section.number("receipt_s", 30.0, 1, 3600),
        backoff_s=section.number("backoff_s", 60.0, 0.1, 3600),
        keepalive_s=section.whole("keepalive_s", 30, 5, 3600),
    )
    section.close()
    return uplink


def _outbox(section: Section) -> OutboxConfig:
    outbox = OutboxConfig(max_rows=section.whole("max_rows", 20_000, 100, 10_000_000))
    section.close()
    return outbox


def _every(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= MAX_EVERY:
        raise ValueError(f"auto or a whole number 1..{MAX_EVERY} is allowed")
    return int(text)


def _opening_hours(text: str) -> OpeningHours:
    given = _HOURS.fullmatch(text)
    hours = [] if given is None else [int(part) for part in given.groups()]
    start, end = (60 * h + m for h, m in (hours[:2], hours[2:])) if hours else (0, 0)
    if start == end or max(start, end) > 24 * 60:
        raise ValueError("two times of day are allowed, opening and closing, e.g. 09:00-21:00")
    return OpeningHours(60.0 * start, 60.0 * end)


def _timezone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("a name such as Asia/Seoul or UTC is allowed") from None


def _protocol(text: str) -> int:
    if text not in _PROTOCOLS:
        raise ValueError("allowed: 5 | 3.1.1")
    return _PROTOCOLS[text]


def _broker(text: str) -> Broker:
    allowed = "mqtt://HOST[:PORT] or mqtts://HOST[:PORT] is allowed"
    try:
        url = urlsplit(text)
    except ValueError:
        raise ValueError(allowed) from None
    if (
        url.query
        or url.fragment
        or url.scheme not in _DEFAULT_PORTS
        or not url.hostname
        or url.path not in ("", "/")
    ):
        raise ValueError(allowed)
    if url.username or url.password:
        raise ValueError(f"no user or password in the address (use a certificate); {allowed}")
    try:
        port = url.port or _DEFAULT_PORTS[url.scheme]
    except ValueError:
        raise ValueError(allowed) from None
    return Broker(url.hostname, port, url.scheme == "mqtts")


class _StrictLoader(yaml.SafeLoader):
    """YAML that takes a key standing twice for the mistake it is (PyYAML keeps the last)."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if isinstance(key, str) and key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"key {key!r} stands twice", problem_mark=key_node.start_mark
            )
        if isinstance(key, str):
            seen.add(key)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
