"""Closed forms: what N sampled answers would show, computed from one exact probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
RUNS = 5  # N of pass@N in the paper's detector (arXiv 2604.10079, section 3.1.4)


def checked(p: ArrayLike) -> Array:
    """``p`` as float64; raises ValueError when any value is NaN or outside [0, 1]."""
    values = np.asarray(p, dtype=np.float64)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError("probabilities must lie in [0, 1] and must not be NaN")
    return values


def unlearned(p: ArrayLike, runs: int = RUNS) -> Array:
    """Chance in [0, 1] that none of ``runs`` sampled answers reproduces the supervision: (1 - p)^runs."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(runs * np.log1p(-checked(p))))


def learned(p: ArrayLike, runs: int = RUNS) -> Array:
    """1 - :func:`unlearned`: chance that at least one of ``runs`` sampled answers is right."""
    with np.errstate(divide="ignore"):
        return np.asarray(-np.expm1(runs * np.log1p(-checked(p))))


def best_of(scores: ArrayLike, gold: int, draws: int) -> float:
    """BoN-N: chance that the most probable of ``draws`` sampled options is the gold one.

    ``scores``: option probabilities summing to 1, shape (options,). Options as probable as the gold one share
    its draws. Formula: (sum of q_j <= q_gold)^N - (sum of q_j < q_gold)^N.
    """
    q = checked(scores)
    upto, below = q[q <= q[gold]].sum(), q[q < q[gold]].sum()
    return float(min(upto, 1.0) ** draws - below**draws)


def above_chance(q: ArrayLike, options: int) -> Array:
    """Option probability corrected for chance: 0 at 1/options, 1 at certainty, negative below chance."""
    return (checked(q) - 1 / options) / (1 - 1 / options)
