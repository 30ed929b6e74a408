"""Reference runs: what the committed submissions of the recipes hold, and rates of several recipes on shared seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.records.run_record import Run, Runs
from ilp_bench.scoring.bootstrap import interval, resampled
from ilp_bench.scoring.learned_rates import PairRates, active_pairs, join, keep, mean, pair_rates
from ilp_bench.scoring.recovery import recovery
from ilp_bench.submission.decisions import read_decisions
from ilp_bench.submission.format import read_runs, read_submission
from ilp_bench.submission.version_2 import ArchivedSubmission

Family = Mapping[str, Sequence[Runs]]  # recipe -> its replicates, on one base model and dataset size


class NotTestableError(Exception):
    """A claim cannot be tested: what is lacking."""


class Pool:
    """Replicates of several recipes, reduced to those seeds that all of them have; rates of active pairs by cause."""

    def __init__(self, family: Family, recipes: Sequence[str]) -> None:
        if lacking := [recipe for recipe in recipes if recipe not in family]:
            raise NotTestableError(f"no submission of {', '.join(lacking)}")
        by_seed = [{_seeds(runs): runs for runs in family[recipe]} for recipe in recipes]
        shared = sorted(set.intersection(*(set(seeds) for seeds in by_seed)))
        if not shared:
            raise NotTestableError(f"{', '.join(recipes)} share no seeds")
        self.runs = {recipe: [runs[seed] for seed in shared] for recipe, runs in zip(recipes, by_seed, strict=True)}
        self.first = self.runs[recipes[0]]

    def rates(self, cause: str, run: Callable[[Runs], Run], replicates: Sequence[Runs]) -> PairRates:
        """Rates of the active pairs, means over the replicates of each dataset, datasets one after the other."""
        by_dataset: dict[str, list[PairRates]] = {}
        for runs in replicates:
            rates = pair_rates(run(runs))[cause]
            active = active_pairs(runs.base)[cause] if runs.base else frozenset(rates.pairs)
            kept = keep(rates, np.array([pair in active for pair in rates.pairs]))
            by_dataset.setdefault(runs.submission.record.data.content_sha256, []).append(kept)
        return join([mean(same) for same in by_dataset.values()])

    def columns(self, cause: str) -> tuple[PairRates, dict[str, PairRates]]:
        """Rates under vanilla, and under each recipe."""
        vanilla = self.rates(cause, lambda runs: runs.vanilla, self.first)
        by_recipe = {recipe: self.rates(cause, lambda runs: runs.submission, own) for recipe, own in self.runs.items()}
        return vanilla, by_recipe

    def draws(self, cause: str) -> tuple[Array, Array]:
        """Recoveries of the recipes on a cause: values, shape (recipes,), and bootstrap draws, shape (draws, recipes).

        Raises NotTestableError where the cause is not expressed.
        """
        vanilla, by_recipe = self.columns(cause)
        rates = np.column_stack([vanilla.both, *(recipe.both[:, 0] for recipe in by_recipe.values())])
        means, draws = rates.mean(axis=0), resampled(cause, rates)
        if interval(float(means[1] - means[0]), draws[:, 1] - draws[:, 0]).low <= 0:
            raise NotTestableError(f"{cause.replace('_', ' ')} is not expressed")
        return recovery(means[2:], means[0], means[1]), recovery(draws[:, 2:], draws[:, :1], draws[:, 1:2])


def _seeds(one: Runs) -> tuple[str, str]:
    record = one.submission.record
    return record.data.content_sha256, str(record.training.seed if record.training else None)


def families(submissions: Path, org: str = "ilp-bench") -> dict[tuple[str, str], dict[str, list[Runs]]]:
    """(base model, size) -> recipe -> replicates, of what ``org`` submitted on dataset 2.

    Withdrawn entries, and those that do not name their recipe, are left out. What others submit under the
    name of a recipe is an entry of the leaderboard, not a reference.
    """
    found: dict[tuple[str, str], dict[str, list[Runs]]] = {}
    decided = read_decisions(submissions)
    for file in sorted(submissions.glob("*/*/submission.json")):
        if decided.is_withdrawn(file.parent.name):
            continue
        submission = read_submission(file.parent)
        if submission.meta.org != org or not isinstance(submission, ArchivedSubmission):
            continue
        for runs in submission.replicates(read_runs(file.parent, submission)):
            training = runs.submission.record.training
            if training and training.recipe and training.base and training.base.name:
                family = found.setdefault((training.base.name, runs.submission.record.data.size), {})
                family.setdefault(training.recipe, []).append(runs)
    return {base: {recipe: family[recipe] for recipe in sorted(family, key=_rank)} for base, family in found.items()}


def _rank(recipe: str) -> tuple[bool, bool, str]:
    """Sort key of recipes: vanilla first, what is meant for one cause then, what is meant for all last."""
    return recipe != "vanilla", recipe in ("combined", "auto"), recipe
