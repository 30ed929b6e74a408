"""Some pairs of a cause by themselves: dose curves, and contradictions of what was not believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES
from ilp_bench.scoring.activity import activity
from ilp_bench.scoring.arm_means import arm_means
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.learned_rates import ARMS, Mask
from ilp_bench.scoring.pair_probabilities import KINDS, pair_tables
from ilp_bench.scoring.pair_sets import Comparison, Select, have_interval, mean_over_datasets, place_masks, set_means
from ilp_bench.scoring.points import ROLES, points, points_over_datasets
from ilp_bench.scoring.points_schema import PairGroup
from ilp_bench.scoring.run_intervals import MIN_DATASETS

Choose = Callable[[Comparison], Mask]  # which pairs of one cause
BELIEFS = (0.5, 0.75, 0.9, 1.0)  # ends of the classes of a prior answer's probability


class PairGroups(NamedTuple):
    """Of one cause and kind of score: its dose curve, empty where it has none, and its contrast pairs if any.

    contrast   contradictions of what the base model believed nothing about
    """

    doses: list[PairGroup]
    contrast: PairGroup | None


class _Set(NamedTuple):
    """Some pairs of a cause, of one dose or contrast pairs."""

    cause: str
    dose: float | None
    choose: Choose


def pair_groups(
    causes: Sequence[str], comparisons: Sequence[Comparison], further: Sequence[Comparison], select: Select
) -> dict[str, dict[str, PairGroups]]:
    """Cause -> kind of score -> its groups; doses are over the pairs that ``select`` chooses."""
    doses = [
        _Set(cause, dose, _both(select, cause, has_dose))
        for cause in causes
        for dose, has_dose in cause_doses(cause, comparisons)
    ]
    with_base = all(one.base for one in comparisons)
    contrasts = [_Set(cause, None, _unbelieved(cause)) for cause in causes] if with_base else []
    sets = [*doses, *contrasts]
    found = _groups(sets, comparisons, further) if sets else {}
    return {
        cause: {
            kind: PairGroups(
                [groups[kind] for one in doses if one.cause == cause and (groups := found.get((cause, one.dose)))],
                found[cause, None][kind] if (cause, None) in found else None,
            )
            for kind in KINDS
        }
        for cause in causes
    }


def _both(select: Select, cause: str, choose: Choose) -> Choose:
    return lambda comparison: select(comparison)[cause] & choose(comparison)


def _unbelieved(cause: str) -> Choose:
    """The pairs of a dataset whose contradicted answer the base model did not believe."""

    def choose(comparison: Comparison) -> Mask:
        assert comparison.base
        return activity(comparison.base)[cause].contrast

    return choose


def cause_doses(cause: str, comparisons: Sequence[Comparison]) -> list[tuple[float, Choose]]:
    """Each dose of a cause, with what says which pairs have it."""
    if CAUSES.get(cause).dose_from_base_model:
        if any(one.base is None for one in comparisons):
            return []

        def believed(low: float, high: float) -> Choose:
            def mask(comparison: Comparison) -> Mask:
                assert comparison.base
                belief = activity(comparison.base)[cause].belief
                return np.asarray((belief >= low) & ((belief < high) | (high == BELIEFS[-1])))

            return mask

        return [(low, believed(low, high)) for low, high in pairwise(BELIEFS)]
    doses = np.unique(np.concatenate([_dose(comparison, cause) for comparison in comparisons]))

    def has_dose(dose: float) -> Choose:
        return lambda comparison: np.asarray(_dose(comparison, cause) == dose)

    return [(dose, has_dose(dose)) for dose in doses[~np.isnan(doses)].tolist()]


def _dose(comparison: Comparison, cause: str) -> Array:
    return pair_tables(comparison.vanillas[0])[cause].dose


def _groups(
    sets: Sequence[_Set], comparisons: Sequence[Comparison], further: Sequence[Comparison]
) -> dict[tuple[str, float | None], dict[str, PairGroup]]:
    """(Cause, dose) -> kind of score -> group, of the sets that have pairs."""
    masks = [
        place_masks([(one.cause, one.choose(comparison)) for one in sets], comparison.vanillas[0])
        for comparison in comparisons
    ]
    pairs = np.sum([mask.sum(axis=1) for mask in masks], axis=0)
    means = set_means(comparisons, masks)
    intervals = _intervals(sets, comparisons, further, means, have_interval(comparisons, masks))
    roles = mean_over_datasets(means)
    change = roles[:, 0] - roles[:, 1]
    gained = points(change[:, 0], change[:, 1]).tolist()
    arms_of = np.moveaxis(roles, -1, 1).tolist()  # sets, kinds, roles, arms
    groups: dict[tuple[str, float | None], dict[str, PairGroup]] = {}
    for number in np.flatnonzero(pairs).tolist():
        cause, dose, _ = sets[number]
        about = {"dose": dose, "pairs": int(pairs[number])}
        groups[cause, dose] = {}
        for place, kind in enumerate(KINDS):
            arms = [dict(zip(ARMS, role, strict=True)) for role in arms_of[number][place]]
            result = {"points": gained[number][place], "interval": intervals.get((number, kind))}
            result |= zip(ROLES, arms, strict=True)
            groups[cause, dose][kind] = PairGroup.model_validate(about | result)
    return groups


def _intervals(
    sets: Sequence[_Set],
    comparisons: Sequence[Comparison],
    further: Sequence[Comparison],
    means: Array,
    has_interval: Mask,
) -> dict[tuple[int, str], Interval]:
    """(Number of a set, kind of score) -> the interval of G, of each set that has one."""
    numbers = np.flatnonzero(has_interval).tolist()
    if len(comparisons) >= MIN_DATASETS:
        found = points_over_datasets(np.moveaxis(means[:, has_interval], -1, 1)).tolist()
        return {
            (number, kind): Interval(value=value, low=low, high=high)
            for kind, of_kind in zip(KINDS, found, strict=True)
            for number, (value, low, high) in zip(numbers, of_kind, strict=True)
        }

    def interval(one: _Set) -> dict[str, Interval]:
        def select(comparison: Comparison) -> dict[str, Mask]:
            return {one.cause: one.choose(comparison)}

        others = further if one.dose is not None else [each for each in further if each.base]
        means = arm_means(comparisons, select, others)
        return {kind: of_kind.points(one.cause) for kind, of_kind in means.items()}

    return {(number, kind): each for number in numbers for kind, each in interval(sets[number]).items()}
