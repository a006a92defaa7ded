"""8 Access: who may say and hear what, whom a unit believes, and what guards its services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge_agent.records import topic
from tests.prove import hardening, secrets, trust
from tests.prove.authority import Authority
from tests.prove.foreign import tries
from tests.prove.guarded import Guarded, served
from tests.prove.row import Row, Scale
from tests.prove.shop import EARS, OUT, SINK, UNITS, WATCH, Shop, subject


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """Everything is tried in both forms: it takes seconds."""
    authority = Authority(folder / "authority")
    yield from _at_the_broker(authority, folder)
    yield from trust.prove(authority, folder)
    yield from secrets.prove(authority, folder)
    yield from hardening.prove(scale, folder)


def _at_the_broker(authority: Authority, folder: Path) -> Iterator[Row]:
    identities = {
        "-".join(unit): authority.issue("-".join(unit), subject(unit)) for unit in UNITS
    } | {name: authority.issue(name, f"/CN={name}") for name in (SINK, WATCH)}
    with Guarded(folder / "broker", authority, ears=EARS) as broker:
        broker.crl = authority.revoke(identities["-".join(UNITS[-1])])
        broker.configure("/".join(unit) for unit in UNITS)
        broker.start()
        shop = Shop(broker, folder, identities)
        try:
            yield _rightful(shop)
            yield _foreign(shop)
            yield _rightful(shop, again=True)
            yield _revoked(shop)
        finally:
            shop.close()


def _foreign(shop: Shop) -> Row:
    all_tries = list(tries())
    through = [each.what for each in all_tries if not each.attempt(shop)]
    claim = "a unit neither reads nor writes what is another's, whichever way it tries"
    figure = f"{len(all_tries) - len(through)} of {len(all_tries)} ways denied"
    if through:
        figure += f"; came through: {'; '.join(through)}"
    met = not through and len({each.what for each in all_tries}) >= 100
    return Row("access.foreign", claim, "all, at least 100", figure, met)


def _rightful(shop: Shop, again: bool = False) -> Row:
    """What is allowed works: else a broker that denies everything would pass."""
    done = 0
    for unit, peer in shop.victims.items():
        for leaf in OUT:
            mark = shop.mark()
            peer.publish(topic(*unit, leaf), mark, retain=leaf == "state")
            shop.sink.hears(topic(*unit, leaf), mark)
            done += 1
        mark = shop.mark()
        shop.sink.publish(topic(*unit, "cmd/ack"), mark)
        peer.hears(topic(*unit, "cmd/ack"), mark)
        done += 1
    total = len(shop.victims) * (len(OUT) + 1)
    when = "after all that" if again else "before anything is tried"
    claim = f"units publish counts, state and health, the sink hears and receipts them, {when}"
    figure = f"{done} of {total} ways work"
    check = "access.rightful-after" if again else "access.rightful"
    return Row(check, claim, "all", figure, done == total)


def _revoked(shop: Shop) -> Row:
    """Shut a unit out by list and by CRL while others stay connected; renew the broker's own."""
    broker, (kept, out, listed_out) = shop.broker, tuple(shop.victims)
    found: dict[str, bool] = {}

    broker.configure("/".join(unit) for unit in UNITS if unit != out)
    broker.reload()
    mark, receipt = shop.mark(), shop.mark()
    shop.victims[out].publish(topic(*out, "counts"), mark)
    shop.sink.publish(topic(*out, "cmd/ack"), receipt)
    _settle(shop, kept)
    silent = (
        not shop.heard(mark) and (topic(*out, "cmd/ack"), receipt) not in shop.victims[out].heard
    )
    found["off the list: nothing said, nothing heard on the connection it has"] = silent

    identity = shop.identities["-".join(listed_out)]
    assert broker.crl is not None
    broker.crl = broker.authority.revoke(identity)
    broker.reload()
    late = shop.peer(identity, protocol=3)
    found["on the CRL: not let in again"] = not late.connect()
    late.close()

    before = served(broker.port)
    broker.renew(broker.authority.issue("renewed", "/CN=broker", "DNS:localhost,IP:127.0.0.1"))
    broker.reload()
    found["the broker's own certificate renewed"] = served(broker.port) != before
    others = (shop.sink, shop.watch, shop.victims[kept])
    _settle(shop, kept)
    found["everybody else's connection kept"] = all(peer.connected for peer in others)
    missed = [what for what, held in found.items() if not held]
    figure = f"{len(found) - len(missed)} of {len(found)}"
    figure += f"; not: {'; '.join(missed)}" if missed else f" ({'; '.join(found)})"
    claim = "a unit is shut out without a restart of the broker, by list and by CRL"
    return Row("access.revoked", claim, "all", figure, not missed)


def _settle(shop: Shop, unit: tuple[str, str, str]) -> None:
    mark = shop.mark()
    shop.victims[unit].publish(topic(*unit, "counts"), mark)
    shop.watch.hears(topic(*unit, "counts"), mark)
