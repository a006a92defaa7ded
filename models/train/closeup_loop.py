"""The close-up's training: several processes, each with its share of every batch."""

from __future__ import annotations

import copy
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed
from torch.nn import functional

from edge_agent.closeup import MAP
from edge_agent.errors import InputError
from models.scene.workers import lean
from models.train.closeup_network import CloseupNetwork
from models.train.closeups import Example, examples, read_shop, write_shop
from models.train.loop import follow, rate_at

_DECAY, _CLIP, _EMA = 1e-2, 5.0, 0.998
# Looks that are mixed before they are handed out: those of one shop look alike.
_MIXED = 900
# A hand is a hill of this width in the map, in its sides.
_HILL = 1.2 / MAP
# A cell at a hill's top weighs so much more than one without; metres that are told apart.
_TOP, _DEEP_M = 24.0, 0.5
# Beside a hand past the plane: any hand, how deep, the whole square.
_ANY, _DEPTH = 0.5, 2.0
_HOST = "127.0.0.1"

Report = Callable[[str, int, int], None]
"""Told a stage's name, how much of it is done, and how much it is."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a training hangs on; the same one, with as many workers, gives the same weights.

    Args:
        seed: of the first shop; shops count up from there.
        shops: how many.
        looks: examples looked at in all.
        batch: examples a step.
        rate: highest learning rate (AdamW).
    """

    seed: int = 20000
    shops: int = 1400
    looks: int = 1_000_000
    batch: int = 128
    rate: float = 4e-3


def render(recipe: Recipe, folder: Path, workers: int, report: Report) -> list[Path]:
    """Draw all shops; those that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    seeds = range(recipe.seed, recipe.seed + recipe.shops)
    with lean() as context, ProcessPoolExecutor(workers, context) as pool:
        for path in pool.map(partial(write_shop, folder=folder), seeds):
            paths.append(path)
            report("shops", len(paths), recipe.shops)
    return paths


def train(recipe: Recipe, paths: list[Path], workers: int, report: Report) -> CloseupNetwork:
    """Train; this process is one of the workers.

    Returns:
        The network with averaged weights, in evaluation mode.
    """
    with socket.socket() as free:
        free.bind((_HOST, 0))
        port = int(free.getsockname()[1])
    context = torch.multiprocessing.get_context("spawn")
    others = [
        context.Process(target=_work, args=(rank, workers, port, recipe, paths), daemon=True)
        for rank in range(1, workers)
    ]
    for one in others:
        one.start()
    network = _work(0, workers, port, recipe, paths, report)
    for one in others:
        one.join()
    return network


def _work(
    rank: int, workers: int, port: int, recipe: Recipe, paths: list[Path],
    report: Report = lambda *_: None,
) -> CloseupNetwork:  # fmt: skip
    store = distributed.TCPStore(_HOST, port, workers, rank == 0)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=workers)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(recipe.seed)
    network = CloseupNetwork()
    average = copy.deepcopy(network)
    network.to(memory_format=torch.channels_last)
    weights = list(network.parameters())
    optimizer = torch.optim.AdamW(weights, recipe.rate, weight_decay=_DECAY)
    share = max(1, recipe.batch // workers)
    steps = recipe.looks // (share * workers)
    batches = _batches(recipe.seed, paths, rank, workers, share)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, steps, recipe.rate)
        network.train()
        planes, *wanted = next(batches)
        total = loss(*network(planes), *wanted)
        optimizer.zero_grad()
        total.backward()
        _agree(weights, workers)
        torch.nn.utils.clip_grad_norm_(weights, _CLIP)
        optimizer.step()
        follow(average, network, min(_EMA, (step + 1) / (step + 20)))
        report("steps", step + 1, steps)
    distributed.destroy_process_group()
    return average.eval()


def _agree(weights: list[torch.nn.Parameter], workers: int) -> None:
    """Everybody's gradients become their mean."""
    together = torch.cat([torch.as_tensor(one.grad).reshape(-1) for one in weights])
    distributed.all_reduce(together)
    together /= workers
    start = 0
    for one in weights:
        assert one.grad is not None
        one.grad.copy_(together[start : start + one.numel()].view_as(one))
        start += one.numel()


def loss(maps: Tensor, whole: Tensor, palms: Tensor, past: Tensor, depth: Tensor) -> Tensor:
    """What is to be made small.

    Args:
        maps: [N, 3, 24, 24], of the network.
        whole: [N], of the network.
        palms: [N, 2, 2], x y, 0..1 of the square.
        past: [N, 2], 0 or 1.
        depth: [N, 2], metres past the plane.
    """
    cells = (torch.arange(MAP) + 0.5) / MAP
    down, across = torch.meshgrid(cells, cells, indexing="ij")
    x, y = palms[:, :, 0, None, None], palms[:, :, 1, None, None]
    hills = torch.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * _HILL**2))
    tops = hills * (hills > 0.6)
    wanted = depth.clamp(-_DEEP_M, _DEEP_M)[:, :, None, None]
    off = (_DEEP_M * torch.tanh(maps[:, 2])[:, None] - wanted).abs()
    deep = (off * tops).sum() / tops.sum().clamp(min=1)
    here = functional.binary_cross_entropy_with_logits(whole, past.amax(1))
    hand = _peaked(maps[:, 0], (hills * past[:, :, None, None]).amax(1))
    return hand + _ANY * _peaked(maps[:, 1], hills.amax(1)) + _DEPTH * deep + here


def _peaked(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of a map, weighed by how wrong each cell is (Li et al. 2020, quality focal)."""
    each = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    weight = (1 + _TOP * wanted) * (torch.sigmoid(logits) - wanted).abs()
    return (each * weight).sum((1, 2)).mean() / 40


def _batches(
    seed: int, paths: list[Path], rank: int, workers: int, share: int
) -> Iterator[list[Tensor]]:
    """Without end: planes float32 [N, 6, 96, 96], palms, past and depth."""
    rng = np.random.default_rng([seed, rank])
    waiting: list[Example] = []
    for one in _endless(seed, paths, rank, workers):
        waiting.append(one)
        if len(waiting) < _MIXED + 8 * share:
            continue
        order = rng.permutation(len(waiting)).tolist()
        waiting = [waiting[i] for i in order]
        for _ in range(8):
            some, waiting = waiting[:share], waiting[share:]
            yield _tensors(some)


def _endless(seed: int, paths: list[Path], rank: int, workers: int) -> Iterator[Example]:
    turn, found = 0, False
    while True:
        order = np.random.default_rng([seed, turn]).permutation(len(paths)).tolist()
        for index in order[rank::workers]:
            rng = np.random.default_rng([seed, turn, index])
            for one in examples(*read_shop(paths[index]), rng):
                yield one
                found = True
        if not found:
            raise InputError("nobody is near a shelf in any of the shops; render more of them")
        turn += 1


def _tensors(some: list[Example]) -> list[Tensor]:
    planes = torch.from_numpy(np.stack([one.planes for one in some])).to(torch.float32)
    return [
        (planes / 127.5 - 1).to(memory_format=torch.channels_last),
        torch.from_numpy(np.stack([one.palms for one in some])),
        torch.from_numpy(np.stack([one.past for one in some]).astype(np.float32)),
        torch.from_numpy(np.stack([one.depth for one in some])),
    ]
