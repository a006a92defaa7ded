"""The training itself: steps, a schedule, a checkpoint after each epoch."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from models.train.examples import INPUT, SMALL, Store, batch
from models.train.loss import loss
from models.train.network import Network
from models.train.targets import Targets, targets

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"
# Steps over which the learning rate rises, and share of it that the last step still has.
_WARM_UP, _LAST = 300, 0.02
_EMA = 0.999
_CLIP = 10.0
_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a training hangs on; the same recipe on the same machine gives the same weights.

    Args:
        seed: of the pictures, the weights and the order.
        images: rendered pictures, stills and moments of clips.
        epochs: times that each is looked at.
        small: how many of them, the first, at the smaller input size.
        batch: pictures a step.
        rate: highest learning rate (AdamW).
        decay: weight decay.
    """

    seed: int = 1
    images: int = 26000
    epochs: int = 8
    small: int = 5
    batch: int = 8
    rate: float = 1.2e-3
    decay: float = 1e-2


Batch = tuple[Tensor, dict[str, Tensor]]
Report = Callable[[int, int, float], None]
"""Told epoch, step and smoothed loss."""


def train(
    store: Store,
    recipe: Recipe,
    folder: Path,
    device: torch.device,
    report: Report = lambda *_: None,
) -> Network:
    """Train, going on where an earlier call with this recipe and folder broke off.

    Returns:
        The network with averaged weights, in evaluation mode, on the processor.
    """
    torch.manual_seed(recipe.seed)
    torch.use_deterministic_algorithms(True)
    torch.set_flush_denormal(True)  # a tenth of the time, late in a training
    network = Network()
    network.to(device, memory_format=torch.channels_last)
    average: Network = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(_groups(network, recipe.decay), lr=recipe.rate)
    steps = len(store) // recipe.batch
    first = _resume(folder, network, average, optimizer, recipe)
    for epoch in range(first, recipe.epochs):
        sums: dict[str, float] = {}
        for step, (images, wanted) in enumerate(_batches(store, recipe, epoch, device)):
            done = epoch * steps + step
            for group in optimizer.param_groups:
                group["lr"] = rate_at(done, recipe.epochs * steps, recipe.rate)
            network.train()
            total, parts = loss(network(images), wanted)
            optimizer.zero_grad()
            total.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
            optimizer.step()
            follow(average, network, min(_EMA, done / (done + 50)))
            for name, part in {"loss": float(total.detach()), **parts}.items():
                sums[name] = sums.get(name, 0.0) + part
            report(epoch, step, sums["loss"] / (step + 1))
        means = {name: value / max(steps, 1) for name, value in sums.items()}
        _keep(folder, epoch, network, average, optimizer, recipe, means)
    average.cpu()
    average.eval()
    return average


def rate_at(step: int, steps: int, highest: float) -> float:
    """Linear warm-up, then a cosine (Loshchilov and Hutter 2017)."""
    warm = min(1.0, (step + 1) / _WARM_UP)
    cosine = 0.5 * (1 + np.cos(np.pi * step / max(steps, 1)))
    return float(highest * warm * (_LAST + (1 - _LAST) * cosine))


def tensors(images: Tensor, device: torch.device) -> Tensor:
    """uint8 [N, H, W, 3] as the network takes it: float [N, 3, H, W], 0..1."""
    return images.to(device).permute(0, 3, 1, 2).to(torch.float32).div_(255.0)


def _groups(network: Network, decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases and normalization do not."""
    many = [p for p in network.parameters() if p.ndim > 1]
    few = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": many, "weight_decay": decay}, {"params": few, "weight_decay": 0.0}]


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, share: float) -> None:
    """Move the averaged weights toward the present ones."""
    for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - share)
        else:
            kept.copy_(new)


class _Epoch(Dataset[Batch]):
    """The batches of one round, made ready for the network."""

    def __init__(self, store: Store, recipe: Recipe, epoch: int) -> None:
        self._store, self._recipe, self._epoch = store, recipe, epoch
        self._shape = SMALL if epoch < recipe.small else INPUT

    def __len__(self) -> int:
        return len(self._store) // self._recipe.batch

    def __getitem__(self, index: int) -> Batch:
        recipe, shape = self._recipe, self._shape
        images, people = batch(self._store, recipe.seed, self._epoch, index, recipe.batch, shape)
        drawn = [targets(one, *shape) for one in people]
        return torch.from_numpy(images), {
            field.name: torch.from_numpy(np.stack([getattr(one, field.name) for one in drawn]))
            for field in fields(Targets)
        }


def _batches(
    store: Store, recipe: Recipe, epoch: int, device: torch.device
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Batches, made by a process of their own while the last one is learnt from."""
    loader = DataLoader(
        _Epoch(store, recipe, epoch), batch_size=None, num_workers=1, prefetch_factor=_AHEAD
    )
    for images, wanted in loader:
        yield tensors(images, device), {name: one.to(device) for name, one in wanted.items()}


def _keep(
    folder: Path,
    epoch: int,
    network: Network,
    average: Network,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    means: dict[str, float],
) -> None:
    aside = folder / (CHECKPOINT + ".part")
    torch.save(
        {
            "epoch": epoch,
            "recipe": asdict(recipe),
            "network": network.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
        },
        aside,
    )
    with (folder / LOG).open("a") as log:
        log.write(json.dumps({"epoch": epoch, **means}) + "\n")
    os.replace(aside, folder / CHECKPOINT)


def _resume(
    folder: Path,
    network: Network,
    average: Network,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
) -> int:
    path = folder / CHECKPOINT
    if not path.exists():
        (folder / LOG).unlink(missing_ok=True)
        return 0
    found = torch.load(path, map_location="cpu", weights_only=True)
    if found["recipe"] != asdict(recipe):
        (folder / LOG).unlink(missing_ok=True)
        return 0
    network.load_state_dict(found["network"])
    average.load_state_dict(found["average"])
    optimizer.load_state_dict(found["optimizer"])
    return int(found["epoch"]) + 1
