"""Recovery: the share of the gap that a cause leaves under vanilla fine-tuning, and that a submission closes.

recovery_c = (L(treated, s) - L(treated, v)) / (L(control, v) - L(treated, v))

L is the learned rate of an arm (:mod:`ilp_bench.scoring.learned_rates`), s the submission, v vanilla. Intervals are
95 % percentile intervals of a paired bootstrap over matched pairs. A pair's rates are averaged over the replicates that
share its dataset before they are resampled, so that training seeds are not counted as independent pairs; pairs of other
datasets are further pairs. Undefined is ``None``, never a default. Pure: no torch, no model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES, PAPER_CAUSES
from ilp_bench.records.run_record import Run, RunRecord, Runs
from ilp_bench.scoring import learned_rates
from ilp_bench.scoring.bootstrap import FloatArray, Interval, interval, resampled, resampled_again
from ilp_bench.scoring.compatibility import base_sha256, check_comparable, check_replicates
from ilp_bench.scoring.learned_rates import Mask, PairRates, active_pairs, held_out_fact_retention, pair_rates
from ilp_bench.scoring.schema import SCORER_VERSION, CauseScore, Dose, Rates, ReplicateScore, Scores

__all__ = [
    "SCORER_VERSION",
    "CauseScore",
    "Interval",
    "Scores",
    "active_pairs",
    "base_sha256",
    "recovery",
    "score",
    "score_replicates",
]


def score(submission: Run, vanilla: Run, base: Run | None = None) -> Scores:
    """Score one run against vanilla on the same data. Raises ProblemError when the runs do not belong together."""
    return score_replicates([Runs(submission, vanilla, base)])


def score_replicates(replicates: Sequence[Runs]) -> Scores:
    """Score replicates (training seeds, datasets of other seeds) together.

    Raises ProblemError when the runs of a replicate, or the replicates, do not belong together.
    """
    for runs in replicates:
        check_comparable(runs.submission, runs.vanilla, runs.base)
    check_replicates(replicates)
    each = [ReplicateRates.of(runs) for runs in replicates]
    pooled = {role: _pooled([(one.dataset, one.rates[role]) for one in each]) for role in each[0].rates}
    active = _pooled_active(each)
    scores, draws = [], []
    for cause in CAUSES.names():
        if cause in pooled["vanilla"]:  # else a controlled set of some causes
            by_role = {role: rates[cause] for role, rates in pooled.items()}
            cause_score, recovery_draws = _score_cause(cause, by_role, active[cause] if active else None)
            scores.append(cause_score)
            draws.append(recovery_draws)
    complete = {score.cause for score in scores} >= set(PAPER_CAUSES)
    return Scores(
        causes=scores,
        overall=_overall(scores, draws) if complete else None,
        aggregate={name: _aggregate(scores, name) for name in ("vanilla", "submission")},
        worst=_worst(scores),
        retention={role: _mean_retention(replicates, role) for role in ("base", "vanilla", "submission")},
        activity_known=active is not None,
        replicates=[_score_replicate(one, scores) for one in each],
    )


class ReplicateRates(NamedTuple):
    """The learned rates of one replicate.

    record   of the submitted run
    rates    role (submission, vanilla, base where there is a base run) -> cause -> rates
    active   cause -> which of its pairs the cause can act on; None without a base run
    """

    record: RunRecord
    rates: dict[str, dict[str, PairRates]]
    active: dict[str, Mask] | None

    @classmethod
    def of(cls, runs: Runs) -> ReplicateRates:
        """The rates of the runs of one replicate."""
        rates = {role: pair_rates(run) for role, run in runs._asdict().items() if run is not None}
        active = None
        if runs.base:
            can_act = active_pairs(runs.base)
            active = {
                cause: np.array([pair in can_act[cause] for pair in of_cause.pairs])
                for cause, of_cause in rates["vanilla"].items()
            }
        return cls(runs.submission.record, rates, active)

    @property
    def dataset(self) -> str:
        """Content hash of the dataset that was asked."""
        return self.record.data.content_sha256


def _pooled(replicates: Sequence[tuple[str, dict[str, PairRates]]]) -> dict[str, PairRates]:
    """Mean over the replicates of each dataset, datasets one after the other in the order of their first replicate.

    ``replicates``: dataset, and cause -> rates.
    """
    by_dataset: dict[str, list[dict[str, PairRates]]] = {}
    for dataset, rates in replicates:
        by_dataset.setdefault(dataset, []).append(rates)
    return {
        cause: learned_rates.join(
            [learned_rates.mean([rates[cause] for rates in same]) for same in by_dataset.values()]
        )
        for cause in replicates[0][1]
    }


def _pooled_active(replicates: Sequence[ReplicateRates]) -> dict[str, Mask] | None:
    """Cause -> which of the pooled pairs are active; None without base runs."""
    first: dict[str, dict[str, Mask] | None] = {}
    for one in replicates:
        first.setdefault(one.dataset, one.active)
    masks = [mask for mask in first.values() if mask is not None]
    return {cause: np.concatenate([mask[cause] for mask in masks]) for cause in masks[0]} if masks else None


def recovery(treated: FloatArray, vanilla: FloatArray, control: FloatArray) -> FloatArray:
    """Elementwise (treated - vanilla) / (control - vanilla), NaN where the gap is not positive: the only definition.

    treated   learned rates of the treated arm under the submission
    vanilla, control   of the treated and the control arm under vanilla
    """
    gap = control - vanilla
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(gap > 0, (treated - vanilla) / gap, np.nan))


def _score_cause(cause: str, by_role: dict[str, PairRates], active: Mask | None) -> tuple[CauseScore, Array]:
    """The score of a cause and the bootstrap draws of its recovery; over all pairs where none is active."""
    usable = active is None or bool(active.any())
    every_pair = by_role["vanilla"], by_role["submission"]
    mask = active if active is not None and usable else np.ones(len(every_pair[0].pairs), dtype=bool)
    kept = {role: learned_rates.keep(rates, mask) for role, rates in by_role.items()}
    vanilla, submission = kept["vanilla"], kept["submission"]
    treated_mean, control_mean = resampled_again(cause, vanilla.both).T
    gap = interval(float((vanilla.both[:, 1] - vanilla.both[:, 0]).mean()), control_mean - treated_mean)
    expressed = usable and gap.low > 0
    draws = recovery(resampled(cause, submission.both[:, :1])[:, 0], treated_mean, control_mean)
    value = _recovery_of_means(vanilla.both, submission.both)
    result = CauseScore(
        cause=cause,
        pairs=len(every_pair[0].pairs),
        active_pairs=None if active is None else int(active.sum()),
        expressed=expressed,
        gap=gap,
        base=_arm_rates(kept["base"]) if "base" in kept else None,
        vanilla=_arm_rates(vanilla),
        submission=_arm_rates(submission),
        recovery=interval(value, draws) if expressed and value is not None else None,
        recovery_recall=_recovery_of_means(vanilla.recall, submission.recall) if expressed else None,
        recovery_paraphrase=_recovery_of_means(vanilla.paraphrase, submission.paraphrase) if expressed else None,
        recovery_all_pairs=_recovery_of_means(*(rates.both for rates in every_pair)) if expressed else None,
        regressions=int(((vanilla.both >= 0.5) & (submission.both < 0.5)).sum()),
        doses=_dose_curve(vanilla, submission),
    )
    return result, draws


def _recovery_of_means(vanilla: Array, submission: Array) -> float | None:
    """Recovery of the mean rates, of arrays with shape (pairs, 2); None where vanilla has no gap."""
    value = float(recovery(submission[:, 0].mean(), vanilla[:, 0].mean(), vanilla[:, 1].mean()))
    return None if math.isnan(value) else value + 0.0


def _arm_rates(rates: PairRates) -> Rates:
    both, recall = rates.both.mean(axis=0), rates.recall.mean(axis=0)
    return Rates(
        treated=float(both[0]), control=float(both[1]), treated_recall=float(recall[0]), control_recall=float(recall[1])
    )


def _dose_curve(vanilla: PairRates, submission: PairRates) -> list[Dose]:
    curve = []
    for level in np.unique(vanilla.dose[~np.isnan(vanilla.dose)]):
        at_level = vanilla.dose == level
        treated, control = vanilla.both[at_level].mean(axis=0)
        curve.append(
            Dose(
                dose=float(level),
                pairs=int(at_level.sum()),
                vanilla=float(treated),
                submission=float(submission.both[at_level].mean(axis=0)[0]),
                control=float(control),
            )
        )
    return curve


def _overall(scores: list[CauseScore], draws: list[Array]) -> Interval | None:
    """Mean of the five recoveries, each clipped to [-1, 1]; None unless all five are defined."""
    if any(cause.recovery is None for cause in scores):
        return None
    value = float(np.mean([np.clip(cause.recovery.value, -1, 1) for cause in scores if cause.recovery]))
    return interval(value, np.clip(np.stack(draws), -1, 1).mean(axis=0))


def _score_replicate(replicate: ReplicateRates, scores: list[CauseScore]) -> ReplicateScore:
    """Recoveries of one replicate alone, for the causes that all replicates together express."""
    values: dict[str, float | None] = {}
    for cause in scores:
        vanilla, submission = (replicate.rates[role][cause.cause].both for role in ("vanilla", "submission"))
        mask = replicate.active[cause.cause] if replicate.active else np.ones(len(vanilla), dtype=bool)
        defined = cause.expressed and mask.any()
        values[cause.cause] = _recovery_of_means(vanilla[mask], submission[mask]) if defined else None
    recoveries = [value for value in values.values() if value is not None]
    complete = set(values) >= set(PAPER_CAUSES)
    overall = float(np.mean(np.clip(recoveries, -1, 1))) + 0.0 if complete and len(recoveries) == len(scores) else None
    return ReplicateScore(
        data_seed=replicate.record.data.seed,
        training_seed=replicate.record.training.seed if replicate.record.training else None,
        overall=overall,
        recovery=values,
    )


def _aggregate(scores: list[CauseScore], name: str) -> float:
    """What an average shows: the learned rate over all items of both arms."""
    return float(np.mean([[getattr(cause, name).treated, getattr(cause, name).control] for cause in scores]))


def _worst(scores: list[CauseScore]) -> dict[str, float | str]:
    """What the average hides: the lowest treated learned rate of the submission."""
    worst = min(scores, key=lambda cause: cause.submission.treated)
    return {"cause": worst.cause, "treated": worst.submission.treated}


def _mean_retention(replicates: Sequence[Runs], role: str) -> float | None:
    """Held-out fact retention, the mean over replicates; a base model is asked with few-shot exemplars."""
    runs = [run for replicate in replicates if (run := getattr(replicate, role)) is not None]
    values = [held_out_fact_retention(run, few_shot=role == "base") for run in runs]
    asked = [value for value in values if value is not None]
    return float(np.mean(asked)) if asked else None
