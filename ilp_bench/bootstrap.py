"""Paired bootstrap over matched pairs: the same draws for the same cause and number of pairs, so they are kept."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from pydantic import BaseModel, ConfigDict

from ilp_bench.estimate import Array

DRAWS, SEED, LEVEL = 10_000, 20_260, 0.95
FEW = 128  # pairs whose weights are kept as float64, at most 10 MB


class Interval(BaseModel):
    """A value with its 95 % bootstrap interval."""

    model_config = ConfigDict(extra="forbid")

    value: float
    low: float
    high: float


@lru_cache(maxsize=16)
def _few(cause: int, pairs: int) -> Array:
    """The weights themselves, kept where they are small."""
    return _counts(cause, pairs) / np.float64(pairs)


@lru_cache(maxsize=64)
def _counts(cause: int, pairs: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Shape (draws, pairs): how often each pair is drawn."""
    rng = np.random.default_rng([SEED, cause])
    return rng.multinomial(pairs, np.full(pairs, 1 / pairs), size=DRAWS).astype(np.uint8)


def resampled(cause: int, values: Array) -> Array:
    """Means of resampled pairs, shape (draws, columns), of ``values`` with shape (pairs, columns).

    ``cause`` is the number of the cause in the order of the paper: each has draws of its own.
    """
    pairs = len(values)
    weights = _few(cause, pairs) if pairs <= FEW else _counts(cause, pairs) / np.float64(pairs)
    return np.asarray(weights @ values)


def interval(value: float, draws: Array) -> Interval:
    """A value with the 95 % percentile interval of its draws, those that are NaN left out. No value is -0.0."""
    low, high = np.nanquantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value=value + 0.0, low=float(low) + 0.0, high=float(high) + 0.0)
