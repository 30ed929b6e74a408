"""Estimates with their intervals, and the difference of two entries: what ranks and comparisons rest on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean, stdev
from typing import NamedTuple

from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.run_intervals import MIN_DATASETS, t_quantile


class Estimate(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, interval: Interval | None) -> Estimate | None:
        """The same of a score, None where it has none."""
        return cls(interval.value, interval.low, interval.high) if interval else None

    @property
    def raised(self) -> float:
        """How much farther the upper end is from the value than the lower: the bias of the guard (docs/scoring.md)."""
        return max(self.high + self.low - 2 * self.value, 0.0)

    @property
    def negative(self) -> Estimate:
        """The same with the other sign."""
        return Estimate(-self.value, -self.high, -self.low)

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low > 0 or self.high < 0


class Difference(NamedTuple):
    """The first of two entries minus the second; ``paired`` where it was taken dataset by dataset."""

    estimate: Estimate
    paired: bool


def difference(
    first: Estimate, second: Estimate, first_by_dataset: Mapping[int, float], second_by_dataset: Mapping[int, float]
) -> Difference:
    """First minus second, with its 95 % interval.

    Where both have values on the same three datasets or more, it is the t interval of the mean over datasets of the
    difference: what makes a dataset hard, and the vanilla runs that both are compared with, cancels. Each end is moved
    outwards by the bias that the guard may have given to one of the two. Else the interval is what the two intervals
    leave open, so that it excludes 0 exactly where they do not overlap.
    """
    value = first.value - second.value
    seeds = sorted(first_by_dataset)
    if len(seeds) < MIN_DATASETS or seeds != sorted(second_by_dataset):
        return Difference(Estimate(value, first.low - second.high, first.high - second.low), paired=False)
    each = [first_by_dataset[seed] - second_by_dataset[seed] for seed in seeds]
    half = t_quantile(len(each) - 1) * stdev(each, fmean(each)) / math.sqrt(len(each))
    return Difference(Estimate(value, value - half - second.raised, value + half + first.raised), paired=True)
