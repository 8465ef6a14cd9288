"""Work that a pool of threads does while the network is busy with something else."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Given, Made = TypeVar("Given"), TypeVar("Made")

THREADS = min(8, os.cpu_count() or 1)


def ahead(
    pool: ThreadPoolExecutor, function: Callable[[Given], Made], items: Iterable[Given], count: int
) -> Iterator[Made]:
    """function(item) of each, in order; the pool works on the next `count` while the caller uses the last."""
    begun: deque[Future[Made]] = deque()
    for item in items:
        begun.append(pool.submit(function, item))
        if len(begun) > count:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


def batched(items: Iterable[Given], size: int) -> Iterator[list[Given]]:
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch
