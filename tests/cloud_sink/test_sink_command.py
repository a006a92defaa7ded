"""The command line: what it refuses, and what it exports."""

import csv
import io
import subprocess
import sys

import pytest
from sink_world import BOOT, counts, window

from cloud_sink.ingest import Arrival
from cloud_sink.schema import checks
from cloud_sink.store import Store
from edge_agent.records import topic

OTHER = "00000000000000bb"


def run(*arguments):
    command = [sys.executable, "-m", "cloud_sink", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=20)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "sink.db", checks())
    yield store
    store.close()


def put(store, *payloads):
    name = topic("demo", "store-1", "shelf-1", "counts")
    store.commit([Arrival(name, payload, 1.0) for payload in payloads])


SERVE = ["serve", "--db", "sink.db", "--broker", "mqtt://127.0.0.1:1", "--http", "127.0.0.1:0"]
WRONG = {
    "this form of the sink stores in SQLite": ["--db", "postgresql://localhost/counts"],
    "there is no folder": ["--db", "nowhere/at/all/sink.db"],
    "write mqtt://HOST": ["--broker", "http://localhost"],
    "no credentials": ["--broker", "mqtt://me:secret@localhost"],
    "no credentials in": ["--broker", "mqtt://me:secret@localhost:99999"],
    "Port out of range": ["--broker", "mqtt://localhost:99999"],
    "need mqtts://": ["--ca", "ca.pem"],
    "needs --cert": ["--broker", "mqtts://localhost", "--key", "key.pem"],
    "--ca, --cert, --key": ["--broker", "mqtts://localhost", "--ca", "none.pem"],
    "write HOST:PORT": ["--http", "8080"],
    "--http 256.0.0.1:80": ["--http", "256.0.0.1:80"],
}


@pytest.mark.parametrize("said", WRONG)
def test_an_unusable_argument_is_exit_2_and_says_what_to_write(tmp_path, said):
    command = [sys.executable, "-m", "cloud_sink", *SERVE, *WRONG[said]]
    done = subprocess.run(command, capture_output=True, timeout=20, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert b"secret" not in done.stderr


@pytest.mark.parametrize("url", ["http://me:secret@h", "mqtt://me:sec/secret@h", "secret@h"])
def test_credentials_are_refused_in_whatever_is_no_address_either(url):
    done = run(*SERVE, "--broker", url)
    assert done.returncode == 2
    assert b"no credentials" in done.stderr
    assert b"secret" not in done.stderr


def test_a_key_that_others_may_read_is_exit_2(tmp_path):
    key = tmp_path / "key.pem"
    key.touch(0o644)
    done = run(*SERVE, "--broker", "mqtts://localhost", "--cert", key, "--key", key)
    assert done.returncode == 2
    assert b"others may read it; chmod o=" in done.stderr


def test_commands_of_later_issues_are_absent():
    text = run("--help").stdout.decode()
    assert "serve" in text
    assert "export" in text
    assert "access" in text
    assert "report" not in text
    assert "bench" not in text


def test_jsonl_is_what_was_published_in_the_order_it_was_made(store):
    later = [counts(seq, "shelf-1", BOOT) for seq in (1, 2)]
    first = [counts(seq, "shelf-1", OTHER) for seq in (1, 2, 3)]
    put(store, first[0], first[2])
    put(store, later[1], first[1])
    put(store, later[0], later[0])
    done = run("export", "--db", store.path, "--format", "jsonl")
    assert done.stdout.splitlines() == [*first, *later]


def test_a_payload_with_line_breaks_is_still_one_line(store):
    put(store, counts(1).replace(b",", b",\r\n"))
    done = run("export", "--db", store.path, "--format", "jsonl")
    assert done.stdout.count(b"\n") == 1
    put(store, done.stdout.rstrip(b"\n"))


def test_csv_has_one_row_for_each_window_in_order_and_goes_to_a_file(store, tmp_path):
    put(
        store,
        counts(2, "shelf-1", BOOT, window("b", 60.0), window("a", 60.0, reaches=0)),
        counts(1, "shelf-1", BOOT, window("b", 0.0), window("a", 0.0)),
    )
    out = tmp_path / "counts.csv"
    done = run("export", "--db", store.path, "--format", "csv", "--out", out)
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text(), newline="")))
    assert [(row["zone"], row["start"], row["reaches"]) for row in rows] == [
        ("a", "0.0", ""),
        ("a", "60.0", "0"),
        ("b", "0.0", ""),
        ("b", "60.0", ""),
    ]
    assert {"unit", "pass_bys", "stops", "engaged", "reaches", "picks", "put_backs"} <= set(rows[0])
    assert list(rows[0])[:4] == ["tenant", "store", "unit", "zone"]
    assert {"staff_pass_bys", "reached", "picks_low", "histograms", "facings"} <= set(rows[0])
    assert {row["facings"] for row in rows} == {""}
    assert not list(tmp_path.glob("*.part"))


def test_an_export_without_a_database_or_a_folder_is_exit_2(store, tmp_path):
    none = run("export", "--db", tmp_path / "none.db", "--format", "csv")
    assert (none.returncode, b"no such file" in none.stderr) == (2, True)
    assert not (tmp_path / "none.db").exists()
    nowhere = run("export", "--db", store.path, "--format", "csv", "--out", tmp_path / "x" / "y")
    assert (nowhere.returncode, b"--out" in nowhere.stderr) == (2, True)


def test_a_reader_that_has_had_enough_is_no_trouble(store):
    put(store, *(counts(seq) for seq in range(1, 600)))
    command = [sys.executable, "-m", "cloud_sink", "export", "--db", str(store.path)]
    with subprocess.Popen(
        [*command, "--format", "jsonl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) == 0
