"""Points: what a submission gains on the treated arm alone, and which share of the gap that closes.

With T and C the mean p of the treated and the control arm, s the submission and v vanilla of the same budget:

    D = T_s - T_v        E = C_s - C_v        G = D - max(0, E)        H = sum of G / sum of (C_v - T_v)

H is over the causes that count. G is what only the treated arm gained: training longer raises both arms and gives 0,
and pushing the control below vanilla's gives nothing. G <= D always.

**Intervals.** max(0, E) is convex, so noise raises it on average, and lowers G: by s_E / sqrt(2 pi) = 0.40 s_E where
the control did not change, s_E being the standard error of E; by next to nothing where |E| is large against s_E. With E
normal, the bias of max(0, E) is

    b(E) = s_E phi(E / s_E) - |E| Phi(-|E| / s_E)

The interval of G (and of H, whose biases add up) is the t interval of the linear function that the signs of the
estimated E make of it, its upper end raised by b at the estimates. docs/scoring.md has the coverage of this, and of
what else was tried.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from ilp_bench.core.metrics import Array
from ilp_bench.scoring.bootstrap import FloatArray, Interval
from ilp_bench.scoring.learned_rates import ARMS
from ilp_bench.scoring.run_intervals import Uncertainty, t_quantile

ROLES = ("submission", "vanilla")
FAR = 30.0  # standard errors, beyond which the normal density is 0 in double precision


def points(treated_change: FloatArray, control_change: FloatArray) -> FloatArray:
    """Elementwise G = D - max(0, E), each in [-1, 1]: the only definition."""
    return np.asarray(treated_change - np.maximum(0.0, control_change))


def guard_bias(change: FloatArray, standard_error: FloatArray) -> FloatArray:
    """How much max(0, E) exceeds its value on average where E is normal around ``change``; at least 0. Elementwise."""
    z = np.minimum(np.abs(change) / np.where(standard_error > 0, standard_error, 1.0), FAR)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return np.asarray(standard_error * np.maximum(density - z * ndtr(-z), 0.0))


def points_by_dataset(treated_changes: FloatArray, control_changes: FloatArray) -> FloatArray:
    """What each dataset adds to G, shape (datasets, ...): D - E where E is above 0 on average, else D.

    treated_changes, control_changes   D and E of each dataset, shape (datasets, ...)

    The mean over datasets is G of the means: the guard is not applied to the noise of single datasets.
    """
    return np.asarray(treated_changes - np.where(control_changes.mean(axis=0) > 0, control_changes, 0.0))


def points_over_datasets(means: FloatArray) -> FloatArray:
    """G of many groups of pairs at once with its 95 % interval: shape (..., 3), the value and the interval's ends.

    means   shape (datasets, ..., roles, arms); at least two datasets

    The same as :meth:`ArmMeans.points` of each with the uncertainty over datasets.
    """
    changes = means[..., 0, :] - means[..., 1, :]
    treated, control = np.moveaxis(changes, -1, 0)
    rise, number = control.mean(axis=0), len(means)

    def error(values: FloatArray) -> FloatArray:
        return np.asarray(values.std(axis=0, ddof=1) / math.sqrt(number))

    each = points_by_dataset(treated, control)
    value, half = each.mean(axis=0), t_quantile(number - 1) * error(each)
    return np.stack([value, value - half, value + half + guard_bias(rise, error(control))], axis=-1)


class ArmMeans(NamedTuple):
    """Mean p of the arms, and how uncertain they are.

    causes        their names, in order
    values        shape (roles, causes, arms), each in [0, 1]
    uncertainty   of ``values`` laid out flat
    """

    causes: tuple[str, ...]
    values: Array
    uncertainty: Uncertainty

    def _place(self, role: str, cause: str, arm: str) -> int:
        """Where a mean stands in the flat values."""
        return (ROLES.index(role) * len(self.causes) + self.causes.index(cause)) * len(ARMS) + ARMS.index(arm)

    def weights(self, role: str, cause: str, arm: str) -> Array:
        """What picks one mean out of the flat values."""
        weights = np.zeros(self.values.size)
        weights[self._place(role, cause, arm)] = 1.0
        return weights

    def _difference(self, more: int, less: int) -> Array:
        """Weights of one mean minus another."""
        weights = np.zeros(self.values.size)
        weights[more], weights[less] = 1.0, -1.0
        return weights

    def change_weights(self, cause: str, arm: str) -> Array:
        """Weights of submission minus vanilla."""
        return self._difference(self._place("submission", cause, arm), self._place("vanilla", cause, arm))

    def gap_weights(self, cause: str, role: str = "vanilla") -> Array:
        """Weights of control minus treated."""
        return self._difference(self._place(role, cause, "control"), self._place(role, cause, "treated"))

    def interval(self, weights: Array, above: float = 0.0) -> Interval:
        """A linear function of the means with its 95 % interval."""
        return self.uncertainty.interval(float(weights @ self.values.ravel()), weights, above)

    def change(self, cause: str, arm: str) -> Interval:
        """D of the treated arm, or E of the control arm."""
        return self.interval(self.change_weights(cause, arm))

    def gap(self, cause: str) -> Interval:
        """The gap that the cause leaves under vanilla."""
        return self.interval(self.gap_weights(cause))

    def points(self, cause: str) -> Interval:
        """G of one cause."""
        weights, above = self._points_weights(cause)
        return self.interval(weights, above)

    def _points_weights(self, cause: str) -> tuple[Array, float]:
        """Weights of G at the estimated signs, and by how much its upper end is raised."""
        weights, rise = self.change_weights(cause, "treated"), self.change_weights(cause, "control")
        change = float(rise @ self.values.ravel())
        above = float(guard_bias(np.array(change), np.array(self.uncertainty.standard_error(rise))))
        return (weights - rise if change > 0 else weights), above


def share_closed(means: ArmMeans, counted: Sequence[str], gaps: Mapping[str, float] | None) -> Interval | None:
    """H: the sum of G over the sum of gaps, of the causes that count; None where none does.

    ``gaps``: the constants of a reference. None takes the gaps of the vanilla runs at hand, whose uncertainty then
    counts too, by the derivative of the ratio.
    """
    if not counted:
        return None
    parts = [means._points_weights(cause) for cause in counted]
    weights, above = np.sum([part[0] for part in parts], axis=0), sum(part[1] for part in parts)
    gap_weights = np.sum([means.gap_weights(cause) for cause in counted], axis=0)
    flat = means.values.ravel()
    total = sum(gaps[cause] for cause in counted) if gaps is not None else float(gap_weights @ flat)
    share = float(weights @ flat) / total
    if gaps is None:
        weights = weights - share * gap_weights
    return means.uncertainty.interval(share, weights / total, above / total)
