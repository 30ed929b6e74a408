"""Paired bootstrap over matched pairs: the same draws for the same cause and number of pairs, so they are cached."""

from __future__ import annotations

import hashlib
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from ilp_bench.core.metrics import Array

FloatArray = np.ndarray[Any, np.dtype[Any]]  # of single or double precision
DRAWS, SEED, LEVEL = 10_000, 20_260, 0.95
BLOCK = 1000
# Fixed for good, so that published intervals stay the same; a stream that is not named here is numbered by its hash.
STREAMS = {
    "knowledge_gap": 0,
    "knowledge_conflict": 1,
    "data_inconsistency": 2,
    "left_side_forgetting": 3,
    "rare_patterns": 4,
    "held_out_facts": 5,
    "attribution": 6,
}


class Interval(BaseModel):
    """A value with its 95 % interval, by bootstrap or by t: whoever makes it says which."""

    model_config = ConfigDict(extra="forbid")

    value: float
    low: float
    high: float


def stream_number(stream: str) -> int:
    """The number that seeds a stream of draws, from its name alone."""
    if stream in STREAMS:
        return STREAMS[stream]
    return int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8])


@lru_cache(maxsize=64)
def _counts(stream: str, pairs: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Shape (pairs, draws): how often each pair is drawn."""
    rng = np.random.default_rng([SEED, stream_number(stream)])
    counts = rng.multinomial(pairs, np.full(pairs, 1 / pairs), size=DRAWS)
    by_pair = np.ascontiguousarray(counts.T.astype(np.uint8))
    by_pair.setflags(write=False)
    return by_pair


def resampled(stream: str, values: Array) -> Array:
    """Means of resampled pairs, shape (draws, columns), of ``values`` with shape (pairs, columns).

    ``stream`` names the draws, such as the cause: the same name and number of pairs give the same draws.
    """
    pairs, columns = values.shape
    counts, means, scaled = _counts(stream, pairs), np.empty((columns, DRAWS)), np.ascontiguousarray(values.T) / pairs
    for start in range(0, DRAWS, BLOCK):  # a block of weights at a time stays in the processor's cache
        block = counts[:, start : start + BLOCK].astype(np.float64)
        for column in range(columns):  # one by one, so that equal columns have equal means to the last bit
            means[column, start : start + BLOCK] = scaled[column] @ block
    return means.T


def resampled_again(stream: str, values: Array) -> Array:
    """As :func:`resampled`; cached and read-only, for arms that many submissions are compared with."""
    return _cached_means(stream, values.shape, np.ascontiguousarray(values).tobytes())


@lru_cache(maxsize=32)
def _cached_means(stream: str, shape: tuple[int, int], values: bytes) -> Array:
    means = resampled(stream, np.frombuffer(values).reshape(shape))
    means.setflags(write=False)
    return means


def interval(value: float, draws: Array) -> Interval:
    """A value with the 95 % percentile interval of its draws, those that are NaN left out. No value is -0.0."""
    low, high = interval_ends(draws)
    return Interval(value=value + 0.0, low=float(low) + 0.0, high=float(high) + 0.0)


def interval_ends(draws: FloatArray) -> FloatArray:
    """Ends of the 95 % percentile interval of draws along the last axis, shape (..., 2); NaN where all draws are NaN.

    Draws that are NaN are left out.
    """
    quantile = np.nanquantile if np.isnan(draws).any() else np.quantile
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        return np.moveaxis(quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=-1), 0, -1)
