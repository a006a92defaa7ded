"""A hundred ways to reach for what belongs to another unit; each must come to nothing."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.records import topic
from tests.prove.authority import Authority, Identity
from tests.prove.guarded import Peer
from tests.prove.shop import LEAVES, NEIGHBOUR, OTHERS, OUT, OWN, UNITS, Shop, called, subject

# Does something forbidden; True = it was denied.
Attempt = Callable[[Shop], bool]


@dataclass(frozen=True, slots=True)
class Try:
    """One way."""

    what: str
    attempt: Attempt


def tries() -> Iterator[Try]:
    """All ways, none twice."""
    yield from _writes()
    yield from _disguised_writes()
    yield from _wills()
    yield from _reads()
    yield from _strangers()
    yield from _claims()


def _writes() -> Iterator[Try]:
    for who, unit in OTHERS.items():
        for leaf in LEAVES:
            for protocol in (5, 3):
                write = partial(_write, protocol=protocol, to=topic(*unit, leaf))
                yield Try(f"write {leaf} of {who}, MQTT {protocol}", write)
    for leaf in LEAVES:
        to = topic(*NEIGHBOUR, leaf)
        yield Try(f"leave a retained {leaf} at its neighbour", partial(_write, to=to, retain=True))
        yield Try(f"write {leaf} of its neighbour, QoS 0", partial(_write, to=to, qos=0))
        yield Try(f"write {leaf} of its neighbour, QoS 2", partial(_write, to=to, qos=2))
    for leaf in OUT:
        by_sink = partial(_write_as_sink, to=topic(*NEIGHBOUR, leaf))
        yield Try(f"write {leaf} of a unit with the sink's certificate", by_sink)
    for protocol in (5, 3):
        own = partial(_write, protocol=protocol, to=topic(*OWN, "cmd/ack"))
        yield Try(f"write its own receipts, MQTT {protocol}", own)


def _disguised_writes() -> Iterator[Try]:
    tenant, store, unit = NEIGHBOUR
    base = topic(*NEIGHBOUR, "counts")
    for what, to in {
        "the neighbour's name in capitals": topic(tenant, store, unit.upper(), "counts"),
        "the tenant's name in capitals": topic(tenant.upper(), store, unit, "counts"),
        "its own name in capitals": topic(*OWN[:2], OWN[2].upper(), "counts"),
        "full-width letters": topic(tenant, store, "\uff53helf-b", "counts"),
        "a Cyrillic letter that looks the same": topic(tenant, store, "sh\u0435lf-b", "counts"),
        "a letter of no width": topic(tenant, store, "shelf-\u200bb", "counts"),
        "a combining accent": topic(tenant, store, "shelf-b\u0301", "counts"),
        "percent signs": topic(tenant, store, "shelf%2Db", "counts"),
        "two dots up from its own": topic(*OWN, "../shelf-b/counts"),
        "a slash before": f"/{base}",
        "a slash after": f"{base}/",
        "an empty store": topic(tenant, "", unit, "counts"),
        "a leaf below its own counts": topic(*OWN, "counts/shelf-b"),
        "a leaf of its own that there is not": topic(*OWN, "events"),
        "a command to itself": topic(*OWN, "cmd/reset"),
        "another version": base.replace("/v1/", "/v2/"),
        "a share as if it were a topic": f"$share/g/{base}",
        "the broker's own topics": "$SYS/broker/clients/total",
        "a unit that is not listed": topic(tenant, store, "shelf-new", "counts"),
    }.items():
        yield Try(f"write under {what}", partial(_write, to=to))
    yield Try("write by an alias of the neighbour's topic", _aliased)
    yield Try("write by an alias of its own topic, turned to the neighbour's", _alias_turned)


def _wills() -> Iterator[Try]:
    for leaf in LEAVES:
        for protocol in (5, 3):
            will = partial(_last_will, protocol=protocol, to=topic(*NEIGHBOUR, leaf))
            yield Try(f"a last will at {leaf} of its neighbour, MQTT {protocol}", will)


def _reads() -> Iterator[Try]:
    for who, unit in OTHERS.items():
        for leaf in LEAVES:
            read = partial(_read, filters=topic(*unit, leaf))
            yield Try(f"read {leaf} of {who}", read)
    for number in range(6):
        levels = topic(*NEIGHBOUR, "counts").split("/")
        levels[number] = "+"
        yield Try(
            f"read with a wildcard at level {number + 1}", partial(_read, filters="/".join(levels))
        )
    for filters in (
        "#", "+/#", "+/+/+/+/+/+", "shelflight/#", "shelflight/v1/#", "shelflight/v1/demo/#",
        "shelflight/v1/demo/store-1/#", topic(*NEIGHBOUR, "#"), topic(*NEIGHBOUR, "cmd/#"),
        topic("+", "+", "+", "cmd/ack"), "$share/g/#", "$share/g/shelflight/v1/#",
        f"$share/g/{topic(*NEIGHBOUR, 'counts')}", f"$share/shelf-b/{topic(*NEIGHBOUR, 'cmd/#')}",
    ):  # fmt: skip
        yield Try(f"read {filters}", partial(_read, filters=filters))
    for filters in ("#", topic(*NEIGHBOUR, "cmd/#"), topic(*NEIGHBOUR, "state")):
        yield Try(f"read {filters}, MQTT 3", partial(_read, filters=filters, protocol=3))
    for filters in ("$SYS/#", "$SYS/broker/clients/total"):
        yield Try(f"read the broker's own {filters}", partial(_read, filters=filters))


def _strangers() -> Iterator[Try]:
    yield Try("no certificate", lambda shop: _shut_out(shop, None))
    for protocol in (5, 3):
        known: dict[str, Any] = {
            "protocol": protocol,
            "username": "CN=shelf-b,OU=store-1,O=demo",
        }
        yield Try(
            f"no certificate but the neighbour's name and a password, MQTT {protocol}",
            partial(_shut_out, identity=None, **known),
        )
    for what, make in _FORGED.items():
        yield Try(what, partial(_forger, make=make))
    for what, said in _UNKNOWN.items():
        yield Try(what, partial(_nobody, said=said))
    for newest in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        attempt = partial(_downgraded, newest=newest)
        yield Try(f"its own certificate over {newest.name}", attempt)


def _claims() -> Iterator[Try]:
    name = "CN=shelf-b,OU=store-1,O=demo"
    for protocol in (5, 3):
        claim: dict[str, Any] = {"protocol": protocol, "username": name}
        yield Try(f"the neighbour's name as user, MQTT {protocol}", partial(_as_user, **claim))
        for client_id in (name, called(NEIGHBOUR)):
            known: dict[str, Any] = {"protocol": protocol, "client_id": client_id}
            what = f"as {client_id}, MQTT {protocol}"
            yield Try(f"take the neighbour's place {what}", partial(_takes_place, **known))
            yield Try(f"take the neighbour's session {what}", partial(_takes_session, **known))


def _insider(shop: Shop, **known: Any) -> Peer:
    """The intruder, with the certificate that it rightly has."""
    peer = shop.peer(shop.identities["-".join(OWN)], **known)
    assert peer.connect(), peer.refused
    return peer


def _write(shop: Shop, to: str, protocol: int = 5, qos: int = 1, retain: bool = False) -> bool:
    peer, mark = _insider(shop, protocol=protocol), shop.mark()
    peer.publish(to, mark, qos, retain)
    peer.close()
    shop.settle()
    return not shop.heard(mark) and not (retain and _retained(shop, mark))


def _write_as_sink(shop: Shop, to: str) -> bool:
    mark = shop.mark()
    shop.sink.publish(to, mark)
    shop.settle()
    return not shop.heard(mark)


def _retained(shop: Shop, mark: bytes) -> bool:
    """Whether somebody who comes later is given it."""
    rightful, own = shop.mark(), topic(*NEIGHBOUR, "health")
    known = len(shop.watch.heard)
    shop.watch.subscribe("#")  # what is retained is told anew
    shop.victims[NEIGHBOUR].publish(own, rightful)
    shop.watch.hears(own, rightful)
    return any(said == mark for _, said in shop.watch.heard[known:])


def _aliased(shop: Shop) -> bool:
    peer, first, second = _insider(shop), shop.mark(), shop.mark()
    peer.publish(topic(*NEIGHBOUR, "counts"), first, alias=1)
    if peer.connected:
        peer.publish("", second, alias=1)
    peer.close()
    shop.settle()
    return not shop.heard(first) and not shop.heard(second)


def _alias_turned(shop: Shop) -> bool:
    peer, own, first, second = _insider(shop), shop.mark(), shop.mark(), shop.mark()
    peer.publish(topic(*OWN, "counts"), own, alias=1)
    shop.watch.hears(topic(*OWN, "counts"), own)
    peer.publish(topic(*NEIGHBOUR, "counts"), first, alias=1)
    if peer.connected:
        peer.publish("", second, alias=1)
    peer.close()
    shop.settle()
    return not any(
        (topic(*NEIGHBOUR, "counts"), said) in shop.watch.heard for said in (first, second)
    )


def _last_will(shop: Shop, to: str, protocol: int) -> bool:
    mark = shop.mark()
    peer = shop.peer(shop.identities["-".join(OWN)], protocol=protocol)
    peer.will(to, mark)
    if peer.connect():
        peer.cut()
        # The next one of that name is let in when the broker is done with this one, will and all.
        _insider(shop).close()
    shop.settle()
    return not shop.heard(mark)


def _read(shop: Shop, filters: str, protocol: int = 5) -> bool:
    peer = _insider(shop, protocol=protocol)
    peer.subscribe(filters, topic(*OWN, "cmd/ack"))
    for unit, victim in shop.victims.items():
        for leaf in OUT:
            victim.publish(topic(*unit, leaf), shop.mark(), retain=leaf == "state")
        shop.sink.publish(topic(*unit, "cmd/ack"), shop.mark())
    mark = shop.mark()
    if peer.connected:
        shop.sink.publish(topic(*OWN, "cmd/ack"), mark)
        peer.hears(topic(*OWN, "cmd/ack"), mark)
    peer.close()
    return all(said == topic(*OWN, "cmd/ack") for said, _ in peer.heard)


def _shut_out(shop: Shop, identity: Identity | None, **known: Any) -> bool:
    """It is not even let in."""
    peer, mark = shop.peer(identity, **known), shop.mark()
    let_in = peer.connect()
    if let_in:
        peer.publish(topic(*NEIGHBOUR, "counts"), mark)
    peer.close()
    shop.settle()
    return not let_in and not shop.heard(mark)


def _forger(shop: Shop, make: Callable[[Shop], Identity]) -> bool:
    return _shut_out(shop, make(shop))


def _downgraded(shop: Shop, newest: ssl.TLSVersion) -> bool:
    return _shut_out(shop, shop.identities["-".join(OWN)], newest=newest)


def _nobody(shop: Shop, said: str) -> bool:
    """Somebody whom the authority knows and the list does not: can say and hear nothing."""
    identity = shop.broker.authority.issue(f"nobody-{shop.mark().split()[1].decode()}", said)
    peer, mark = shop.peer(identity), shop.mark()
    if peer.connect():
        peer.subscribe("#", topic(*NEIGHBOUR, "cmd/#"))
        for leaf in LEAVES:
            peer.publish(topic(*NEIGHBOUR, leaf), mark)
    shop.settle()
    peer.close()
    return not shop.heard(mark) and not peer.heard


def _as_user(shop: Shop, **known: Any) -> bool:
    peer, mark = _insider(shop, **known), shop.mark()
    peer.subscribe(topic(*NEIGHBOUR, "cmd/#"))
    peer.publish(topic(*NEIGHBOUR, "counts"), mark)
    shop.settle()
    peer.close()
    return not shop.heard(mark) and not peer.heard


def _takes_place(shop: Shop, **known: Any) -> bool:
    """The neighbour stays connected: who it is says its certificate."""
    victim = shop.victims[NEIGHBOUR]
    peer = _insider(shop, **known)
    shop.settle()
    peer.close()
    return victim.connected and not peer.heard


def _takes_session(shop: Shop, protocol: int, client_id: str) -> bool:
    """What waits for a neighbour that is away is given to nobody else."""
    lasting: dict[str, Any] = {"clean_session": False} if protocol == 3 else {}
    options: dict[str, Any] = {}
    if protocol == 5:
        known = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        known.SessionExpiryInterval = 60
        options = {"clean_start": False, "properties": known}
    unit, mark = NEIGHBOUR, shop.mark()
    shop.victims[unit].close()
    owner = partial(
        shop.peer, shop.identities["-".join(unit)], protocol=protocol, client_id=called(unit),
        **lasting,
    )  # fmt: skip
    away = owner()
    assert away.connect(**options), away.refused
    away.subscribe(topic(*unit, "cmd/#"))
    away.close()
    shop.sink.publish(topic(*unit, "cmd/ack"), mark)
    thief = shop.peer(
        shop.identities["-".join(OWN)], protocol=protocol, client_id=client_id, **lasting
    )
    assert thief.connect(**options), thief.refused
    thief.subscribe(topic(*OWN, "cmd/ack"))
    own = shop.mark()
    shop.sink.publish(topic(*OWN, "cmd/ack"), own)
    thief.hears(topic(*OWN, "cmd/ack"), own)
    thief.close()
    # Whose it is gets it: the session was there to be stolen.
    back = owner()
    assert back.connect(**options), back.refused
    stolen = any(said == mark for _, said in thief.heard)
    if not stolen:
        back.hears(topic(*unit, "cmd/ack"), mark)
    back.close()
    shop.victims[unit] = shop.rightful(unit)
    return not stolen


def _of_another(shop: Shop) -> Identity:
    other = Authority(shop.folder / f"other-{shop.mark().split()[1].decode()}")
    return other.issue("shelf-b", subject(NEIGHBOUR))


def _self_signed(shop: Shop) -> Identity:
    return shop.broker.authority.self_signed("self", subject(NEIGHBOUR))


def _signed_by_a_unit(shop: Shop) -> Identity:
    own = shop.identities["-".join(OWN)]
    return Authority(shop.folder / "unit-as-authority", signer=own).issue("b", subject(NEIGHBOUR))


def _dated(shop: Shop, name: str, start: str, end: str) -> Identity:
    return shop.broker.authority.issue(name, subject(NEIGHBOUR), start=start, end=end)


_FORGED: dict[str, Callable[[Shop], Identity]] = {
    "a certificate of the neighbour's name that it signed itself": _self_signed,
    "one of the neighbour's name by another authority": _of_another,
    "one of the neighbour's name, signed with its own unit's key": _signed_by_a_unit,
    "the neighbour's certificate of former years": lambda shop: _dated(
        shop, "old", "20200101000000Z", "20210101000000Z"
    ),
    "the neighbour's certificate of years to come": lambda shop: _dated(
        shop, "new", "20900101000000Z", "20910101000000Z"
    ),
    "a certificate that is revoked": lambda shop: shop.identities["-".join(UNITS[-1])],
    "a broker's certificate instead of a unit's": lambda shop: shop.broker.authority.issue(
        "server", subject(NEIGHBOUR), hosts="DNS:shelf-b"
    ),
}
# Subjects that the authority might be brought to sign, and that are nobody's.
_UNKNOWN = {
    "a unit that is not on the list": "/O=demo/OU=store-1/CN=shelf-new",
    "the neighbour's subject with a place": "/O=demo/OU=store-1/CN=shelf-b/L=here",
    "the neighbour's names in another order": "/CN=shelf-b/OU=store-1/O=demo",
    "the neighbour's whole subject as its name": "/CN=CN=shelf-b,OU=store-1,O=demo",
    "the neighbour's name in capitals": "/O=demo/OU=store-1/CN=SHELF-B",
    "the neighbour's id alone": "/CN=shelf-b",
    "the neighbour's id beside its own": "/O=demo/OU=store-1/CN=shelf-a/CN=shelf-b",
    "a store that looks like two": "/O=demo/OU=store-1,O=demo/CN=shelf-b",
    "a sink's name with a tenant": "/O=demo/CN=sink",
    "a sink's name with a store and a tenant": "/O=demo/OU=store-1/CN=sink",
    "a plus sign for a name": "/O=demo/OU=store-1/CN=+",
    "a number sign for a name": "/O=demo/OU=store-1/CN=#",
}
