"""Spans and receipts: whatever the order, a receipt says exactly what is held."""

from hypothesis import given
from hypothesis import strategies as st

from cloud_sink.receipts import Spans
from edge_agent.records import Receipt, decode_receipt, encode

rows = st.lists(st.integers(min_value=1, max_value=60), max_size=120)


def told(receipt: Receipt) -> set[int]:
    return set(range(1, receipt.seq + 1)) | {
        seq for first, last in receipt.have for seq in range(first, last + 1)
    }


@given(rows)
def test_any_order_and_any_repetition_gives_the_receipt_of_the_set(seqs):
    spans = Spans()
    for seq in seqs:
        spans.add(seq)
    receipt = spans.receipt("00000000000000aa")
    held = set(seqs)
    assert told(receipt) == held
    highest = next(seq for seq in range(1, 63) if seq not in held) - 1
    assert receipt.seq == highest
    edges = [edge for span in ((0, receipt.seq), *receipt.have) for edge in span]
    assert all(last <= first for last, first in zip(edges[::2], edges[1::2], strict=True))
    assert all(b > a + 1 for a, b in zip(edges[1::2], edges[2::2], strict=False))
    assert decode_receipt(encode(receipt)) == receipt


@given(rows)
def test_spans_written_and_read_again_go_on_as_before(seqs):
    half = len(seqs) // 2
    spans, straight = Spans(), Spans()
    for seq in seqs[:half]:
        spans.add(seq)
    again = Spans(spans.pairs())
    for seq in seqs[half:]:
        again.add(seq)
    for seq in seqs:
        straight.add(seq)
    assert again.pairs() == straight.pairs()


@given(rows, st.integers(min_value=1, max_value=5))
def test_memory_is_bounded_and_what_was_just_stored_is_told_all_the_same(seqs, limit):
    spans = Spans(limit=limit)
    for seq in seqs:
        spans.add(seq)
        assert len(spans.pairs()) <= limit
        receipt = spans.receipt("00000000000000aa", [seq])
        assert receipt.covers(seq)
        assert told(receipt) <= set(seqs)


def test_a_gap_is_told_by_spans_until_it_is_filled():
    spans = Spans()
    for seq in (1, 2, 5, 6, 9):
        spans.add(seq)
    assert spans.receipt("00000000000000aa") == Receipt("00000000000000aa", 2, ((5, 6), (9, 9)))
    for seq in (3, 4, 7, 8):
        spans.add(seq)
    assert spans.receipt("00000000000000aa") == Receipt("00000000000000aa", 9)


def test_without_the_first_row_nothing_is_contiguous():
    assert Spans([(2, 4)]).receipt("00000000000000aa") == Receipt("00000000000000aa", 0, ((2, 4),))
