"""What is sent, sent again and purged, decided without a socket, a file or a clock."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from outbox_world import BOOT, NEXT_BOOT

from edge_agent.outbox import Key
from edge_agent.records import Receipt
from edge_agent.transport.backoff import Backoff
from edge_agent.transport.delivery import (
    PARK_S,
    PURGE_ROWS,
    PURGE_S,
    RECEIPT_MOST_S,
    Delivery,
    Verdict,
)
from edge_agent.transport.sessions import Sessions


def rows(first: int, last: int, boot: str = BOOT) -> list[Key]:
    return [Key(seq, boot, seq) for seq in range(first, last + 1)]


def send(delivery: Delivery, disk: list[Key], now: float) -> list[int]:
    """What the courier does: look at the rows after the cursor until one has to wait."""
    seqs = []
    start = 0 if delivery.after is None else disk.index(delivery.after) + 1
    for key in disk[start:]:
        verdict = Verdict.WAIT if delivery.room() == 0 else delivery.verdict(key)
        if verdict is Verdict.WAIT:
            break
        if verdict is Verdict.SKIP:
            delivery.skipped(key)
        else:
            delivery.sent(key, now)
            seqs.append(key.seq)
    return seqs


def acknowledge(delivery: Delivery, keys: list[Key], now: float = 0) -> None:
    for key in keys:
        delivery.acknowledged(key, now)


def test_no_more_than_max_inflight_rows_are_in_the_clients_hands() -> None:
    delivery, disk = Delivery(3, 100, 30), rows(1, 10)
    assert send(delivery, disk, 0) == [1, 2, 3]
    assert send(delivery, disk, 0) == []
    delivery.acknowledged(disk[0], 0)
    assert send(delivery, disk, 0) == [4]
    assert delivery.room(others=1) == 0


def test_an_acknowledgement_frees_a_place_but_the_row_is_not_done() -> None:
    delivery, disk = Delivery(3, 100, 30), rows(1, 3)
    send(delivery, disk, 0)
    acknowledge(delivery, disk)
    assert delivery.out == 3
    assert delivery.purgeable(1e9, everything=True) == []


def test_no_more_than_max_unreceipted_rows_of_the_file_were_sent() -> None:
    delivery, disk = Delivery(10, 4, 30), rows(1, 10)
    assert send(delivery, disk, 0) == [1, 2, 3, 4]
    acknowledge(delivery, disk[:4])
    assert send(delivery, disk, 0) == []
    assert delivery.receipt(Receipt(BOOT, 2), 1) == 2
    assert send(delivery, disk, 1) == []  # receipted, but still in the file
    done = delivery.purgeable(1)
    delivery.purged(done)
    assert done == disk[:2]
    assert send(delivery, disk[2:], 1) == [5, 6]


def test_a_receipt_covers_spans_beyond_the_first_gap() -> None:
    delivery, disk = Delivery(10, 100, 30), rows(1, 8)
    send(delivery, disk, 0)
    assert delivery.receipt(Receipt(BOOT, 1, ((3, 4), (7, 7))), 1) == 4
    delivery.disconnected(2)
    assert send(delivery, disk, 2) == [2, 5, 6, 8]


def test_a_receipt_for_another_boot_or_for_rows_not_sent_does_nothing() -> None:
    delivery, disk = Delivery(2, 100, 30), rows(1, 5)
    send(delivery, disk, 0)
    assert delivery.receipt(Receipt(NEXT_BOOT, 5), 1) == 0
    assert delivery.receipt(Receipt(BOOT, 2**50), 1) == 2
    assert delivery.purgeable(1, everything=True) == disk[:2]


def test_after_a_break_everything_without_a_receipt_goes_again_from_the_oldest() -> None:
    delivery, disk = Delivery(10, 100, 30), rows(1, 6)
    send(delivery, disk, 0)
    acknowledge(delivery, disk[:4])
    delivery.receipt(Receipt(BOOT, 2), 1)
    delivery.disconnected(2)
    assert send(delivery, disk, 2) == [3, 4, 5, 6]
    assert delivery.out == 4


def test_a_row_without_a_receipt_goes_again_and_the_wait_grows_up_to_a_cap() -> None:
    delivery, disk = Delivery(10, 100, 30), rows(1, 2)
    now, waits = 0.0, []
    for _ in range(8):
        send(delivery, disk, now)
        acknowledge(delivery, disk, now)
        sent_at = now
        while not delivery.tick(now):
            now += 1
        waits.append(now - sent_at)
    assert waits == [30, 60, 120, 240, 480, RECEIPT_MOST_S, RECEIPT_MOST_S, RECEIPT_MOST_S]
    assert delivery.late
    assert send(delivery, disk, now) == [1, 2]
    delivery.receipt(Receipt(BOOT, 1), now)
    assert not delivery.late


def test_only_rows_that_are_overdue_go_again() -> None:
    delivery, disk = Delivery(10, 100, 30), rows(1, 2)
    send(delivery, disk, 0)
    delivery.acknowledged(disk[0], 0)
    delivery.acknowledged(disk[1], 25)
    assert delivery.tick(29.9) == 0
    assert delivery.tick(30) == 1
    assert send(delivery, disk, 30) == [1]


def test_on_a_slow_link_the_wait_for_a_receipt_begins_with_the_acknowledgement() -> None:
    delivery, disk = Delivery(10, 100, 30), rows(1, 2)
    send(delivery, disk, 0)
    acknowledge(delivery, disk, 100)  # it took so long to carry them
    assert delivery.tick(100) == 0
    assert delivery.tick(129.9) == 0
    assert delivery.tick(130) == 2


def test_a_row_in_flight_is_not_published_twice_on_one_connection() -> None:
    delivery, disk = Delivery(10, 100, 30), rows(1, 2)
    send(delivery, disk, 0)
    delivery.tick(31)
    assert send(delivery, disk, 31) == []


def test_a_row_in_flight_when_others_go_again_is_not_forgotten() -> None:
    delivery, disk = Delivery(10, 100, 30), rows(1, 2)
    send(delivery, disk, 0)
    delivery.acknowledged(disk[1], 0)
    delivery.tick(100)
    assert send(delivery, disk, 100) == [2]  # 1 is still in flight
    acknowledge(delivery, disk, 100)
    delivery.tick(1000)
    assert send(delivery, disk, 1000) == [1, 2]


def test_rows_are_purged_in_batches() -> None:
    delivery, disk = Delivery(1000, 1000, 30), rows(1, 200)
    send(delivery, disk, 0)
    delivery.receipt(Receipt(BOOT, PURGE_ROWS - 1), 5)
    assert delivery.purgeable(6) == []
    delivery.receipt(Receipt(BOOT, PURGE_ROWS), 7)
    assert len(delivery.purgeable(7)) == PURGE_ROWS


def test_a_lone_receipted_row_is_purged_after_a_while_or_at_the_end() -> None:
    delivery, disk = Delivery(10, 1000, 30), rows(1, 2)
    send(delivery, disk, 0)
    delivery.receipt(Receipt(BOOT, 1), 5)
    assert delivery.purgeable(5, everything=True) == disk[:1]
    assert delivery.purgeable(4.9 + PURGE_S) == []
    assert delivery.purgeable(5 + PURGE_S) == disk[:1]
    delivery.purged(disk[:1])
    assert delivery.receipted == 0


def test_a_receipted_row_is_not_sent_again_while_it_waits_for_its_purge() -> None:
    delivery, disk = Delivery(10, 1000, 30), rows(1, 3)
    send(delivery, disk, 0)
    delivery.receipt(Receipt(BOOT, 3), 1)
    delivery.disconnected(2)
    assert send(delivery, disk, 2) == []


def break_over(delivery: Delivery, disk: list[Key], poison: int, now: float) -> Key | None:
    """One connection to a broker that closes it when the poison comes."""
    while True:
        sent = send(delivery, disk, now)
        if not sent:
            return None
        if poison in sent:
            acknowledge(delivery, [key for key in disk if key.seq in sent and key.seq < poison])
            return delivery.disconnected(now)
        acknowledge(delivery, [key for key in disk if key.seq in sent])


def test_a_row_that_breaks_every_connection_is_left_out_and_the_rest_goes_on() -> None:
    delivery, disk = Delivery(4, 100, 30), rows(1, 10)
    parked = [break_over(delivery, disk, poison=3, now=i) for i in range(4)]
    assert parked == [None, None, None, disk[2]]
    assert break_over(delivery, disk, poison=3, now=5) is None
    assert delivery.receipt(Receipt(BOOT, 2, ((4, 10),)), 6) == 9
    assert delivery.out == 0
    assert list(delivery.parked) == [disk[2]]


def test_the_row_under_suspicion_is_sent_alone() -> None:
    delivery, disk = Delivery(4, 100, 30), rows(1, 6)
    for _ in range(2):
        send(delivery, disk, 0)
        delivery.disconnected(0)
    assert send(delivery, disk, 0) == [1]
    assert delivery.room() == 0
    delivery.acknowledged(disk[0], 0)
    assert send(delivery, disk, 0) == [2, 3, 4, 5]


def test_a_row_left_out_is_tried_again_later_and_may_still_be_receipted() -> None:
    delivery, disk = Delivery(4, 100, 30), rows(1, 2)
    for _ in range(4):
        send(delivery, disk, 0)
        delivery.disconnected(0)
    assert list(delivery.parked) == disk[:1]
    delivery.receipt(Receipt(BOOT, 2), 1)
    assert not delivery.parked
    for _ in range(4):
        send(delivery, [*disk, Key(3, BOOT, 3)], 2)
        delivery.disconnected(2)
    delivery.tick(3 + PARK_S)
    assert not delivery.parked
    assert send(delivery, [*disk, Key(3, BOOT, 3)], 3 + PARK_S) == [3]


def test_a_row_left_out_was_sent_too_and_takes_its_place_among_those() -> None:
    delivery, disk = Delivery(2, 3, 30), rows(1, 9)
    for _ in range(4):
        send(delivery, disk, 0)
        delivery.disconnected(0)
    assert list(delivery.parked) == disk[:1]
    assert send(delivery, disk, 1) == [2, 3]
    acknowledge(delivery, disk[1:3])
    assert send(delivery, disk, 1) == []  # with the one left out these are three


def test_another_file_is_begun_from_its_oldest_row() -> None:
    delivery = Delivery(4, 100, 30)
    send(delivery, rows(1, 3), 0)
    delivery.reset()
    assert delivery.after is None
    assert delivery.out == 0
    assert send(delivery, rows(1, 9, NEXT_BOOT), 0) == [1]  # three places are still taken
    acknowledge(delivery, rows(1, 3))
    assert send(delivery, rows(1, 9, NEXT_BOOT), 0) == [2, 3, 4]


def test_a_row_that_may_not_leave_is_left_out_and_looked_at_again_later() -> None:
    delivery, disk = Delivery(4, 100, 30), rows(1, 3)
    delivery.withheld(disk[0], 0)
    assert delivery.after == disk[0]
    assert send(delivery, disk, 0) == [2, 3]
    acknowledge(delivery, disk[1:])
    assert delivery.receipt(Receipt(BOOT, 0, ((2, 3),)), 1) == 2
    assert delivery.out == 0
    assert list(delivery.parked) == disk[:1]
    delivery.tick(PARK_S + 1)
    assert delivery.verdict(disk[0]) is Verdict.SEND
    delivery.withheld(disk[0], PARK_S + 1)
    assert delivery.out == 0
    assert not delivery.late
    assert list(delivery.parked) == disk[:1]


class DeliveryLife(RuleBasedStateMachine):
    """Any order of rows, breaks, acknowledgements, lost and late receipts."""

    def __init__(self) -> None:
        super().__init__()
        self.delivery = Delivery(max_inflight=3, max_unreceipted=5, receipt_s=30)
        self.disk: list[Key] = []
        self.stored = 0
        self.now = 0.0
        self.wire: list[Key] = []
        self.sink: set[int] = set()

    @rule(count=st.integers(1, 5))
    def store(self, count: int) -> None:
        self.disk += rows(self.stored + 1, self.stored + count)
        self.stored += count

    @rule()
    def send(self) -> None:
        start = 0
        if self.delivery.after is not None:
            start = next(
                (i for i, k in enumerate(self.disk) if k.seq > self.delivery.after.seq),
                len(self.disk),
            )
        for key in self.disk[start:]:
            if self.delivery.room() == 0:
                return
            verdict = self.delivery.verdict(key)
            if verdict is Verdict.WAIT:
                return
            if verdict is Verdict.SKIP:
                self.delivery.skipped(key)
                continue
            self.delivery.sent(key, self.now)
            assert key not in self.wire
            self.wire.append(key)

    @rule()
    def withhold(self) -> None:
        """The next row looks as if it may not leave; later it may."""
        start = 0
        if self.delivery.after is not None:
            start = next(
                (i for i, k in enumerate(self.disk) if k.seq > self.delivery.after.seq),
                len(self.disk),
            )
        for key in self.disk[start : start + 1]:
            if self.delivery.verdict(key) is Verdict.SEND:
                self.delivery.withheld(key, self.now)

    @rule(stored=st.booleans())
    def acknowledge(self, stored: bool) -> None:
        if self.wire:
            key = self.wire.pop(0)
            self.delivery.acknowledged(key, self.now)
            if stored:  # else the broker died with it
                self.sink.add(key.seq)

    @rule()
    def receipt(self) -> None:
        seq = 0
        while seq + 1 in self.sink:
            seq += 1
        have = tuple((each, each) for each in sorted(self.sink) if each > seq)
        self.delivery.receipt(Receipt(BOOT, seq, have), self.now)

    @rule()
    def disconnect(self) -> None:
        self.wire.clear()
        self.delivery.disconnected(self.now)

    @rule(seconds=st.sampled_from([1.0, 31.0, 1000.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.delivery.tick(self.now)

    @rule()
    def purge(self) -> None:
        keys = self.delivery.purgeable(self.now, everything=True)
        assert {key.seq for key in keys} <= self.sink  # nothing goes that the sink has not
        self.disk = [key for key in self.disk if key not in keys]
        self.delivery.purged(keys)

    @invariant()
    def limits_hold(self) -> None:
        assert len(self.wire) <= 3
        # The outbox merges what cannot have been sent: no more than this were, of the oldest.
        sent = self.delivery.out + self.delivery.receipted + len(self.delivery.parked)
        assert sent <= 5

    def teardown(self) -> None:
        """Whatever happened, a broker and a sink that work get every row in the end."""
        for _ in range(200):
            self.wait(4000.0)
            self.send()
            while self.wire:
                self.acknowledge(stored=True)
            self.receipt()
            self.purge()
        assert self.disk == []
        assert self.sink == set(range(1, self.stored + 1))


DeliveryLife.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
test_any_life_of_a_delivery_ends_with_every_row_at_the_sink = DeliveryLife.TestCase


def test_the_backoff_doubles_up_to_its_cap_with_full_jitter() -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return high / 2

    backoff = Backoff(10, uniform)
    assert [backoff.next() for _ in range(6)] == [0.5, 1, 2, 4, 5, 5]
    assert asked[-1] == (0.0, 10)
    backoff.reset()
    assert backoff.next() == 0.5
    for _ in range(2000):
        assert backoff.next() <= 10


def test_session_numbers_grow_over_restarts_with_or_without_the_file(tmp_path: Path) -> None:
    path = tmp_path / "uplink.session"
    numbers = []
    for wall in (1000.0, 1001.0, 0.0, 50.0):  # the clock may go back
        sessions = Sessions(path, lambda wall=wall: wall)
        numbers += [sessions.next() for _ in range(70)]
    assert all(before < after for before, after in pairwise(numbers))
    assert numbers[0] == 1000
    path.unlink()
    assert Sessions(path, lambda: 1_700_000_000.0).next() > numbers[-1]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"twelve", b"-5", b"9" * 40])
def test_a_session_file_of_garbage_counts_as_lost(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "uplink.session"
    path.write_bytes(content)
    sessions = Sessions(path, lambda: 1000.0)
    assert [sessions.next(), sessions.next()] == [1000, 1001]
    assert int(path.read_text()) >= 1001


def test_an_unwritable_session_file_is_said_and_survived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sessions = Sessions(tmp_path / "nowhere" / "uplink.session", lambda: 1000.0)
    assert [sessions.next(), sessions.next()] == [1000, 1001]
    assert "cannot be written" in caplog.text
