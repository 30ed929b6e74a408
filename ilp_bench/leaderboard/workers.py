"""The processes that check submissions and write pages, and how often they look for garbage."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pyarrow as pa

FEWEST_FOR_WORKERS = 24  # below, one process is faster than starting more
CHUNK = 16  # submissions handed to a worker at one time
RunAll = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


@contextmanager
def pool(tasks: int, workers: int | None) -> Iterator[RunAll]:
    """Run a function over many things, in order: in this process if they are few, else in several."""
    count = workers or min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 16
    )
    if tasks < FEWEST_FOR_WORKERS or count < 2:
        yield lambda function, things: map(function, things)
        return
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _start_worker) as executor:
        try:
            yield partial(executor.map, chunksize=CHUNK)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Within, all objects are seldom looked through: those of thousands of entries stay until all pages are written."""
    before = gc.get_threshold()
    gc.set_threshold(before[0], 100, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _start_worker() -> None:
    """One thread a worker; and it ends when the process that started it is gone, so that nobody is left waiting."""
    pa.set_cpu_count(1)
    gc.freeze()  # what is loaded by now is never garbage, and is not looked through again

    def keep(phase: str, info: dict[str, int]) -> None:
        """Freeze what a full collection has left, such as datasets and references, which take long to look through."""
        if phase == "stop" and info["generation"] == 2:
            gc.freeze()

    gc.callbacks.append(keep)

    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
