"""One list of whom a unit may reach, and the files that are made of it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.prove.confined import FIRMWARE
from tests.prove.hardening import install, listed

spec = importlib.util.spec_from_file_location("egress", FIRMWARE / "egress.py")
assert spec is not None
assert spec.loader is not None
egress = importlib.util.module_from_spec(spec)
sys.modules["egress"] = egress  # where its dataclass looks for itself
spec.loader.exec_module(egress)

LIST = "broker 192.0.2.10\ntime 192.0.2.123\nname 192.0.2.53\n"


def test_each_purpose_has_its_usual_ports() -> None:
    broker, time, name = egress.read(LIST)
    assert (broker.purpose, str(broker.network), broker.ports) == (
        "broker", "192.0.2.10/32", (("tcp", 8883),),
    )  # fmt: skip
    assert time.ports == (("udp", 123),)
    assert name.ports == (("udp", 53), ("tcp", 53))


def test_a_network_another_port_and_a_comment_may_stand_there() -> None:
    text = "broker 2001:db8:1::/48 443 # behind a proxy\n\n# both\n" + LIST
    first = egress.read(text)[0]
    assert (str(first.network), first.ports) == ("2001:db8:1::/48", (("tcp", 443),))
    assert "ip6 daddr 2001:db8:1::/48 tcp dport 443 accept" in egress.rules([first])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("camera 192.0.2.1", "line 1: write broker | time | name"),
        ("broker", "line 1: write"),
        ("broker 192.0.2.1 8883 tcp", "line 1: write"),
        ("broker broker.example", "line 1: 'broker.example' does not appear to be"),
        ("broker 192.0.2.1/24", "has host bits set"),
        ("broker 0.0.0.0/0", "half the world"),
        ("broker ::/0", "half the world"),
        ("broker 192.0.2.1 0", "0 is no port"),
        ("broker 192.0.2.1 mqtts", "mqtts is no port"),
    ],
)
def test_a_line_that_is_wrong_says_what_to_write(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("|", r"\|")):
        egress.read(f"{line}\n{LIST}")


def test_every_wrong_line_comes_at_once_and_a_missing_purpose_is_told() -> None:
    with pytest.raises(ValueError, match=r"(?s)line 1.*line 2"):
        egress.read("a\nb\n")
    with pytest.raises(ValueError, match="there is no line for name, time"):
        egress.read("broker 192.0.2.1\n")


def test_the_same_addresses_stand_in_nftables_and_in_systemd(tmp_path: Path) -> None:
    install(tmp_path / "place", LIST + "broker 2001:db8::10\nname 192.0.2.54\n")
    found = listed(tmp_path / "place")
    assert found["broker"] == {"192.0.2.10/32", "2001:db8::10/128"}
    assert found["shelflight-uplink"] == found["broker"] | found["name"] | {"localhost"}
    assert found["systemd-timesyncd"] == found["time"] | found["name"] | {"localhost"}
    for service in egress.SERVICES:
        text = (tmp_path / "place" / f"{service}.d" / "allow.conf").read_text()
        assert "[Service]\nIPAddressDeny=any\n" in text


def test_nftables_takes_the_rules_of_the_list_that_is_shipped(tmp_path: Path) -> None:
    nft = shutil.which("nft") or shutil.which("nft", path="/usr/sbin:/sbin")
    if nft is None:
        pytest.skip("apt-get install nftables")
    install(tmp_path / "place", (FIRMWARE / "allow.txt").read_text())
    rules = tmp_path / "place" / "nftables.conf"
    done = subprocess.run([nft, "-c", "-f", rules], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    # Written once more it replaces what is loaded, and adds nothing to it.
    assert rules.read_text().index("delete table") < rules.read_text().index("chain output")


def test_a_wrong_list_is_exit_2_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "allow.txt").write_text("broker here\n")
    words = ["--allow", "allow.txt", "--nftables", "n.conf", "--systemd", "."]
    done = subprocess.run(
        [sys.executable, FIRMWARE / "egress.py", *words],
        cwd=tmp_path, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert done.returncode == 2
    assert "allow.txt: line 1: 'here' does not appear to be" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["allow.txt"]
