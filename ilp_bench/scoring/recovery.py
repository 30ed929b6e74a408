"""Recovery: the share of the gap that a cause leaves under vanilla fine-tuning, and that a submission closes.

recovery_c = (L(treated, s) - L(treated, v)) / (L(control, v) - L(treated, v))

L is the mean over items of the mean ``learned`` of the item's probes. Intervals are 95 % percentile intervals of
a paired bootstrap over matched pairs. A pair's rates are averaged over the replicates that share its dataset before
they are resampled, so that training seeds are not counted as independent pairs; pairs of other datasets are further
pairs. Undefined is ``None``, never a default. Pure: no torch, no model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES
from ilp_bench.records.run_record import Run, Runs
from ilp_bench.scoring import learned_rates as arms
from ilp_bench.scoring.bootstrap import Interval, interval, resampled, resampled_again
from ilp_bench.scoring.compatibility import base_sha256, check_comparable, check_replicates
from ilp_bench.scoring.learned_rates import active_pairs
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
    for one in replicates:
        check_comparable(one.submission, one.vanilla, one.base)
    check_replicates(replicates)
    parts = [_Part(one) for one in replicates]
    pools = {}
    for role in ("submission", "vanilla", "base"):
        if getattr(replicates[0], role) is not None:
            pools[role] = _pooled([(part.data, part.rates[role]) for part in parts])
    active = _pooled_active(parts)
    scores, draws = [], []
    for cause in CAUSES.names():
        if cause in pools["vanilla"]:  # else a controlled set of some causes
            mine = {role: pool[cause] for role, pool in pools.items()}
            found, drawn = _score_cause(cause, mine, active[cause] if active else None)
            scores.append(found)
            draws.append(drawn)
    complete = len(scores) == len(CAUSES)
    return Scores(
        causes=scores,
        overall=_overall(scores, draws) if complete else None,
        aggregate={name: _aggregate(scores, name) for name in ("vanilla", "submission")},
        worst=_worst(scores),
        retention={role: _retention(parts, role) for role in ("base", "vanilla", "submission")},
        activity_known=active is not None,
        replicates=[_replicate(part, scores) for part in parts],
    )


class _Part:
    """A replicate as learned rates: role -> cause -> rates; and which of its pairs are active, if known."""

    def __init__(self, runs: Runs) -> None:
        self.runs, self.record = runs, runs.submission.record
        self.data = self.record.data.content_sha256
        roles = {"submission": runs.submission, "vanilla": runs.vanilla} | ({"base": runs.base} if runs.base else {})
        self.rates = {role: arms.rates(run) for role, run in roles.items()}
        active = active_pairs(runs.base) if runs.base else None
        self.active: dict[str, arms.Mask] | None = None
        if active:
            asked = self.rates["vanilla"].items()
            self.active = {cause: np.array([pair in active[cause] for pair in one.pairs]) for cause, one in asked}


def _pooled(parts: Sequence[tuple[str, dict[str, arms.Rates]]]) -> dict[str, arms.Rates]:
    """Mean over the replicates of each dataset, datasets one after the other in the order of their first replicate."""
    datasets = list(dict.fromkeys(data for data, _ in parts))
    return {
        cause: arms.join([arms.mean([one[cause] for data, one in parts if data == name]) for name in datasets])
        for cause in parts[0][1]
    }


def _pooled_active(parts: Sequence[_Part]) -> dict[str, arms.Mask] | None:
    first = {part.data: part.active for part in reversed(parts)}
    masks = [first[data] for data in dict.fromkeys(part.data for part in parts)]
    known = [mask for mask in masks if mask is not None]
    return {cause: np.concatenate([mask[cause] for mask in known]) for cause in known[0]} if known else None


def recovery(treated: Array, vanilla: Array, control: Array) -> Array:
    """Elementwise (treated - vanilla) / (control - vanilla); NaN where the gap is not positive."""
    gap = control - vanilla
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gap > 0, (treated - vanilla) / gap, np.nan)


def _score_cause(
    cause: str,
    everything: dict[str, arms.Rates],
    active: arms.Mask | None,
) -> tuple[CauseScore, Array]:
    usable = active is None or bool(active.any())
    mask = active if active is not None and usable else np.ones(len(everything["vanilla"].pairs), dtype=bool)
    found = {role: arms.keep(one, mask) for role, one in everything.items()}
    vanilla, submission = found["vanilla"], found["submission"]
    v, s = vanilla.both, submission.both
    low, high = resampled_again(cause, v).T
    gap = interval(float((v[:, 1] - v[:, 0]).mean()), high - low)
    expressed = usable and gap.low > 0
    drawn = recovery(resampled(cause, s[:, :1])[:, 0], low, high)
    value = _point(v, s)
    result = CauseScore(
        cause=cause,
        pairs=len(everything["vanilla"].pairs),
        active_pairs=None if active is None else int(active.sum()),
        expressed=expressed,
        gap=gap,
        base=_rates(found["base"]) if "base" in found else None,
        vanilla=_rates(vanilla),
        submission=_rates(submission),
        recovery=interval(value, drawn) if expressed and value is not None else None,
        recovery_recall=_point(vanilla.recall, submission.recall) if expressed else None,
        recovery_paraphrase=_point(vanilla.paraphrase, submission.paraphrase) if expressed else None,
        recovery_all_pairs=_point(everything["vanilla"].both, everything["submission"].both) if expressed else None,
        regressions=int(((v >= 0.5) & (s < 0.5)).sum()),
        doses=_doses(vanilla, submission),
    )
    return result, drawn


def _point(v: Array, s: Array) -> float | None:
    found = float(recovery(s[:, 0].mean(), v[:, 0].mean(), v[:, 1].mean()))
    return None if math.isnan(found) else found + 0.0


def _rates(found: arms.Rates) -> Rates:
    both, recall = found.both.mean(axis=0), found.recall.mean(axis=0)
    return Rates(
        treated=float(both[0]), control=float(both[1]), treated_recall=float(recall[0]), control_recall=float(recall[1])
    )


def _doses(vanilla: arms.Rates, submission: arms.Rates) -> list[Dose]:
    found = []
    for level in np.unique(vanilla.dose[~np.isnan(vanilla.dose)]):
        here = vanilla.dose == level
        v, s = vanilla.both[here].mean(axis=0), submission.both[here].mean(axis=0)
        found.append(
            Dose(
                dose=float(level),
                pairs=int(here.sum()),
                vanilla=float(v[0]),
                submission=float(s[0]),
                control=float(v[1]),
            )
        )
    return found


def _overall(scores: list[CauseScore], draws: list[Array]) -> Interval | None:
    """Mean of the five recoveries, each clipped to [-1, 1]; None unless all five are defined."""
    if any(cause.recovery is None for cause in scores):
        return None
    value = float(np.mean([np.clip(cause.recovery.value, -1, 1) for cause in scores if cause.recovery]))
    return interval(value, np.clip(np.stack(draws), -1, 1).mean(axis=0))


def _replicate(part: _Part, scores: list[CauseScore]) -> ReplicateScore:
    """Recoveries of one replicate alone, for the causes that all replicates together express."""
    found: dict[str, float | None] = {}
    for cause in scores:
        v, s = (part.rates[role][cause.cause].both for role in ("vanilla", "submission"))
        mask = part.active[cause.cause] if part.active else np.ones(len(v), dtype=bool)
        found[cause.cause] = _point(v[mask], s[mask]) if cause.expressed and mask.any() else None
    known = [value for value in found.values() if value is not None]
    overall = float(np.mean(np.clip(known, -1, 1))) + 0.0 if len(known) == len(CAUSES) else None
    seed = (part.record.training or {}).get("seed")
    return ReplicateScore(
        data_seed=part.record.data.seed,
        training_seed=seed if type(seed) is int else None,
        overall=overall,
        recovery=found,
    )


def _aggregate(scores: list[CauseScore], name: str) -> float:
    """What an average shows: the learned rate over all items of both arms."""
    return float(np.mean([[getattr(cause, name).treated, getattr(cause, name).control] for cause in scores]))


def _worst(scores: list[CauseScore]) -> dict[str, float | str]:
    """What the average hides: the lowest treated learned rate of the submission."""
    worst = min(scores, key=lambda cause: cause.submission.treated)
    return {"cause": worst.cause, "treated": worst.submission.treated}


def _retention(parts: Sequence[_Part], role: str) -> float | None:
    """Learned rate of known facts outside the training set, mean over replicates; a base model is shown examples."""
    found = [arms.retention(run, shots=role == "base") for part in parts if (run := getattr(part.runs, role))]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None
