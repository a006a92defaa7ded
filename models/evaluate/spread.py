"""Shops judged side by side, one process each, with a bar that counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from models.progress import counting
from models.scene.workers import lean

A = TypeVar("A")
B = TypeVar("B")


def spread(judge: Callable[[A], B], shops: Sequence[A], workers: int) -> Iterator[B]:
    """What is judged of each shop, in their order.

    Args:
        judge: can be sent to another process.
        shops: what it is given.
        workers: processes at most.
    """
    with lean() as context, counting() as progress:
        task = progress.add_task("shops", total=len(shops))
        with ProcessPoolExecutor(max(1, min(workers, len(shops))), context) as pool:
            for one in pool.map(judge, shops):
                progress.advance(task)
                yield one
