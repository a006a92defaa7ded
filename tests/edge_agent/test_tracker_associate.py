"""The matching of detections and tracks, against every possible matching."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.tracker.associate import FREE, Assignment


def edges_of(far):
    rows, columns = far.shape
    return sorted((far[r, c], r, c) for r in range(rows) for c in range(columns) if far[r, c] < 1)


def worth(found, far):
    pairs = [(row, column) for row, column in enumerate(found.column_of) if column != FREE]
    return sum((1 - far[pair]) ** 2 for pair in pairs)


def best(far):
    value = np.where(far < 1, (1 - far) ** 2, 0)
    if value.shape[0] > value.shape[1]:
        value = value.T
    return max(
        sum(value[row, column] for row, column in enumerate(order))
        for order in permutations(range(value.shape[1]), value.shape[0])
    )


def matched(far):
    found = Assignment(*far.shape)
    found.add(edges_of(far))
    return found


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=200)
def test_a_matching_is_one_to_one_and_close_to_the_best_there_is(seed, rows, columns):
    far = np.random.default_rng(seed).uniform(0, 2, (rows, columns))
    found = matched(far)
    for row, column in enumerate(found.column_of):
        if column != FREE:
            assert found.row_of[column] == row
            assert far[row, column] < 1
    assert sum(c != FREE for c in found.column_of) == sum(r != FREE for r in found.row_of)
    assert worth(found, far) >= 0.7 * best(far)


def test_small_matchings_reach_the_best_nearly_always():
    rng = np.random.default_rng(0)
    tried = [far for far in (rng.uniform(0, 2, (4, 4)) for _ in range(500)) if best(far)]
    reached = [worth(matched(far), far) >= best(far) - 1e-12 for far in tried]
    assert np.mean(reached) > 0.93


def test_two_rows_trade_columns_where_the_nearest_pair_spoils_the_other():
    # The nearest first would give 0-0 and 1-1: one sure match and one that is none to speak of.
    far = np.array([[0.10, 0.15], [0.15, 0.95]])
    assert matched(far).column_of == [1, 0]


def test_a_row_moves_on_to_a_free_column_for_the_sake_of_another():
    far = np.array([[0.10, 0.20], [0.15, 2.00]])
    assert matched(far).column_of == [1, 0]


def test_a_matched_row_moves_too_if_its_own_column_was_the_lesser_one():
    far = np.array([[0.57, 0.11, 2.00], [0.82, 0.09, 0.10]])
    assert matched(far).column_of == [1, 2]


def test_a_row_gives_way_where_another_is_worth_more_on_its_column():
    # Row 0 moves on to the column that row 2 holds with hardly any right to it.
    far = np.array([[0.10, 0.30], [0.20, 2.00], [2.00, 0.70]])
    assert matched(far).column_of == [1, 0, FREE]


def test_what_is_matched_stays_when_more_is_added():
    found = Assignment(2, 2)
    found.add([(0.5, 0, 0)])
    found.add([(0.1, 1, 1)])
    assert found.column_of == [0, 1]
    assert found.row_of == [0, 1]


def test_pairs_are_undisputed_only_if_none_shares_a_row_or_a_column():
    assert Assignment(3, 2).add_undisputed([1, 4])  # 0-1, 2-0
    assert not Assignment(3, 2).add_undisputed([1, 3])  # 0-1, 1-1
    assert not Assignment(3, 2).add_undisputed([0, 1])  # 0-0, 0-1
    assert Assignment(0, 0).add_undisputed([])
