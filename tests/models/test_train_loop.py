"""A training that is cut off goes on as if it had not been."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
# Many threads on few cores wait for each other more than they work.
torch.set_num_threads(1)

from models.train.examples import Store, batch, open_store, write_store  # noqa: E402
from models.train.loop import LOG, Recipe, rate_at, train  # noqa: E402
from models.train.teacher import Taught  # noqa: E402

RECIPE = Recipe(seed=3, images=4, epochs=3, small=1, batch=2)
CPU = torch.device("cpu")


def shopper(rng: np.random.Generator) -> Taught:
    """A grey picture with one person in it."""
    image = rng.integers(0, 255, (360, 640, 3), dtype=np.uint8)
    left = float(rng.uniform(0.1, 0.7))
    box = np.array([[left, 0.2, left + 0.15, 0.9]], np.float32)
    joints = np.tile(np.array([left + 0.07, 0.5, 2], np.float32), (1, 17, 1))
    return Taught(image, box, np.ones(1, np.float32), joints)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    write_store(folder, (shopper(rng) for _ in range(4)), 4)
    return open_store([folder])


class Unplugged(Exception):
    pass


def weights(network) -> list[np.ndarray]:
    return [value.detach().numpy().copy() for value in network.state_dict().values()]


@pytest.fixture(scope="module")
def straight(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight")
    return weights(train(store, RECIPE, folder, CPU)), (folder / LOG).read_text()


@pytest.mark.parametrize("moment", [(0, 1), (1, 0), (2, 1)])
def test_cut_off_anywhere_it_ends_with_the_same_weights(store, straight, tmp_path, moment):
    def unplug(epoch: int, step: int, _loss: float) -> None:
        if (epoch, step) == moment:
            raise Unplugged

    with pytest.raises(Unplugged):
        train(store, RECIPE, tmp_path, CPU, unplug)
    steps: list[tuple[int, int]] = []
    network = train(store, RECIPE, tmp_path, CPU, lambda e, s, _: steps.append((e, s)))
    assert steps[0] == (moment[0], 0), "whole rounds are kept, the broken one begins again"
    for found, wanted in zip(weights(network), straight[0], strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert (tmp_path / LOG).read_text() == straight[1]
    assert not list(tmp_path.glob("*.part"))


def test_another_recipe_begins_anew(store, tmp_path):
    train(store, Recipe(seed=3, images=4, epochs=1, batch=2), tmp_path, CPU)
    steps: list[int] = []
    train(store, Recipe(seed=4, images=4, epochs=1, batch=2), tmp_path, CPU,
          lambda e, s, _: steps.append(s))  # fmt: skip
    assert steps == [0, 1]
    assert [json.loads(line)["epoch"] for line in (tmp_path / LOG).read_text().splitlines()] == [0]


def test_every_round_shows_the_pictures_differently_and_the_same_round_alike(store):
    first, again, other = (
        batch(store, seed=3, epoch=epoch, number=0, size=4)[0] for epoch in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_rate_rises_then_falls_to_almost_nothing():
    rates = [rate_at(step, 10000, 1.0) for step in (0, 150, 300, 5000, 9999)]
    assert rates[0] < 0.01
    assert rates[1] == pytest.approx(0.5, abs=0.01)
    assert rates[2] > 0.99
    assert rates[3] == pytest.approx(0.51, abs=0.01)
    assert rates[4] < 0.021
