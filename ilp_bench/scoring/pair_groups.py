"""Some pairs of a cause by themselves: dose curves, and contradictions of what was not believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES
from ilp_bench.scoring.activity import activity
from ilp_bench.scoring.arm_means import Comparison, Select, arm_means, have_interval, set_means
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.learned_rates import ARMS, Mask
from ilp_bench.scoring.pair_probabilities import KINDS, pair_tables
from ilp_bench.scoring.points import ROLES, points, points_over_datasets
from ilp_bench.scoring.points_schema import PairGroup
from ilp_bench.scoring.run_intervals import MIN_DATASETS

Choose = Callable[[Comparison], Mask]  # which pairs of one cause
BELIEFS = (0.5, 0.75, 0.9, 1.0)  # ends of the classes of a prior answer's probability


def dose_groups(
    cause: str, comparisons: Sequence[Comparison], further: Sequence[Comparison], select: Select
) -> dict[str, list[PairGroup]]:
    """Kind of score -> dose curve of a cause over the pairs that ``select`` chooses; empty where it has no dose."""

    def at(has_dose: Choose) -> Choose:
        return lambda comparison: select(comparison)[cause] & has_dose(comparison)

    doses = cause_doses(cause, comparisons)
    return _groups(cause, [(dose, at(has_dose)) for dose, has_dose in doses], comparisons, further)


def contrast_group(
    cause: str, comparisons: Sequence[Comparison], further: Sequence[Comparison]
) -> dict[str, PairGroup | None]:
    """Kind -> contradictions of what the base model believed nothing about; None where there are none, or no base."""
    if any(one.base is None for one in comparisons):
        return dict.fromkeys(KINDS)

    def unbelieved(comparison: Comparison) -> Mask:
        assert comparison.base
        return activity(comparison.base)[cause].contrast

    groups = _groups(cause, [(None, unbelieved)], comparisons, [one for one in further if one.base])
    return {kind: next(iter(found), None) for kind, found in groups.items()}


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
    cause: str,
    sets: Sequence[tuple[float | None, Choose]],
    comparisons: Sequence[Comparison],
    further: Sequence[Comparison],
) -> dict[str, list[PairGroup]]:
    """Kind of score -> each set of a cause's pairs that has any, with its dose."""
    groups: dict[str, list[PairGroup]] = {kind: [] for kind in KINDS}
    if not sets:
        return groups
    masks = [np.array([choose(comparison) for _, choose in sets]) for comparison in comparisons]
    pairs = np.sum([mask.sum(axis=1) for mask in masks], axis=0)
    if not pairs.any():
        return groups
    means = set_means(comparisons, cause, masks)
    intervals = _intervals(cause, sets, comparisons, further, means, have_interval(comparisons, cause, masks))
    for number in np.flatnonzero(pairs).tolist():
        of_set = means[:, number]
        roles = of_set[~np.isnan(of_set).any(axis=(1, 2, 3))].mean(axis=0)
        change = roles[0] - roles[1]
        for place, (kind, gained) in enumerate(zip(KINDS, points(change[0], change[1]).tolist(), strict=True)):
            arms = [dict(zip(ARMS, role, strict=True)) for role in roles[..., place].tolist()]
            group = {"dose": sets[number][0], "pairs": int(pairs[number]), "points": gained}
            group |= dict(zip(ROLES, arms, strict=True)) | {"interval": intervals[kind].get(number)}
            groups[kind].append(PairGroup.model_validate(group))
    return groups


def _intervals(
    cause: str,
    sets: Sequence[tuple[float | None, Choose]],
    comparisons: Sequence[Comparison],
    further: Sequence[Comparison],
    means: Array,
    has_interval: Mask,
) -> dict[str, dict[int, Interval]]:
    """Kind of score -> the interval of G of each set that has one, by its number."""
    numbers = np.flatnonzero(has_interval).tolist()
    if len(comparisons) >= MIN_DATASETS:
        found = points_over_datasets(np.moveaxis(means[:, has_interval], -1, 1))
        return {
            kind: {
                number: Interval(value=value, low=low, high=high)
                for number, (value, low, high) in zip(numbers, of_kind.tolist(), strict=True)
            }
            for kind, of_kind in zip(KINDS, found, strict=True)
        }

    def select(choose: Choose) -> Select:
        return lambda comparison: {cause: choose(comparison)}

    def interval(kind: str, number: int) -> Interval:
        return arm_means(comparisons, kind, select(sets[number][1]), further).points(cause)

    return {kind: {number: interval(kind, number) for number in numbers} for kind in KINDS}
