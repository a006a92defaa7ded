"""The broker's files: whom they let say what, and what no broker could work with."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_sink.access import Files, Unit, access_list, configuration, read_units, write
from cloud_sink.errors import UsageError
from tests.prove import foreign
from tests.prove import shop as shop_world
from tests.prove.authority import Authority, Identity
from tests.prove.guarded import Guarded, Peer

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
UNITS = st.builds(Unit, NAMES, NAMES, NAMES)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("apt-get install openssl")
    return Authority(tmp_path_factory.mktemp("keys") / "authority")


@pytest.fixture(scope="module")
def broker(authority: Authority) -> Identity:
    return authority.issue("broker", "/CN=broker", "DNS:localhost")


@pytest.fixture
def files(authority: Authority, broker: Identity) -> Files:
    return Files(authority.ca, broker.cert, broker.key)


def listed(folder: Path, text: str) -> tuple[Unit, ...]:
    path = folder / "units.txt"
    path.write_text(text)
    return read_units(path)


def test_a_list_has_one_unit_a_line_and_comments(tmp_path: Path) -> None:
    text = "# Seoul\ndemo/store-2/shelf-1\n\n  demo/store-1/shelf-2   # by the door\n"
    assert listed(tmp_path, text) == (
        Unit("demo", "store-1", "shelf-2"),
        Unit("demo", "store-2", "shelf-1"),
    )


def test_an_empty_list_lets_no_unit_in(tmp_path: Path) -> None:
    assert listed(tmp_path, "# none yet\n") == ()


def test_every_wrong_line_is_told_at_once(tmp_path: Path) -> None:
    text = "demo/store-1\ndemo/+/shelf-1\ndemo/store-1/a\ndemo/store-1/a\n/store/a\ndemo/s/é\n"
    with pytest.raises(UsageError) as told:
        listed(tmp_path, text)
    said = str(told.value)
    assert [f"line {number}" in said for number in range(1, 7)] == [
        True,
        True,
        False,
        True,
        True,
        True,
    ]
    assert "line 4: demo/store-1/a stands here twice" in said


def test_a_list_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_units(tmp_path / "none.txt")


def test_a_unit_writes_its_three_and_reads_its_commands_and_nothing_else() -> None:
    text = access_list([Unit("demo", "store-1", "shelf-1")], [])
    base = "shelflight/v1/demo/store-1/shelf-1"
    assert text.splitlines()[2:] == [
        "user CN=shelf-1,OU=store-1,O=demo",
        f"topic write {base}/counts",
        f"topic write {base}/state",
        f"topic write {base}/health",
        f"topic read {base}/cmd/#",
    ]


def test_a_sink_reads_all_three_and_writes_receipts_and_nothing_else() -> None:
    text = access_list([], ["sink"])
    assert text.splitlines()[2:] == [
        "user CN=sink",
        "topic read shelflight/v1/+/+/+/counts",
        "topic read shelflight/v1/+/+/+/state",
        "topic read shelflight/v1/+/+/+/health",
        "topic write shelflight/v1/+/+/+/cmd/ack",
    ]


def test_no_line_stands_before_the_first_user_where_it_would_be_everybodys() -> None:
    lines = access_list([Unit("a", "b", "c")], ["sink"]).splitlines()
    said = [line for line in lines if line and not line.startswith("#")]
    assert said[0].startswith("user ")


@given(st.lists(UNITS, min_size=2, max_size=2, unique=True))
def test_no_two_units_share_a_subject(units: list[Unit]) -> None:
    assert units[0].subject != units[1].subject


@given(UNITS, NAMES)
def test_no_unit_has_a_sinks_subject_and_all_fit_into_a_certificate(unit: Unit, sink: str) -> None:
    assert unit.subject != f"CN={sink}"
    assert all(len(part.split("=")[1]) <= 64 for part in unit.subject.split(","))


def test_the_longest_names_a_unit_may_have_reach_the_broker_whole(
    mosquitto: str, authority: Authority, tmp_path: Path
) -> None:
    unit = ("t" * 64, "s.-_" * 16, "U" * 63 + "0")
    with Guarded(tmp_path / "broker", authority) as broker:
        broker.configure(["/".join(unit)])
        broker.start()
        shown = authority.issue("longest", shop_world.subject(unit))
        peer = Peer(broker.port, authority.ca, shown)
        assert peer.connect(), peer.refused
        peer.close()
        assert f"CN={unit[2]},OU={unit[1]},O={unit[0]}".encode() in broker.log.read_bytes()


def settings(files: Files, listen: str = "8883") -> list[str]:
    return configuration(files, listen, Path("/var/lib/mosquitto"), Path("/etc/a.acl")).splitlines()


def test_nobody_is_let_in_without_a_certificate_and_there_is_one_listener(files: Files) -> None:
    lines = settings(files)
    assert [line for line in lines if line.startswith("listener")] == ["listener 8883"]
    assert {
        "allow_anonymous false", "require_certificate true", "use_subject_as_username true",
        "use_username_as_clientid true", "acl_file /etc/a.acl", f"cafile {files.ca}",
    } <= set(lines)  # fmt: skip
    assert not any(line.startswith("crlfile") for line in lines)


def test_what_is_revoked_and_where_to_listen_can_be_said(files: Files, tmp_path: Path) -> None:
    crl = tmp_path / "revoked.crl"
    lines = settings(Files(files.ca, files.cert, files.key, crl), "[::1]:8884")
    assert f"crlfile {crl}" in lines
    assert "listener 8884 ::1" in lines


@pytest.mark.parametrize("listen", ["", "mqtt", "0", "65536", "host:", "١٢٣"])
def test_a_place_to_listen_that_is_none_is_told(files: Files, listen: str) -> None:
    with pytest.raises(UsageError, match="--listen"):
        settings(files, listen)


def test_both_files_are_replaced_whole_and_are_not_for_all_to_read(
    files: Files, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for units in ((Unit("a", "b", "c"),), ()):
        write(units, ["sink"], files, "8883", tmp_path, out)
    assert sorted(path.name for path in out.iterdir()) == ["access.acl", "mosquitto.conf"]
    assert "CN=c" not in (out / "access.acl").read_text()
    assert not any(stat.S_IMODE(path.stat().st_mode) & 0o007 for path in out.iterdir())


def test_what_no_broker_could_work_with_is_told_before_anything_is_written(
    files: Files, authority: Authority, tmp_path: Path
) -> None:
    other = authority.issue("other", "/CN=other", "DNS:other")
    junk, out = tmp_path / "junk.pem", tmp_path / "out"
    junk.write_text("no certificate")
    open_key = tmp_path / "open.key"
    open_key.write_bytes(files.key.read_bytes())
    open_key.chmod(0o644)
    for wrong, said in (
        (Files(junk, files.cert, files.key), "--ca"),
        (Files(tmp_path / "none.pem", files.cert, files.key), "No such file"),
        (Files(files.ca, files.cert, other.key), "--cert, --key"),
        (Files(files.ca, files.cert, files.key, junk), "--crl"),
        (Files(files.ca, files.cert, open_key), "others may read it"),
    ):
        with pytest.raises(UsageError, match=said):
            write((), ["sink"], wrong, "8883", tmp_path, out)
    with pytest.raises(UsageError, match="--sink"):
        write((), ["the sink"], files, "8883", tmp_path, out)
    assert not out.exists()


def test_a_key_with_a_passphrase_is_told_and_nobody_is_asked_for_it(
    files: Files, tmp_path: Path
) -> None:
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "ec", "-in", files.key, "-aes256", "-passout", "pass:x", "-out", locked],
        check=True, capture_output=True,
    )  # fmt: skip
    locked.chmod(0o600)
    with pytest.raises(UsageError, match="--cert, --key"):
        write((), ["sink"], Files(files.ca, files.cert, locked), "8883", tmp_path, tmp_path / "out")


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloud_sink", "access", *map(str, words)],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip


def test_the_command_writes_them_and_its_mistakes_are_exit_2(files: Files, tmp_path: Path) -> None:
    units = tmp_path / "units.txt"
    units.write_text("demo/store-1/shelf-1\n")
    words = ("--units", units, "--ca", files.ca, "--cert", files.cert, "--key", files.key)
    done = command(*words, "--out", tmp_path / "out", "--sink", "east", "--sink", "west")
    assert (done.returncode, done.stderr) == (0, "")
    text = (tmp_path / "out" / "access.acl").read_text()
    assert [line for line in text.splitlines() if line.startswith("user")] == [
        "user CN=east",
        "user CN=west",
        "user CN=shelf-1,OU=store-1,O=demo",
    ]
    units.write_text("shelf-1\n")
    wrong = command(*words, "--out", tmp_path / "other")
    assert wrong.returncode == 2
    assert "line 1: 'shelf-1' is no TENANT/STORE/UNIT" in wrong.stderr
    assert not (tmp_path / "other").exists()


def test_a_folder_that_cannot_be_written_is_told(files: Files, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--out"):
        write((), ["sink"], files, "8883", tmp_path, files.key / "out")


def test_an_access_list_with_a_hole_in_it_is_noticed(
    mosquitto: str, authority: Authority, tmp_path: Path
) -> None:
    names = {"-".join(unit): shop_world.subject(unit) for unit in shop_world.UNITS}
    names |= {name: f"/CN={name}" for name in (shop_world.SINK, shop_world.WATCH)}
    identities = {name: authority.issue(name, said) for name, said in names.items()}
    hole = "\nuser CN=shelf-a,OU=store-1,O=demo\ntopic readwrite #\n"
    wanted = (
        "write counts of its neighbour, MQTT 5", "write under a slash before", "read #",
        "a last will at state of its neighbour, MQTT 3",
    )  # fmt: skip
    chosen = [each for each in foreign.tries() if each.what in wanted]
    assert len(chosen) == len(wanted)
    for ears, denied in ((shop_world.EARS, True), (shop_world.EARS + hole, False)):
        with Guarded(tmp_path / f"broker-{denied}", authority, ears=ears) as broker:
            broker.configure("/".join(unit) for unit in shop_world.UNITS)
            broker.start()
            shop = shop_world.Shop(broker, tmp_path, identities)
            try:
                assert [each.attempt(shop) for each in chosen] == [denied] * len(chosen)
            finally:
                shop.close()
