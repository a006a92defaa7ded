"""Fit the small network that tells hands past a shelf's plane from hands before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edge_agent.observations import Floats
from edge_agent.shelf.hands import LOOKS, LOOKS_S, OUTSIDE, with_past
from edge_agent.shelf.standing import ARM, BODY, Floats32, standings
from models.scene.arms import Arms, arms
from models.scene.workers import lean

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Recipe:
    """How it is fitted.

    Args:
        seed: of the first shop; shops count up from there.
        shops: how many.
        seconds: of each.
        fps: frames a second.
        noise: standard deviation of a joint, in lengths of the trunk: half of it changes from
            frame to frame, half stays for about a second, as a pose model's errors do.
        hidden: share of the time in which an arm is guessed, with `guessed` times the noise.
        guessed: see hidden.
        widths: of the hidden layers.
        epochs, batch, rate, decay: of AdamW, one cycle.
    """

    seed: int = 1 << 30
    shops: int = 600
    seconds: float = 120.0
    fps: float = 5.0
    noise: float = 0.06
    hidden: float = 0.12
    guessed: float = 3.0
    widths: tuple[int, int] = (40, 16)
    epochs: int = 10
    batch: int = 2048
    rate: float = 6e-3
    decay: float = 1e-2


Examples = tuple[Floats32, NDArray[np.bool_]]
"""float32 [M, F], and whether the hand is past the plane, bool [M]."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A network, and what its inputs are normalized by, float32 [F]."""

    layers: nn.Sequential
    mean: Floats32
    scale: Floats32

    def logits(self, inputs: Floats32) -> Floats32:
        """float32 [N, F] to float32 [N]; above 0 a hand is more likely past the plane than not."""
        with torch.no_grad():
            found = self.layers(torch.from_numpy((inputs - self.mean) / self.scale))
        return np.asarray(found[:, 0].numpy(), np.float32)


def fit(recipe: Recipe, workers: int, report: Callable[[str, int, int], None]) -> Fitted:
    """Make the examples and fit the network.

    Args:
        recipe: followed to the letter; the same one gives the same network on one machine.
        workers: processes that make examples.
        report: told a stage's name, how much of it is done, and how much it is.
    """
    seeds = range(recipe.seed, recipe.seed + recipe.shops)
    inputs, past = examples(recipe, seeds, workers, report)
    torch.manual_seed(recipe.seed)
    mean, scale = inputs.mean(0), inputs.std(0) + 1e-3
    x = torch.from_numpy((inputs - mean) / scale)
    y = torch.from_numpy(past.astype(np.float32))
    layers = network(x.shape[1], recipe.widths)
    steps = recipe.epochs * -(-len(x) // recipe.batch)
    optimizer = torch.optim.AdamW(layers.parameters(), recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps)
    loss_of = nn.BCEWithLogitsLoss()
    layers.train()
    for epoch in range(recipe.epochs):
        for rows in torch.randperm(len(x)).split(recipe.batch):
            loss = loss_of(layers(x[rows])[:, 0], y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        report("fitting", epoch + 1, recipe.epochs)
    layers.eval()
    return Fitted(layers, mean, scale)


def network(inputs: int, widths: tuple[int, int]) -> nn.Sequential:
    """The network, untrained."""
    first, second = widths
    return nn.Sequential(
        nn.Linear(inputs, first), nn.ReLU(), nn.Dropout(0.1),
        nn.Linear(first, second), nn.ReLU(), nn.Linear(second, 1),
    )  # fmt: skip


def save(fitted: Fitted, path: Path) -> None:
    """Write it as a unit reads it: plain arrays."""
    linear = [layer for layer in fitted.layers if isinstance(layer, nn.Linear)]
    arrays = {"mean": fitted.mean, "scale": fitted.scale}
    arrays |= {f"weights{i}": one.weight.detach().T.numpy() for i, one in enumerate(linear)}
    arrays |= {f"biases{i}": one.bias.detach().numpy() for i, one in enumerate(linear)}
    aside = path.with_name(path.name + ".part")
    with aside.open("wb") as file:
        np.savez(file, **{name: np.ascontiguousarray(one) for name, one in arrays.items()})
    aside.replace(path)


def examples(
    recipe: Recipe, seeds: range, workers: int, report: Callable[[str, int, int], None]
) -> Examples:
    """Arms of the shops of some seeds, each as it is and mirrored."""
    found: list[Examples] = []
    with lean() as context, ProcessPoolExecutor(workers, context) as pool:
        for done, one in enumerate(pool.map(partial(of_shop, recipe), seeds), start=1):
            found.append(one)
            report("shops", done, len(seeds))
    inputs, past = zip(*found, strict=True)
    return np.concatenate(inputs), np.concatenate(past)


def of_shop(recipe: Recipe, seed: int) -> Examples:
    """The arms of one shop's people near its shelf."""
    rng = np.random.default_rng(seed)
    seen = arms(seed, recipe.seconds, recipe.fps)
    found = [one for some in (seen, seen.mirrored()) for one in _sequences(some, recipe, rng)]
    inputs, past = zip(*found, strict=True) if found else ((), ())
    wide = with_past(np.zeros(ARM + BODY, np.float32), []).size
    return (
        np.concatenate([*inputs, np.empty((0, wide), np.float32)]),
        np.concatenate([*past, np.empty(0, np.bool_)]),
    )


def _sequences(seen: Arms, recipe: Recipe, rng: Rng) -> Iterator[Examples]:
    """Each person's arms, frame after frame, as a unit sees them."""
    level = recipe.noise * rng.uniform(0.3, 1.5)
    for person in np.unique(seen.person):
        rows = (seen.person == person).nonzero()[0]
        if rng.random() < 0.5:
            rows = rows[::2]  # where little happens, every second frame is looked at
        tall = (seen.boxes[rows, 3] - seen.boxes[rows, 1])[:, None]
        boxes = seen.boxes[rows] + rng.normal(0, 0.015, (len(rows), 4)) * tall
        keypoints = _blurred(seen, rows, level, recipe, rng)
        both = standings(keypoints, boxes, seen.shelf, seen.aspect)
        for side, numbers in enumerate(both):
            near = numbers[:, 0] > OUTSIDE
            if near.any():
                inputs = np.stack(list(_with_pasts(seen.t[rows], numbers)))
                yield inputs[near], seen.past[rows, side][near]


def _with_pasts(t: Floats, numbers: Floats32) -> Iterator[Floats32]:
    for i, now in enumerate(numbers):
        first = max(0, i - LOOKS)
        yield with_past(now, [numbers[j] for j in range(first, i) if t[i] - t[j] <= LOOKS_S])


def _blurred(seen: Arms, rows: NDArray[np.intp], level: float, recipe: Recipe, rng: Rng) -> Floats:
    """Joints as a pose model finds them."""
    scale = np.array([seen.aspect, 1.0])
    joints = seen.keypoints[rows] * scale
    trunk = np.linalg.norm(joints[:, 5:7].mean(1) - joints[:, 11:13].mean(1), axis=1)
    tall = seen.boxes[rows, 3] - seen.boxes[rows, 1]
    unit = level * np.maximum(trunk, 0.12 * tall)[:, None, None] / np.sqrt(2)
    strength = np.ones((len(rows), 17, 1))
    for joints_of_arm in ((7, 9), (8, 10)):
        strength[:, joints_of_arm] = np.where(
            _spells(len(rows), recipe.hidden, rng), recipe.guessed, 1.0
        )[:, None, None]
    jumping = rng.normal(size=joints.shape)
    staying = np.empty_like(joints)
    now = rng.normal(size=joints.shape[1:])
    for i in range(len(rows)):
        # An autoregression of the first order whose memory is about a second.
        now = 0.85 * now + np.sqrt(1 - 0.85**2) * rng.normal(size=now.shape)
        staying[i] = now
    return np.asarray((joints + (jumping + staying) * unit * strength) / scale)


def _spells(count: int, share: float, rng: Rng) -> NDArray[np.bool_]:
    """Spells of five frames on average that take up a share of the time."""
    on, spells = bool(rng.random() < share), np.zeros(count, np.bool_)
    for i in range(count):
        on = bool(rng.random() >= 0.2) if on else bool(rng.random() < 0.2 * share / (1 - share))
        spells[i] = on
    return spells


def judge(fitted: Fitted, some: Examples) -> tuple[float, float]:
    """Precision and recall of single looks at a chance of one half."""
    inputs, past = some
    said = fitted.logits(inputs) > 0
    right = float((said & past).sum())
    return right / max(1.0, float(said.sum())), right / max(1.0, float(past.sum()))
