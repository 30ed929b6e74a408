"""What claims rest on, measured on committed entries and references: one value a dataset.

All shares are of the reference's gap at 1x where that counts, in reproduction, over the pairs on which a cause can act.
Vanilla of a longer budget is scored like a recipe: G = (T - T_1x) - max(0, C - C_1x). As in scores, what the guard does
is decided once, by the mean of C - C_1x over datasets, and so is which cause or recipe is the least or the best: a
maximum of each dataset's own noise would shift the mean, and more datasets would not mend that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES
from ilp_bench.records.run_record import Run
from ilp_bench.records.training_record import DIVISIONS
from ilp_bench.replication.claims import Claim, ClaimedEffect
from ilp_bench.replication.evidence import FIRST, Evidence, MissingRunsError, dataset_of
from ilp_bench.scoring.arm_means import mean_table
from ilp_bench.scoring.points import points_by_dataset
from ilp_bench.scoring.rank_reasons import MIN_GAP
from ilp_bench.scoring.score_points import active_pairs, mean_held_out

KIND = "reproduction"
TREATED = 0  # column of an arm-mean table; the other is of the control
ByDataset = dict[str, float]  # content hash of a dataset -> a value


def measure(evidence: Evidence, claims: Sequence[Claim]) -> dict[ClaimedEffect, list[float] | str]:
    """Effect -> one value a dataset, or which runs are missing."""
    shares = _Shares(evidence)
    values: dict[ClaimedEffect, list[float] | str] = {}
    for effect in (effect for claim in claims for effect in claim.effects):
        try:
            values[effect] = list(QUANTITIES[effect.quantity](shares, effect).values())
        except MissingRunsError as missing:
            values[effect] = str(missing)
    return values


class _Shares:
    """Arm means and shares of the gap closed, by dataset."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    @cached_property
    def gaps(self) -> dict[str, float]:
        return self.evidence.first.gaps(KIND)

    def runs(self, recipe: str) -> Mapping[str, Sequence[Run]]:
        if recipe not in self.evidence.entries:
            raise MissingRunsError(f"no entry of {recipe}")
        return self.evidence.entries[recipe].runs

    def closed(self, runs: Mapping[str, Sequence[Run]], cause: str) -> ByDataset:
        """The share of the gap of a cause that runs close, on the datasets that have vanilla of 1x.

        Raises MissingRunsError where the cause leaves no gap that counts: a share of hardly anything says nothing.
        """
        if cause not in self.counted:
            raise MissingRunsError(f"no gap of {100 * MIN_GAP:.0f} points in {CAUSES.get(cause).spoken_name}")
        changes: dict[str, Array] = {}
        for comparison in self.evidence.comparisons:
            dataset = dataset_of(comparison)
            if dataset in runs:
                mask = active_pairs(comparison)[cause]
                means = [
                    mean_table(each, cause, mask).p(KIND).mean(axis=0) for each in (runs[dataset], comparison.vanillas)
                ]
                changes[dataset] = means[0] - means[1]
        if not changes:
            return {}
        treated, control = np.array([*changes.values()]).T
        gained = points_by_dataset(treated, control) / self.gaps[cause]
        return dict(zip(changes, gained.tolist(), strict=True))

    def longer(self, tokens: float | None = None) -> Mapping[str, Sequence[Run]]:
        """Vanilla of the shortest longer budget with at least so many tokens; of the longest where none has."""
        longer = sorted((d for d in self.evidence.references if d != FIRST), key=lambda name: DIVISIONS[name])
        if not longer:
            raise MissingRunsError("no reference of a longer budget")
        by_division = {
            name: {dataset_of(each): each.vanillas for each in self.evidence.references[name].comparisons}
            for name in longer
        }
        enough = [name for name in longer if tokens is not None and _mean_tokens(by_division[name]) >= tokens]
        return by_division[enough[0] if enough else longer[-1]]

    @property
    def counted(self) -> list[str]:
        """The causes whose gap counts in H."""
        return [cause for cause, gap in self.gaps.items() if gap >= MIN_GAP]


def _mean_tokens(runs: Mapping[str, Sequence[Run]]) -> float:
    """Tokens of all kinds that a run trained on, the mean over runs."""
    trainings = [run.record.training for same in runs.values() for run in same]
    tokens = [training.total_tokens for training in trainings if training and training.total_tokens is not None]
    if not tokens:
        raise ProblemError("a training record does not say how many tokens were trained on: train again")
    return float(np.mean(tokens))


def _difference(left: ByDataset, right: ByDataset) -> ByDataset:
    """Left minus right, on the datasets of both."""
    return {dataset: left[dataset] - right[dataset] for dataset in left if dataset in right}


def _arguments(effect: ClaimedEffect) -> tuple[str, str]:
    """Recipe and cause of an effect; empty where it has none."""
    return effect.recipe or "", effect.cause or ""


def share_closed(shares: _Shares, effect: ClaimedEffect) -> ByDataset:
    """The share of the gap of a cause that a recipe closes."""
    recipe, cause = _arguments(effect)
    return shares.closed(shares.runs(recipe), cause)


def specificity(shares: _Shares, effect: ClaimedEffect) -> ByDataset:
    """That share, minus the mean share of the other causes that count."""
    recipe, cause = _arguments(effect)
    others = [shares.closed(shares.runs(recipe), other) for other in shares.counted if other != cause]
    if not others:
        raise MissingRunsError("no other cause that leaves a gap")
    mean = {dataset: float(np.mean([other[dataset] for other in others])) for dataset in others[0]}
    return _difference(share_closed(shares, effect), mean)


def over_recipe(shares: _Shares, effect: ClaimedEffect) -> ByDataset:
    """The share that a recipe closes, minus that of another recipe."""
    return _difference(share_closed(shares, effect), shares.closed(shares.runs(effect.other or ""), effect.cause or ""))


def over_longer_training(shares: _Shares, effect: ClaimedEffect) -> ByDataset:
    """The share that a recipe closes, minus that of vanilla of as many tokens, or else of the longest budget."""
    recipe, cause = _arguments(effect)
    longer = shares.longer(_mean_tokens(shares.runs(recipe)))
    return _difference(share_closed(shares, effect), shares.closed(longer, cause))


def longer_training_closes(shares: _Shares, effect: ClaimedEffect) -> ByDataset:
    """The share that vanilla of the longest budget closes, minus a given share."""
    closed = shares.closed(shares.longer(), effect.cause or "")
    return {dataset: value - (effect.share or 0.0) for dataset, value in closed.items()}


def longer_training_falls_short(shares: _Shares, effect: ClaimedEffect) -> ByDataset:
    """A given share, minus that which vanilla of the longest budget closes."""
    return {dataset: -value for dataset, value in longer_training_closes(shares, effect).items()}


def latest_minus_earliest(shares: _Shares, effect: ClaimedEffect) -> ByDataset:
    """Mean p under vanilla of treated items trained last before the final stage, minus of those trained first."""
    values = {}
    for comparison in shares.evidence.comparisons:
        cause = effect.cause or ""
        table = mean_table(comparison.vanillas, cause, active_pairs(comparison)[cause])
        p, dose = table.p(KIND)[:, TREATED], table.dose  # stages since it was trained
        values[dataset_of(comparison)] = float(p[dose == np.nanmin(dose)].mean() - p[dose == np.nanmax(dose)].mean())
    return values


def retention_lost(shares: _Shares, effect: ClaimedEffect) -> ByDataset:
    """Mean p of held-out facts under vanilla, minus that under a recipe."""
    runs = shares.runs(effect.recipe or "")
    vanilla = {dataset_of(each): _held_out(each.vanillas) for each in shares.evidence.comparisons}
    return _difference(vanilla, {dataset: _held_out(same) for dataset, same in runs.items()})


def _held_out(runs: Sequence[Run]) -> float:
    value = mean_held_out(runs)
    if value is None:
        raise MissingRunsError("held-out facts were not asked")
    return value


def no_recipe_resolves_all(shares: _Shares, effect: ClaimedEffect) -> ByDataset:
    """A given share, minus the least share over the causes that count, of the recipe that has most of it."""
    if not shares.counted:
        raise MissingRunsError("no cause that leaves a gap")
    least: list[ByDataset] = []
    for recipe in effect.recipes:
        closed = [shares.closed(shares.runs(recipe), cause) for cause in shares.counted]
        least.append(min(closed, key=_mean))
    best = max(least, key=_mean)
    return {dataset: (effect.share or 0.0) - value for dataset, value in best.items()}


def _mean(values: ByDataset) -> float:
    return sum(values.values()) / max(1, len(values))


def average_hides(shares: _Shares, effect: ClaimedEffect) -> ByDataset:
    """Half of the mean p of both arms over the causes under vanilla, minus the mean p of the worst treated arm."""
    del effect
    tables: dict[str, Array] = {}
    for comparison in shares.evidence.comparisons:
        means: list[Array] = []
        for cause in shares.gaps:
            mask = active_pairs(comparison)[cause]
            means.append(mean_table(comparison.vanillas, cause, mask).p(KIND).mean(axis=0))
        tables[dataset_of(comparison)] = np.array(means)
    worst = int(np.mean([*tables.values()], axis=0)[:, TREATED].argmin())
    return {dataset: float(table.mean() / 2 - table[worst, TREATED]) for dataset, table in tables.items()}


QUANTITIES: dict[str, Callable[[_Shares, ClaimedEffect], ByDataset]] = {
    function.__name__: function
    for function in (
        share_closed,
        specificity,
        over_recipe,
        over_longer_training,
        longer_training_closes,
        longer_training_falls_short,
        latest_minus_earliest,
        retention_lost,
        no_recipe_resolves_all,
        average_hides,
    )
}
