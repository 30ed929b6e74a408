"""Work in batches that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.memory import is_out_of_memory

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_batches(
    compute: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item], size: int, what: str
) -> tuple[list[Result], int]:
    """One result an item, computed in batches of at most ``size`` items, and the size that fitted into memory.

    A batch that does not fit is halved until it does. Raises ProblemError where not even one item, called ``what``,
    fits.
    """
    results: list[Result] = []
    while len(results) < len(items):
        batch = items[len(results) : len(results) + size]
        try:
            results += compute(batch)
            continue
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise ProblemError(f"not even one {what} fits into memory: use a smaller model or dtype") from error
        size = max(1, len(batch) // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # only here: while the error lives, so do the tensors of the frames it passed
    return results, size
