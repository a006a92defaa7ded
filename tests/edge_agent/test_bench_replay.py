"""What a replay writes down of what it saw."""

from __future__ import annotations

import json
from pathlib import Path

from edge_agent.bench.replay import Log
from edge_agent.config import parse_site
from edge_agent.observations import Abstained, Doings, Handling, Move, Stock, Visit

SITE = parse_site({"unit": {"id": "u1"}, "zones": [{"name": "table"}]}, "site.yaml", Path("."))


def test_an_event_is_a_line_but_what_nothing_is_told_of_is_none(tmp_path):
    path = tmp_path / "events.jsonl"
    with Log(SITE, path, None) as log:
        log.write(
            [
                Visit("table", 1.0, 9.0, staff=True, did=Doings(reaches=3)),
                Handling(Move.PICK, "table", "A", 3.0, 0.75, track=7),
                Abstained("table", "A", 4.0),
                Stock("table", "A", 3.0, False),
            ],
            [],
        )
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["visit", "pick", "stock"]
    assert lines[0] == {
        "event": "visit", "zone": "table", "enter_s": 1.0, "leave_s": 9.0, "dwell_s": 8.0,
        "bridged_s": 0.0, "censored": "none", "staff": True,
    }  # fmt: skip
    assert all("track" not in line for line in lines)
