"""Some pairs of a cause by themselves: dose curves, and contradictions of what was not believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES
from ilp_bench.records.reference_record import Arms
from ilp_bench.scoring.activity import activity
from ilp_bench.scoring.arm_means import Comparison, Select, Selection, arm_means, pair_values
from ilp_bench.scoring.learned_rates import Mask
from ilp_bench.scoring.pair_probabilities import pair_tables
from ilp_bench.scoring.points import points
from ilp_bench.scoring.points_schema import PairGroup

BELIEFS = (0.5, 0.75, 0.9, 1.0)  # ends of the classes of a prior answer's probability


def dose_groups(
    kind: str, cause: str, comparisons: Sequence[Comparison], further: Sequence[Comparison], select: Select
) -> list[PairGroup]:
    """The dose curve of a cause over the pairs that ``select`` chooses; empty where it has no dose."""
    groups = []
    for dose, has_dose in cause_doses(cause, comparisons):

        def chosen(comparison: Comparison, has_dose: Callable[[Comparison], Mask] = has_dose) -> Selection:
            return {cause: select(comparison)[cause] & has_dose(comparison)}

        if group := _group(kind, cause, dose, comparisons, further, chosen):
            groups.append(group)
    return groups


def contrast_group(
    kind: str, cause: str, comparisons: Sequence[Comparison], further: Sequence[Comparison]
) -> PairGroup | None:
    """Contradictions of what the base model believed nothing about; None where there are none, or no base run."""
    if any(one.base is None for one in comparisons):
        return None

    def chosen(comparison: Comparison) -> Selection:
        return {cause: activity(comparison.base)[cause].contrast} if comparison.base else {}

    return _group(kind, cause, None, comparisons, [one for one in further if one.base], chosen)


def cause_doses(cause: str, comparisons: Sequence[Comparison]) -> list[tuple[float, Callable[[Comparison], Mask]]]:
    """Each dose of a cause, with what says which pairs have it."""
    if CAUSES.get(cause).dose_from_base_model:
        if any(one.base is None for one in comparisons):
            return []

        def believed(low: float, high: float) -> Callable[[Comparison], Mask]:
            def mask(comparison: Comparison) -> Mask:
                assert comparison.base
                belief = activity(comparison.base)[cause].belief
                return np.asarray((belief >= low) & ((belief < high) | (high == BELIEFS[-1])))

            return mask

        return [(low, believed(low, high)) for low, high in pairwise(BELIEFS)]
    doses = np.unique(np.concatenate([_dose(comparison, cause) for comparison in comparisons]))

    def has_dose(dose: float) -> Callable[[Comparison], Mask]:
        return lambda comparison: np.asarray(_dose(comparison, cause) == dose)

    return [(dose, has_dose(dose)) for dose in doses[~np.isnan(doses)].tolist()]


def _dose(comparison: Comparison, cause: str) -> Array:
    return pair_tables(comparison.vanillas[0])[cause].dose


def _group(
    kind: str,
    cause: str,
    dose: float | None,
    comparisons: Sequence[Comparison],
    further: Sequence[Comparison],
    chosen: Select,
) -> PairGroup | None:
    masks = [chosen(comparison)[cause] for comparison in comparisons]
    have = [(comparison, mask) for comparison, mask in zip(comparisons, masks, strict=True) if mask.any()]
    if not have:
        return None
    means = arm_means(comparisons, kind, chosen, further)
    submission, vanilla = (
        means.values[:, 0]
        if means.causes
        else np.mean(
            [
                [pair_values(runs, cause, mask, kind).mean(axis=0) for runs in (one.submissions, one.vanillas)]
                for one, mask in have
            ],
            axis=0,
        )
    )
    change = submission - vanilla
    return PairGroup(
        dose=dose,
        pairs=sum(int(mask.sum()) for mask in masks),
        vanilla=Arms(treated=vanilla[0], control=vanilla[1]),
        submission=Arms(treated=submission[0], control=submission[1]),
        points=float(points(change[0], change[1])),
        interval=means.points(cause) if means.causes else None,
    )
