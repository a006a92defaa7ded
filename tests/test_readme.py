"""The README's blocks are run, and it stays short."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from edge_agent.config import parse_site

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.M | re.S)
CONSOLE = [
    (command, rest)
    for kind, block in BLOCKS
    if kind == "console"
    for command, rest in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, flags=re.M)
]


def test_it_is_short_and_shows_the_flow():
    assert len(README.splitlines()) <= 150
    assert any(kind == "mermaid" for kind, _ in BLOCKS)


@pytest.mark.parametrize(("command", "output"), CONSOLE, ids=[c for c, _ in CONSOLE])
def test_a_command_does_what_the_page_shows(command, output):
    words = shlex.split(command)
    assert words[0] == "python"
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert output in done.stdout


def test_the_site_file_on_the_page_is_sound():
    (block,) = [block for kind, block in BLOCKS if kind == "yaml"]
    assert parse_site(yaml.safe_load(block), "README.md", ROOT).unit.id == "shelf-0042"


def test_the_two_commands_are_make_targets():
    commands = [block.split()[:2] for kind, block in BLOCKS if kind == ""]
    assert commands == [["make", "run"], ["make", "test"]]
    for _, target in commands:
        done = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_make_run_on_a_recording_ends_with_its_visits_in_the_sink(data, tmp_path):
    """The page's first command, on real footage, without its set-up."""
    words = ("demo", "--clip", data / "footage/table-visits.mp4")
    site = ("--site", ROOT / "tests/sites/table-visits.yaml", "--state", tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", *map(str, (*words, *site))],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={**os.environ, "SHELFLIGHT_MODELS": str(data / "models")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 visits in the sink" in done.stdout


def test_make_run_alone_counts_in_a_shop_of_its_own(tmp_path):
    """Nothing brought along: no model, no recording, no network."""
    words = ("demo", "--seconds", "15", "--state", tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, timeout=200,
        env={**os.environ, "SHELFLIGHT_MODELS": str(tmp_path / "no models")},
    )  # fmt: skip
    # 1 where so short a scene is not counted to within a twentieth.
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "in the sink" in done.stdout
    (row,) = [line for line in done.stdout.splitlines() if " all " in line]
    _, true, counted, _ = (cell.strip() for cell in row.strip("\u2502").split("\u2502"))
    assert int(true) > 0
    assert int(counted) > 0


def test_a_recording_without_its_site_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", "demo", "--clip", "clip.mp4"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "CLIP and SITE belong together" in done.stderr
