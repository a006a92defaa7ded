"""Processes that draw: one thread each, and memory that they keep."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnContext

# Small products on all cores wait for each other more than they work; and a picture's array, given
# back to the system after each use, is paid for by a page fault every 4 KiB (glibc's mallopt: the
# largest threshold, and a heap that never shrinks). Measured: 11 s of 25 in the kernel became 1.
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}


@contextmanager
def lean() -> Iterator[SpawnContext]:
    """A way to start processes that draw fast; they read their environment when they begin.

    Spawned and not forked: a fork of a process with OpenCV's threads may hang.
    """
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update({name: os.environ.get(name, value) for name, value in _ENVIRONMENT.items()})
    try:
        yield multiprocessing.get_context("spawn")
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
