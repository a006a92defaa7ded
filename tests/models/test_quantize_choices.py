"""What the search decides, on costs and losses that are made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny_yolox import pictures, tiny_yolox

from models.quantize.graph import Graph
from models.quantize.insert import in_int8
from models.quantize.kernels import Cost
from models.quantize.loss import loss
from models.quantize.make import narrowed
from models.quantize.observe import Seen, full_range, least_error_range, percentile_range
from models.quantize.prune import pruned
from models.quantize.recipe import empty_recipe
from models.quantize.refit import stages
from models.quantize.rewrite import rewrite
from models.quantize.search import Trial, choose, favour_int8
from models.quantize.slim import branches, eliminate, slim, solve
from models.quantize.units import units


@pytest.fixture(scope="module")
def graph() -> Graph:
    return rewrite(Graph(tiny_yolox()), 6)


def trial(graph: Graph, int8_loss: float, clamp_loss: float, cost: Cost) -> Trial:
    every = units(graph)
    silu = [unit.name for unit in every if unit.product is not None]
    sizes = {name: int(np.prod(shape)) for name, shape in graph.shapes().items() if shape}
    return Trial(
        dict.fromkeys(silu, clamp_loss),
        {unit.name: int8_loss for unit in every},
        {unit.name: cost for unit in every},
        sizes,
    )


def test_what_is_fast_and_costs_nothing_runs_in_int8(graph):
    choice = choose(graph, trial(graph, 0.0, 1.0, Cost(100, 10, 50, 10)), 1e5)
    assert choice.int8 == {unit.name for unit in units(graph)}
    assert choice.clamped == frozenset()


def test_what_is_not_faster_stays_in_float(graph):
    choice = choose(graph, trial(graph, 0.0, 1.0, Cost(50, 10, 60, 10)), 1e5)
    assert choice.int8 == frozenset()


def test_what_costs_agreement_stays_in_float(graph):
    choice = choose(graph, trial(graph, 0.01, 1.0, Cost(100, 10, 50, 10)), 1e5)
    assert choice.int8 == frozenset()


def test_a_clamp_stands_in_where_it_is_cheaper_than_it_costs(graph):
    some = trial(graph, 1.0, 0.0001, Cost(100, 20, 90, 30))
    assert choose(graph, some, 1e5).clamped == set(some.clamp_loss)
    assert choose(graph, some, 1e6).clamped == frozenset()


def test_int8_may_be_worth_more_than_its_time_here(graph):
    cost = Cost(50, 10, 60, 10)
    some = trial(graph, 0.0, 1.0, cost)
    favoured = replace(some, costs=favour_int8(graph, some.costs, 1e6))
    assert choose(graph, favoured, 1e5).int8 == {unit.name for unit in units(graph)}


def test_one_sensitive_layer_stays_in_float_among_the_others(graph):
    some = trial(graph, 0.0, 1.0, Cost(300, 10, 50, 10))
    first = units(graph)[0].name
    some.int8_loss[first] = 1.0
    assert choose(graph, some, 1e5).int8 == {unit.name for unit in units(graph)} - {first}


def test_what_follows_on_int8_runs_in_int8_too(graph):
    every = [unit.name for unit in units(graph)]
    chosen = in_int8(graph, every)
    kinds = {node.op_type for node in graph.nodes if node.output[0] in chosen}
    assert kinds == {"Conv", "Sigmoid", "Mul", "MaxPool", "Concat", "Resize", "Add"}
    assert in_int8(graph, ()) == set()


def test_the_loss_looks_at_cells_where_either_model_sees_someone():
    wanted = np.zeros((1, 4, 6), np.float32)
    found = wanted.copy()
    assert loss([wanted], [found]) == 0
    found[0, 2, :4] = 9  # a box where nobody is
    assert loss([wanted], [found]) == 0
    found = wanted.copy()
    found[0, 1, 4:] = 0.8
    assert loss([wanted], [found]) == pytest.approx(0.1 * (2 * 0.64 - 0.1))
    assert loss([found], [wanted]) == pytest.approx(0.1 * (2 * 0.64 - 0.1))


def test_a_range_gives_up_a_lonely_extreme():
    values = np.random.default_rng(0).normal(0, 1, 5000).astype(np.float32)
    seen = Seen(float(values.min()), 40.0, np.append(values, np.float32(12)))
    assert full_range(seen)[1] == 40
    assert percentile_range(seen, 0.01)[1] < 3
    assert least_error_range(seen, before_silu=False)[1] < 40


def test_before_silu_what_is_far_below_zero_is_not_told_apart():
    values = np.random.default_rng(0).uniform(-60, 4, 5000).astype(np.float32)
    seen = Seen(-60.0, 4.0, values)
    assert least_error_range(seen, before_silu=True)[0] > -30
    assert least_error_range(seen, before_silu=False)[0] == -60


def test_channels_that_others_can_tell_go_first():
    draw = np.random.default_rng(0)
    own = draw.normal(0, 1, (500, 3))
    source = np.column_stack([own, own[:, 0] + own[:, 1], draw.normal(0, 1, (500, 2))])
    target = own @ np.array([[1.0], [2.0], [3.0]])
    order, errors = eliminate(source, target, np.ones(500))
    assert set(order[:3]) & {4, 5} == {4, 5}, "what nothing depends on"
    assert len(set(order[:3]) & {0, 1, 3}) == 1, "and one of three that tell each other"
    assert errors[2] < 0.01 * errors[4]


def test_solving_finds_the_weights_that_made_the_target():
    draw = np.random.default_rng(0)
    source = draw.normal(0, 1, (500, 3))
    found = solve(source, source @ np.array([[1.0], [-2.0], [0.5]]) + 4, np.ones(500))
    assert found.weights == pytest.approx(np.array([[1.0, -2.0, 0.5]]), abs=0.01)
    assert found.bias == pytest.approx(np.array([4.0]), abs=0.01)


def test_the_class_branches_of_a_head_that_keeps_one_class_are_found(graph):
    assert len(branches(graph)) == 3
    assert branches(rewrite(Graph(tiny_yolox()), None)) == []
    assert [len(stage) for stage in stages(graph)] == [3, 6, 6, 9]


def test_narrowing_leaves_out_what_it_says_and_the_graph_still_runs(graph):
    costs = {unit.name: Cost(100, 10, 50, 10) for unit in units(graph)}
    inputs = pictures(4)
    draw = np.random.default_rng(0)
    nothing = slim(graph, inputs, costs, 1e15, 1, draw)
    assert not any(nothing.dropped.values())
    much = slim(graph, inputs, costs, 1e-3, 1, draw)
    assert {len(one) for one in much.dropped.values()} == {8}
    empty = empty_recipe("tiny", "", 0, "", 6)
    made = narrowed(graph, replace(empty, dropped=much.dropped, solved=much.solved))
    assert made.shapes()["output"] == (1, 84, 6)


def test_a_channel_that_something_else_than_convolutions_sees_cannot_go(graph):
    pooled = next(node.input[0] for node in graph.nodes if node.op_type == "MaxPool")
    (unit,) = (one for one in units(graph) if one.output == pooled)
    with pytest.raises(KeyError):
        pruned(graph, {unit.name: (0,)}, {})
