"""Sets of pairs, such as the active ones of a cause or those of one dose: which are enough, and their means."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.learned_rates import ARMS, Mask
from ilp_bench.scoring.pair_probabilities import KINDS, MEASURES, all_values, layout
from ilp_bench.scoring.points_schema import ArmRates
from ilp_bench.scoring.run_intervals import Indices

MIN_PAIRS = 10  # of a cause on a dataset; fewer are reported without an interval, and do not count


class Comparison(NamedTuple):
    """All runs on one dataset: submissions and vanillas that differ in the training seed, and their base model.

    A dataset that only a reference has has no submissions.
    """

    submissions: tuple[Run, ...]
    vanillas: tuple[Run, ...]
    base: Run | None


Masks = np.ndarray[tuple[int, int], np.dtype[np.bool_]]
Selection = Mapping[str, Mask]  # cause -> which of its pairs, in the order of their ids
Select = Callable[[Comparison], Selection]


def _is_enough(groups: Indices) -> bool:
    """Whether that many pairs, of those groups, have an interval."""
    return len(groups) >= MIN_PAIRS and bool((groups != groups[0]).any())


def have_interval(comparisons: Sequence[Comparison], masks: Sequence[Masks]) -> Mask:
    """Which of several sets of pairs, each of one cause, have enough pairs, in two groups or more, on every dataset.

    ``masks``: as in :func:`set_means`.
    """
    groups = [layout(comparison.vanillas[0].probes).groups for comparison in comparisons]
    enough = [
        all(_is_enough(of_dataset[mask]) for of_dataset, mask in zip(groups, masks_of_set, strict=True))
        for masks_of_set in zip(*masks, strict=True)
    ]
    return np.array(enough, dtype=bool)


def place_masks(sets: Sequence[tuple[str, Mask]], run: Run) -> Masks:
    """Which of the pairs of all causes are in each set, of a cause and which of its pairs: shape (sets, all pairs)."""
    of_dataset = layout(run.probes)
    masks: Masks = np.zeros((len(sets), len(of_dataset.groups)), bool)
    for placed, (cause, mask) in zip(masks, sets, strict=True):
        placed[of_dataset.causes[cause].place] = mask
    return masks


def set_means(comparisons: Sequence[Comparison], masks: Sequence[Masks]) -> Array:
    """Mean p of several sets of pairs: shape (datasets, sets, roles, arms, kinds); NaN where no pair is.

    ``masks``: for each dataset, those of :func:`place_masks`.
    """
    means = []
    for comparison, mask in zip(comparisons, masks, strict=True):
        roles = (comparison.submissions, comparison.vanillas)
        means.append(_means_of_sets(mask, np.stack([_all_p(runs) for runs in roles], axis=1)))
    return np.array(means)


def _means_of_sets(masks: Masks, values: Array) -> Array:
    """Mean of values with shape (all pairs, ...) over each set's pairs: shape (sets, ...); NaN where no pair is."""
    counts = masks.sum(axis=1).reshape(-1, *(1,) * (values.ndim - 1))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.tensordot(masks.astype(float), values, 1) / counts)


def mean_over_datasets(means: Array) -> Array:
    """Mean over the first axis of what is not NaN; NaN where all is."""
    is_there = ~np.isnan(means)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(is_there, means, 0.0).sum(axis=0) / is_there.sum(axis=0))


def _all_p(runs: Sequence[Run]) -> Array:
    """p of the pairs of all causes, the mean over runs on one dataset: shape (pairs of all causes, arms, kinds)."""
    return over_runs([all_values(run)[MEASURES.index("p")] for run in runs])


def over_runs(values: Sequence[Array]) -> Array:
    """The mean over runs of one array each; of a single run that array itself."""
    return values[0] if len(values) == 1 else np.asarray(np.mean(values, axis=0))


def arm_rates(
    causes: Sequence[str], datasets: Iterable[tuple[Sequence[Run], Selection]]
) -> dict[str, dict[str, ArmRates | None]]:
    """Cause -> kind -> all measures of both arms, the mean over datasets that have a chosen pair; None where none has.

    ``datasets``: the runs on one dataset, if any, whose values are averaged, and the chosen pairs of each cause.
    """
    means = []
    for runs, selection in datasets:
        if runs:
            masks = place_masks([(cause, selection[cause]) for cause in causes], runs[0])
            means.append(_means_of_sets(masks, np.moveaxis(over_runs([all_values(run) for run in runs]), 0, 1)))
    if not means:
        return {cause: dict.fromkeys(KINDS) for cause in causes}
    values = np.moveaxis(mean_over_datasets(np.array(means)), -1, 1)  # causes, kinds, measures, arms
    return {
        cause: {kind: _rates(of_kind) for kind, of_kind in zip(KINDS, of_cause, strict=True)}
        for cause, of_cause in zip(causes, values.tolist(), strict=True)
    }


def _rates(measures: list[list[float]]) -> ArmRates | None:
    """Rates of shape (measures, arms); None where they are NaN."""
    if math.isnan(measures[0][0]):
        return None
    rates = {name: dict(zip(ARMS, arms, strict=True)) for name, arms in zip(MEASURES, measures, strict=True)}
    return ArmRates.model_validate(rates)
