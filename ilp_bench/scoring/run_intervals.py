"""Intervals at the level of runs: how far a statistic of arm means would move with other runs and other pairs.

Everything that scorer 3 reports is a linear function ``w @ x`` of the arm means ``x`` of submission and vanilla (once
it is decided which control arms rose, see :mod:`ilp_bench.scoring.points`). So one covariance matrix of ``x`` gives all
standard errors, without random draws:

- three datasets or more: the covariance over datasets, each with training seeds of its own (t, datasets - 1 degrees of
  freedom). It holds what varies between runs and what varies between pairs.
- fewer: the cluster-robust covariance over groups of pairs, which is what a bootstrap of whole groups tends to, plus
  what runs add. Runs of the same recipe on the same dataset show that, three vanilla runs of a reference above all.
- fewer, and no such runs: the covariance over groups of pairs alone, marked "pairs only".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import scipy.linalg
from scipy.special import ndtri, stdtrit

from ilp_bench.core.metrics import Array
from ilp_bench.scoring.bootstrap import LEVEL, Interval

Blocks = Sequence[Array]
Indices = np.ndarray[tuple[int], np.dtype[np.int64]]
IntervalKind = Literal["runs", "pairs only"]
MIN_DATASETS = 3
MIN_FREEDOM = 2  # of the covariance between runs, as three runs of one recipe on one dataset give


@dataclass(frozen=True)
class RunCovariance:
    """What runs of one recipe on one dataset differ by.

    between   covariance of the arm means of one run, shape (arms, arms)
    by_pairs  the part of ``between`` that independent changes of pairs explain, which ``pairs`` of
              :class:`Uncertainty` holds already
    freedom   degrees of freedom of ``between``
    """

    between: Array
    by_pairs: Array
    freedom: int


@dataclass(frozen=True)
class Uncertainty:
    """Covariance of the arm means ``x``, in two parts of which either may be 0: shape (means, means).

    pairs, pairs_freedom   over groups of pairs, and groups - 1
    runs, runs_freedom     over runs, and its degrees of freedom
    explained              the part of ``runs`` that ``pairs`` holds already
    kind                   what intervals allow for
    """

    pairs: Array
    pairs_freedom: int
    runs: Array
    explained: Array
    runs_freedom: int
    kind: IntervalKind

    def standard_error(self, weights: Array) -> float:
        """Standard error of ``weights @ x``."""
        return self._error_and_freedom(weights)[0]

    def freedom(self, weights: Array) -> float:
        """Degrees of freedom of that standard error, by Satterthwaite's formula; at least the fewer of both parts.

        ``explained`` is not taken off here: what is left of ``runs`` may be little by chance.
        """
        return self._error_and_freedom(weights)[1]

    def interval(self, value: float, weights: Array, above: float = 0.0) -> Interval:
        """The 95 % t interval of ``value``, an estimate of ``weights @ x``; its upper end is raised by ``above``."""
        error, freedom = self._error_and_freedom(weights)
        half = t_quantile(freedom) * error
        return Interval(value=value + 0.0, low=value - half + 0.0, high=value + half + above + 0.0)

    @cached_property
    def _parts(self) -> Array:
        return np.stack([self.pairs, self.runs, self.explained])

    def _error_and_freedom(self, weights: Array) -> tuple[float, float]:
        # Variances are at least 0 whatever rounding does.
        pairs, runs, explained = (max(variance, 0.0) for variance in (self._parts @ weights @ weights).tolist())
        total = pairs + max(runs - explained, 0.0)
        uncertainty = pairs**2 / self.pairs_freedom + (runs**2 / self.runs_freedom if runs else 0.0)
        fewer = min([self.pairs_freedom] * (pairs > 0) + [self.runs_freedom] * (runs > 0), default=0)
        freedom = max(total**2 / uncertainty, fewer) if uncertainty else math.inf
        return math.sqrt(total), freedom


def t_quantile(freedom: float) -> float:
    """How many standard errors a two-sided 95 % interval reaches to either side."""
    upper = (1 + LEVEL) / 2
    return float(ndtri(upper) if math.isinf(freedom) else stdtrit(freedom, upper))


def over_datasets(means: Array) -> Uncertainty:
    """Uncertainty of the mean over datasets, of ``means`` with shape (datasets, means)."""
    datasets, size = means.shape
    deviations = (means - means.mean(axis=0)).T
    covariance = deviations @ deviations.T / (datasets - 1) / datasets
    nothing = np.zeros((size, size))
    return Uncertainty(nothing, 1, covariance, nothing, datasets - 1, "runs")


def pairs_only(pairs: Array, freedom: int) -> Uncertainty:
    """Uncertainty by groups of pairs alone: ``pairs`` is the covariance of the means, ``freedom`` groups - 1."""
    nothing = np.zeros_like(pairs)
    return Uncertainty(pairs, freedom, nothing, nothing, 0, "pairs only")


def no_uncertainty(size: int) -> Uncertainty:
    """That of ``size`` means taken as they are: every interval is its value alone."""
    return pairs_only(np.zeros((size, size)), 1)


def run_covariance(cells: Sequence[Sequence[Blocks]], groups: Sequence[Sequence[Indices]]) -> RunCovariance | None:
    """What runs of one recipe on one dataset differ by, pooled over cells; None where that leaves too little to go by.

    cells    runs of one recipe on one dataset, each as one array a cause of shape (pairs, 2): the p of its items
    groups   for each cell, one array a cause: the number of each pair's group
    """
    between, by_pairs, freedom = [], [], 0
    for runs, groups_of_cause in zip(cells, groups, strict=True):
        means = np.array([np.concatenate([values.mean(axis=0) for values in run]) for run in runs])
        deviations = means - means.mean(axis=0)
        between.append(deviations.T @ deviations)
        by_pairs.append(_noise_of_pairs(runs, groups_of_cause))
        freedom += len(runs) - 1
    if freedom < MIN_FREEDOM:
        return None
    return RunCovariance(np.sum(between, axis=0) / freedom, np.sum(by_pairs, axis=0) / freedom, freedom)


def _noise_of_pairs(runs: Sequence[Blocks], groups: Sequence[Indices]) -> Array:
    """Sum over runs of the covariance that pairs' own deviations from their mean over runs give a run's arm means."""
    total = []
    for cause, group in enumerate(groups):
        values = np.stack([run[cause] for run in runs])  # group_covariance takes off what all pairs of a run share
        total.append(sum(group_covariance(own, group) for own in values - values.mean(axis=0)))
    return block_diagonal([np.asarray(block) for block in total])


def block_diagonal(blocks: Sequence[Array]) -> Array:
    """One matrix with ``blocks`` along its diagonal and 0 elsewhere."""
    return np.asarray(scipy.linalg.block_diag(*blocks))


def group_covariance(values: Array, groups: Indices) -> Array:
    """Cluster-robust covariance of the mean over pairs, of ``values`` with shape (pairs, columns).

    ``groups``: the number of each pair's group. With g groups of n pairs: g/(g-1)/n^2 times the sum of outer
    products of the groups' summed deviations from the mean. NaN for fewer than two groups.
    """
    deviations = values - values.mean(axis=0)
    numbers, group_of_pair = np.unique(groups, return_inverse=True)
    number = len(numbers)
    if number < 2:
        return np.full((values.shape[1], values.shape[1]), np.nan)
    sums = np.zeros((number, values.shape[1]))
    np.add.at(sums, group_of_pair, deviations)
    return np.asarray(number / (number - 1) * sums.T @ sums / len(values) ** 2)
