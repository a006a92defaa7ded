"""The close-up's training: what it makes small, alone and with others, and its command."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
# Many threads on few cores wait for each other more than they work.
torch.set_num_threads(1)

from closeup_world import moment, write  # noqa: E402

from edge_agent.closeup import MAP, build_closeup  # noqa: E402
from edge_agent.manifest import load  # noqa: E402
from edge_agent.runtimes import open_runtime  # noqa: E402
from models.__main__ import main  # noqa: E402
from models.train import closeup_loop  # noqa: E402
from models.train.closeup_loop import Recipe, loss, render, train  # noqa: E402
from models.train.closeup_network import CloseupNetwork, Shipped  # noqa: E402
from models.train.closeups import blank  # noqa: E402

RECIPE = Recipe(seed=3, shops=2, looks=12, batch=4)
SURE = 8.0


def nobody(*_):
    pass


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shops")
    for seed in (3, 4):
        write(folder, seed, [moment(10 * seed + i) for i in range(40)])
    return [folder / f"{seed}.npz" for seed in (3, 4)]


@pytest.fixture
def hasty(monkeypatch):
    """Looks are handed out as soon as there are any."""
    monkeypatch.setattr(closeup_loop, "_MIXED", 0)


def weights(network):
    return [value.detach().numpy().copy() for value in network.state_dict().values()]


# Of two people: the first has the left hand past the plane, the second none.
PALMS = torch.tensor([[[0.3, 0.2], [0.7, 0.8]], [[0.5, 0.5], [0.6, 0.9]]])
PAST = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
DEPTH = torch.tensor([[0.2, -0.1], [-0.3, -0.4]])


def hill(x, y):
    cells = (torch.arange(MAP) + 0.5) / MAP
    down, across = torch.meshgrid(cells, cells, indexing="ij")
    return torch.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * (1.2 / MAP) ** 2))


def logit(chance):
    return torch.logit(chance.clamp(1e-4, 1 - 1e-4))


def perfect():
    """What the network should say of the two."""
    maps = torch.full((2, 3, MAP, MAP), -SURE)
    maps[0, 0] = logit(hill(0.3, 0.2))
    for i in range(2):
        both = [hill(*PALMS[i, side].tolist()) for side in (0, 1)]
        maps[i, 1] = logit(torch.maximum(*both))
        nearer = both[0] >= both[1]
        maps[i, 2] = torch.atanh(torch.where(nearer, DEPTH[i, 0], DEPTH[i, 1]) / 0.5)
    return maps, torch.tensor([SURE, -SURE])


def wrong_by(change=nobody):
    maps, whole = perfect()
    change(maps, whole)
    return float(loss(maps, whole, PALMS, PAST, DEPTH))


def test_a_map_that_is_right_costs_almost_nothing_and_a_blank_one_much():
    assert wrong_by() < 0.02
    assert wrong_by(lambda maps, _: maps[:, 0].fill_(-SURE)) > 1
    assert wrong_by(lambda maps, _: maps[:, 1].fill_(-SURE)) > 1


def test_a_hand_elsewhere_and_one_that_is_not_past_the_plane_cost():
    aside, before = logit(hill(0.35, 0.2)), logit(torch.maximum(hill(0.3, 0.2), hill(0.7, 0.8)))
    across = logit(hill(0.2, 0.3))
    costs = [
        wrong_by(lambda maps, _, one=one: maps[0, 0].copy_(one)) for one in (aside, before, across)
    ]
    assert all(cost > wrong_by() + 0.05 for cost in costs)
    assert costs[0] < costs[2]


def test_depth_and_the_word_on_the_whole_square_cost_too():
    assert wrong_by(lambda maps, _: maps[:, 2].neg_()) > wrong_by() + 0.2
    assert wrong_by(lambda _, whole: whole.neg_()) > wrong_by() + 1


def test_depth_is_asked_for_at_hands_alone():
    away = torch.maximum(
        torch.maximum(hill(0.3, 0.2), hill(0.7, 0.8)), torch.maximum(hill(0.5, 0.5), hill(0.6, 0.9))
    )
    assert wrong_by(lambda maps, _: maps[:, 2, away < 0.1].fill_(5)) == pytest.approx(wrong_by())


def test_gradients_become_the_mean_of_all_workers(monkeypatch):
    monkeypatch.setattr(closeup_loop.distributed, "all_reduce", lambda some: some.add_(3.0))
    some = [torch.nn.Parameter(torch.zeros(shape)) for shape in ((2, 3), (4,))]
    for i, one in enumerate(some):
        one.grad = torch.full(one.shape, float(i))
    closeup_loop._agree(some, 2)
    assert [one.grad.unique().tolist() for one in some] == [[1.5], [2.0]]
    assert [one.grad.shape for one in some] == [one.shape for one in some]


def test_the_same_recipe_gives_the_same_weights_and_another_seed_others(shops, hasty):
    steps = []
    first = train(RECIPE, shops, 1, lambda *said: steps.append(said))
    assert steps == [("steps", i, 3) for i in (1, 2, 3)]
    assert not first.training
    again = weights(train(RECIPE, shops, 1, nobody))
    for one, other in zip(weights(first), again, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.isfinite(one).all()
    other = weights(train(Recipe(seed=4, shops=2, looks=12, batch=4), shops, 1, nobody))
    assert any((a != b).any() for a, b in zip(again, other, strict=True))


def test_it_learns(shops, hasty):
    planes, *wanted = next(closeup_loop._batches(9, shops, 0, 1, 16))
    costs = []
    for looks in (1, 400):
        network = train(Recipe(seed=3, looks=looks, batch=10, rate=2e-3), shops, 1, nobody)
        with torch.no_grad():
            costs.append(float(loss(*network(planes), *wanted)))
    assert costs[1] < 0.9 * costs[0]


def test_two_workers_share_every_batch_and_the_shops(shops):
    steps = []
    network = train(
        Recipe(seed=3, shops=2, looks=8, batch=4), shops, 2, lambda *said: steps.append(said)
    )
    assert steps == [("steps", 1, 2), ("steps", 2, 2)]
    assert all(np.isfinite(one).all() for one in weights(network))
    assert all(one.grad is None or torch.isfinite(one.grad).all() for one in network.parameters())


def test_every_worker_gets_other_shops_and_all_of_them_are_shown(shops, monkeypatch):
    seen = []
    monkeypatch.setattr(closeup_loop, "read_shop", lambda path: (path, ()))
    monkeypatch.setattr(closeup_loop, "examples", lambda path, *_: seen.append(path) or [path])
    both = []
    for rank in (0, 1):
        turn = closeup_loop._endless(3, shops, rank, 2)
        both.append([next(turn) for _ in range(4)])
    for one, other in zip(*both, strict=True):
        assert {one, other} == set(shops)
    assert set(both[0]) == set(both[1]) == set(shops), "they take turns"


def test_rendered_shops_are_counted_and_those_that_are_there_kept(shops):
    said = []
    before = [path.read_bytes() for path in shops]
    found = render(RECIPE, shops[0].parent, 1, lambda *one: said.append(one))
    assert found == shops
    assert said == [("shops", 1, 2), ("shops", 2, 2)]
    assert [path.read_bytes() for path in shops] == before


def test_what_ships_says_of_a_square_what_the_maps_and_the_whole_say():
    torch.manual_seed(1)
    network = CloseupNetwork().eval()
    planes = torch.randint(0, 255, (1, 6, 96, 96), dtype=torch.uint8)
    with torch.no_grad():
        shipped = Shipped(network)(planes)
        maps, whole = network(planes / 127.5 - 1)
    assert shipped.shape == (1, MAP, MAP)
    assert maps.shape == (1, 3, MAP, MAP)
    np.testing.assert_allclose(shipped, 0.75 * maps[:, 0] + 0.25 * whole, atol=1e-5)


def test_the_command_writes_a_model_that_a_unit_runs(tmp_path, hasty, capsys):
    (tmp_path / "shops").mkdir()
    write(tmp_path / "shops", Recipe().seed, [moment(i) for i in range(40)])
    words = ("--out", str(tmp_path), "--shops", "1", "--looks", "128", "--workers", "1", "--json")
    assert main(["train-closeup", *words]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert json.loads((tmp_path / "result.json").read_text()) == said
    path = tmp_path / "shelflight-reach.onnx"
    assert said["bytes"] == path.stat().st_size
    assert (said["recipe"]["shops"], said["recipe"]["looks"], said["workers"]) == (1, 128, 1)
    entry = load().built_in_reach
    runtime = open_runtime(entry, path, 1)
    build_closeup(entry, runtime, [])
    (logits,) = runtime(blank())
    assert logits.shape == (1, MAP, MAP)
    assert np.isfinite(logits).all()
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--workers", "0"], "--workers is 0; 1 to 1400, the shops, is allowed"),
        (["--shops", "1", "--workers", "2"], "--workers is 2; 1 to 1, the shops, is allowed"),
        (["--shops", "0"], "--shops is 0; 1 or more is allowed"),
        (["--looks", "127"], "--looks is 127; 128, one batch, is the least"),
    ],
)
def test_a_training_that_could_not_begin_is_refused(options, told, tmp_path, capsys):
    assert main(["train-closeup", "--out", str(tmp_path / "out"), *options]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
