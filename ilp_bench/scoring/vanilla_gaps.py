"""What vanilla leaves unlearned: the gap of each cause under the runs of a reference, and its dose curve."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np

from ilp_bench.data.causes import CAUSES
from ilp_bench.records.reference_record import Arms
from ilp_bench.scoring.arm_means import arm_means, mean_table
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.learned_rates import Mask
from ilp_bench.scoring.pair_groups import cause_doses
from ilp_bench.scoring.pair_sets import Comparison, Selection, arm_rates
from ilp_bench.scoring.rank_reasons import MIN_GAP
from ilp_bench.scoring.references import Reference
from ilp_bench.scoring.run_intervals import IntervalKind
from ilp_bench.scoring.score_points import active_pairs

DECISIVE = ("1x", "3x")  # budgets that decide between a delay and a plateau
LEFT_OF_PLATEAU = 0.5  # share of the gap at 1x from which what is left at 3x is called a plateau


class TreatedDose(NamedTuple):
    """The treated items of one dose: how many active pairs, and their mean p; no interval where pairs are few."""

    dose: float
    pairs: int
    mean: float
    interval: Interval | None


class VanillaGap(NamedTuple):
    """A cause under vanilla, in one kind of score.

    pairs     active pairs over all datasets
    arms      mean p, in [0, 1]; None where no pair is active
    gap       control minus treated; None where too few pairs are active for an interval
    holds_for what intervals allow for: other runs, or other pairs only
    doses     the dose curve of treated items; empty where the cause has no dose
    """

    cause: str
    pairs: int
    arms: Arms | None
    gap: Interval | None
    holds_for: IntervalKind
    doses: list[TreatedDose]

    @property
    def value(self) -> float | None:
        """The gap without its interval."""
        return self.gap.value if self.gap else None


def vanilla_gaps(reference: Reference, kind: str, seeds: Collection[int] | None = None) -> list[VanillaGap]:
    """The gaps of all causes under the vanilla runs of a reference.

    kind    ``reproduction`` or ``internalisation``
    seeds   of the datasets to look at; by default all that the reference has
    """
    comparisons = [
        comparison._replace(submissions=comparison.vanillas[:1])
        for seed, comparison in zip(reference.seeds, reference.comparisons, strict=True)
        if seeds is None or seed in seeds
    ]
    selections = [active_pairs(comparison) for comparison in comparisons]
    means = arm_means(comparisons, active_pairs)[kind]
    causes = [cause for cause in CAUSES.names() if all(cause in selection for selection in selections)]
    of_cause = arm_rates(causes, zip([one.vanillas for one in comparisons], selections, strict=True))
    gaps = []
    for cause in causes:
        rates = of_cause[cause][kind]
        gaps.append(
            VanillaGap(
                cause=cause,
                pairs=sum(int(selection[cause].sum()) for selection in selections),
                arms=rates.p if rates else None,
                gap=means.gap(cause) if cause in means.causes else None,
                holds_for=means.uncertainty.kind,
                doses=_dose_curve(kind, cause, comparisons),
            )
        )
    return gaps


def gaps_at_both(first: Reference, longer: Reference, kind: str) -> tuple[list[VanillaGap], list[VanillaGap]]:
    """The gaps at two budgets, over the datasets that both references have; none where they share no dataset.

    Datasets differ in their gaps, so that a share of the gap is one over the same datasets.
    """
    shared = set(first.seeds) & set(longer.seeds)
    return (vanilla_gaps(first, kind, shared), vanilla_gaps(longer, kind, shared)) if shared else ([], [])


def _dose_curve(kind: str, cause: str, comparisons: list[Comparison]) -> list[TreatedDose]:
    curve = []
    for dose, has_dose in cause_doses(cause, comparisons):

        def chosen(comparison: Comparison, has_dose: Callable[[Comparison], Mask] = has_dose) -> Selection:
            return {cause: active_pairs(comparison)[cause] & has_dose(comparison)}

        tables = [mean_table(one.vanillas, cause, chosen(one)[cause]).p(kind) for one in comparisons]
        means = arm_means(comparisons, chosen)[kind]
        if any(len(table) for table in tables):
            curve.append(
                TreatedDose(
                    dose=dose,
                    pairs=sum(map(len, tables)),
                    mean=float(np.mean([table[:, 0].mean() for table in tables if len(table)])),
                    interval=means.interval(means.weights("vanilla", cause, "treated")) if means.causes else None,
                )
            )
    return curve


def delay_or_plateau(once: float | None, thrice: float | None) -> str:
    """What the gaps of a cause at 1x and 3x say of it, in a phrase; None where a gap was not measured."""
    if once is None:
        return "not measured at 1x"
    if once < MIN_GAP:
        return "no gap at 1x"
    if thrice is None:
        return "not known: no run at 3x"
    if thrice < MIN_GAP:
        return "delay"
    return "plateau" if thrice >= LEFT_OF_PLATEAU * once else "delay, not over at 3x"


def left_of_gap(gap: float | None, longer: float | None) -> float | None:
    """The share of a gap that is left after longer training; None where it was no gap that counts, or not measured.

    Both are to be over the same datasets: see :func:`gaps_at_both`.
    """
    return None if gap is None or longer is None or gap < MIN_GAP else longer / gap
