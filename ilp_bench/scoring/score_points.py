"""Scorer 3: the points of a submission, for datasets of version 3.

Pure: from run records to a score; no torch, no model. Undefined is ``None``, never a default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ilp_bench.data.causes import CAUSES
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.activity import activity
from ilp_bench.scoring.arm_means import arm_means, dataset_means
from ilp_bench.scoring.comparisons import compare
from ilp_bench.scoring.pair_groups import PairGroups, pair_groups
from ilp_bench.scoring.pair_probabilities import KINDS, held_out_mean, pair_tables
from ilp_bench.scoring.pair_sets import MIN_PAIRS, Comparison, Selection, arm_rates
from ilp_bench.scoring.points import ArmMeans, share_closed
from ilp_bench.scoring.points_schema import (
    ArmRates,
    CausePoints,
    KindScore,
    PointScores,
    ReferenceUse,
    ReplicatePoints,
)
from ilp_bench.scoring.rank_reasons import MAX_HARM, MIN_GAP, MIN_VANILLA_RUNS, rank_reasons
from ilp_bench.scoring.references import Reference
from ilp_bench.scoring.run_intervals import no_uncertainty
from ilp_bench.scoring.training_budget import division_of


def score_points(
    submissions: Sequence[Run],
    vanillas: Sequence[Run] = (),
    bases: Sequence[Run] = (),
    reference: Reference | None = None,
) -> PointScores:
    """Score replicates of one submission against vanilla of the same base model, data and budget.

    submissions   one or more runs; at least three, on datasets of different seeds, for an interval at run level
    vanillas      vanilla runs on the same datasets; several on one dataset are averaged. Without any, the reference's
    bases         runs of the base model; without any, the reference's
    reference     reference runs, whose gaps decide which causes count

    Raises ProblemError where runs do not belong together or were swapped, or vanilla is lacking.
    """
    comparisons, further, used = compare(submissions, vanillas, bases, reference)
    means = arm_means(comparisons, active_pairs, further)
    parts = _parts(comparisons, further)
    scores = {kind: _kind_score(kind, means[kind], parts, reference) for kind in KINDS}
    first = comparisons[0].submissions[0].record
    result = PointScores(
        division=division_of(first),
        datasets=len(comparisons),
        interval_kind=means["reproduction"].uncertainty.kind,
        reproduction=scores["reproduction"],
        internalisation=scores["internalisation"],
        reference=None
        if reference is None
        else ReferenceUse(name=reference.name, vanilla_runs=reference.vanilla_count, runs=used),
        provisional=_provisional(comparisons, reference),
        activity_known=comparisons[0].base is not None,
        ranked=False,
        not_ranked_because=[],
        retention=_retention(comparisons),
        replicates=[
            _replicate(comparison, run, scores, reference)
            for comparison in comparisons
            for run in comparison.submissions
        ],
    )
    reasons = [reason.text for reason in rank_reasons(result)]
    return result.model_copy(update={"ranked": not reasons, "not_ranked_because": reasons})


def active_pairs(comparison: Comparison) -> Selection:
    """The pairs that are scored: those on which their cause can act; all of them without a base run."""
    if comparison.base is None:
        return {cause: np.ones(len(table.pairs), bool) for cause, table in pair_tables(comparison.vanillas[0]).items()}
    return {cause: pairs.active for cause, pairs in activity(comparison.base).items()}


class _CauseParts(NamedTuple):
    """What is said of a cause without an interval, and of some of its pairs; by kind of score where that matters.

    pairs, active_pairs   over all datasets; active_pairs is None without a base run
    rates                 role -> kind -> all measures of the active pairs
    groups                kind -> dose curve and contrast pairs
    """

    pairs: int
    active_pairs: int | None
    rates: dict[str, dict[str, ArmRates | None]]
    groups: dict[str, PairGroups]


def _parts(comparisons: Sequence[Comparison], further: Sequence[Comparison]) -> dict[str, _CauseParts]:
    """The parts of each cause of which every dataset has pairs."""
    selections = [active_pairs(comparison) for comparison in comparisons]
    causes = [cause for cause in CAUSES.names() if all(cause in selection for selection in selections)]
    roles: dict[str, Sequence[Sequence[Run]]] = {
        "submission": [one.submissions for one in comparisons],
        "vanilla": [one.vanillas for one in comparisons],
        "base": [(one.base,) if one.base else () for one in comparisons],
    }
    rates = {role: arm_rates(causes, zip(runs, selections, strict=True)) for role, runs in roles.items()}
    groups = pair_groups(causes, comparisons, further, active_pairs)
    is_known = comparisons[0].base is not None
    return {
        cause: _CauseParts(
            pairs=sum(len(selection[cause]) for selection in selections),
            active_pairs=sum(int(selection[cause].sum()) for selection in selections) if is_known else None,
            rates={role: of_role[cause] for role, of_role in rates.items()},
            groups=groups[cause],
        )
        for cause in causes
    }


def _kind_score(kind: str, means: ArmMeans, parts: dict[str, _CauseParts], reference: Reference | None) -> KindScore:
    gaps = reference.gaps(kind) if reference else None
    causes = [_cause_points(kind, cause, means, of_cause, gaps) for cause, of_cause in parts.items()]
    counted = [cause.cause for cause in causes if cause.counted]
    share = share_closed(means, counted, gaps)
    return KindScore.model_validate({"kind": kind, "share": share, "counted": counted, "causes": causes})


def _cause_points(
    kind: str, cause: str, means: ArmMeans, parts: _CauseParts, gaps: dict[str, float] | None
) -> CausePoints:
    score = CausePoints(
        cause=cause,
        pairs=parts.pairs,
        active_pairs=parts.active_pairs,
        reference_gap=gaps.get(cause) if gaps else None,
        submission=parts.rates["submission"][kind],
        vanilla=parts.rates["vanilla"][kind],
        base=parts.rates["base"][kind],
        doses=parts.groups[kind].doses,
        contrast=parts.groups[kind].contrast,
    )
    if cause not in means.causes:
        few = "no pair" if parts.active_pairs == 0 else f"fewer than {MIN_PAIRS} pairs a dataset"
        return score.model_copy(update={"reason": f"its cause can act on {few}"})
    control = means.change(cause, "control")
    gap = means.gap(cause)
    reason = _not_counted(gaps.get(cause) if gaps is not None else gap.value)
    return score.model_copy(
        update={
            "gap": gap,
            "treated_change": means.change(cause, "treated"),
            "control_change": control,
            "points": means.points(cause),
            "counted": reason is None,
            "reason": reason,
            "hurt": control.value < -MAX_HARM and control.high < 0,
        }
    )


def _not_counted(gap: float | None) -> str | None:
    """Why a cause with that gap under vanilla does not count in H; None where it does."""
    if gap is None:
        return "the reference has too few pairs of it"
    return None if gap >= MIN_GAP else f"vanilla's gap is {100 * gap:.0f} points, less than {100 * MIN_GAP:.0f}"


def _provisional(comparisons: Sequence[Comparison], reference: Reference | None) -> bool:
    """Whether fewer vanilla runs than three say which causes count: the reference's, or else those at hand."""
    runs = reference.vanilla_count if reference else sum(len(one.vanillas) for one in comparisons)
    return runs < MIN_VANILLA_RUNS


def _replicate(
    comparison: Comparison, run: Run, scores: dict[str, KindScore], reference: Reference | None
) -> ReplicatePoints:
    """G of each cause and H of one run alone, over the causes that count for all runs together."""
    causes, of_kinds = dataset_means([comparison._replace(submissions=(run,))], [active_pairs(comparison)])
    each: dict[str, dict[str, float | None]] = {}
    shares: dict[str, float | None] = {}
    for kind, values in zip(KINDS, np.moveaxis(of_kinds[0], -1, 0), strict=True):
        score, means = scores[kind], ArmMeans(causes, values, no_uncertainty(values.size))
        each[kind] = {
            cause.cause: means.points(cause.cause).value if cause.cause in causes else None for cause in score.causes
        }
        gaps = reference.gaps(kind) if reference else {one.cause: one.gap.value for one in score.causes if one.gap}
        share = share_closed(means, [cause for cause in score.counted if cause in causes], gaps)
        shares[kind] = share.value if share else None
    training = run.record.training
    return ReplicatePoints(
        data_seed=run.record.data.seed, training_seed=training.seed if training else None, points=each, share=shares
    )


def _retention(comparisons: Sequence[Comparison]) -> dict[str, float | None]:
    """Mean p of held-out facts by role, the mean over runs; a base model is asked with few-shot exemplars."""
    roles = {
        "base": [one.base for one in comparisons if one.base],
        "vanilla": [run for one in comparisons for run in one.vanillas],
        "submission": [run for one in comparisons for run in one.submissions],
    }
    return {role: mean_held_out(runs, "shots_p" if role == "base" else "p") for role, runs in roles.items()}


def mean_held_out(runs: Sequence[Run], column: str = "p") -> float | None:
    """Mean of a column over the probes of held-out facts, the mean over runs; None where none was asked."""
    asked = [value for run in runs if (value := held_out_mean(run, column)) is not None]
    return float(np.mean(asked)) if asked else None
