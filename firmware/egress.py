#!/usr/bin/env python3
"""From one list of whom a unit may reach to every place that holds it: nftables and systemd.

    allow.txt --> nftables.conf                            the whole machine, with ports
             `--> shelflight-uplink.service.d/allow.conf   the uplink: broker, name service
             `--> systemd-timesyncd.service.d/allow.conf   the clock: time, name service

Addresses, not names: neither filter knows names, and a name is only as true as who answers for it.
A broker that moves about behind a name needs a network that it stays in.
"""

from __future__ import annotations

import argparse
import ipaddress
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# What there is to reach, and how.
PORTS: dict[str, tuple[tuple[str, int], ...]] = {
    "broker": (("tcp", 8883),),
    "time": (("udp", 123),),
    "name": (("udp", 53), ("tcp", 53)),
}
# Which service needs what.
SERVICES = {
    "shelflight-uplink.service": ("broker", "name"),
    "systemd-timesyncd.service": ("time", "name"),
}
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DROP_IN = """\
# Written by egress.py from the list of whom this unit may reach.
[Service]
IPAddressDeny=any
# Loopback: the uplink wakes itself through it, and the name service may run on this machine.
IPAddressAllow=localhost
"""
_RULES = """\
#!/usr/sbin/nft -f
# Written by egress.py from the list of whom this unit may reach.
table inet shelflight
delete table inet shelflight
table inet shelflight {{
    chain output {{
        type filter hook output priority filter; policy drop;
        oifname "lo" accept
        ct state established,related accept
{allowed}
        # Without these a unit has no address and no neighbours: they reach the shop's own network.
        udp sport 68 udp dport 67 accept
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit }} accept
        counter comment "what was kept from leaving"
    }}
    chain input {{
        type filter hook input priority filter; policy drop;
        iifname "lo" accept
        ct state established,related accept
        udp sport 67 udp dport 68 accept
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert }} accept
    }}
    chain forward {{
        type filter hook forward priority filter; policy drop;
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Allowed:
    """One line of the list.

    Args:
        purpose: a key of `PORTS`.
        network: an address or more.
        ports: protocol and port each.
    """

    purpose: str
    network: Network
    ports: tuple[tuple[str, int], ...]


def read(text: str) -> tuple[Allowed, ...]:
    """The list.

    Raises:
        ValueError: every line that is wrong, and which purposes are missing.
    """
    found: list[Allowed] = []
    mistakes: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        try:
            found.extend([_line(words)] if words else [])
        except ValueError as error:
            mistakes.append(f"line {number}: {error}")
    missing = sorted(set(PORTS) - {allowed.purpose for allowed in found})
    if missing and not mistakes:
        mistakes.append(f"there is no line for {', '.join(missing)}")
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return tuple(found)


def rules(allowed: Iterable[Allowed]) -> str:
    """The list for nftables."""
    lines = [
        f"        {_family(each.network)} daddr {each.network} {protocol} dport {port} accept"
        f' comment "{each.purpose}"'
        for each in allowed
        for protocol, port in each.ports
    ]
    return _RULES.format(allowed="\n".join(lines))


def drop_in(allowed: Iterable[Allowed], service: str) -> str:
    """The list for one of `SERVICES`."""
    networks = [each.network for each in allowed if each.purpose in SERVICES[service]]
    return _DROP_IN + "".join(f"IPAddressAllow={network}\n" for network in networks)


def main() -> int:
    """Read the list, write the files; 2 where the list is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--allow", type=Path, default=Path("/etc/shelflight/allow.txt"))
    parser.add_argument("--nftables", type=Path, default=Path("/etc/nftables.conf"))
    parser.add_argument("--systemd", type=Path, default=Path("/etc/systemd/system"))
    args = parser.parse_args()
    try:
        allowed = read(args.allow.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"{args.allow}: {error}", file=sys.stderr)
        return 2
    texts = {args.systemd / f"{name}.d" / "allow.conf": drop_in(allowed, name) for name in SERVICES}
    texts[args.nftables] = rules(allowed)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"{path} written")
    return 0


def _line(words: list[str]) -> Allowed:
    purpose, *rest = words
    if purpose not in PORTS or len(rest) not in (1, 2):
        raise ValueError(f"write {' | '.join(PORTS)}, an address, and a port if it is another")
    network = ipaddress.ip_network(rest[0])
    ports = PORTS[purpose]
    if network.prefixlen < _LEAST[network.version]:
        raise ValueError(f"{network} is half the world; /{_LEAST[network.version]} at the widest")
    if len(rest) == 2:
        if not rest[1].isdecimal() or not 0 < int(rest[1]) < 65536:
            raise ValueError(f"{rest[1]} is no port")
        ports = tuple((protocol, int(rest[1])) for protocol, _ in ports)
    return Allowed(purpose, network, ports)


# A wider network than that is no list of whom to reach.
_LEAST = {4: 16, 6: 32}


def _family(network: Network) -> str:
    return "ip" if network.version == 4 else "ip6"


if __name__ == "__main__":
    sys.exit(main())
