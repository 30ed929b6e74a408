"""Whether each run of a score is what it is given as: a fine-tuned model, a converged vanilla, an untuned base."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pyarrow.compute as pc

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.hashed_table import HashedTable
from ilp_bench.records.run_record import Run, Runs
from ilp_bench.records.training_record import TrainingData
from ilp_bench.scoring.compatibility import base_sha256
from ilp_bench.scoring.learned_rates import CACHED_RUNS, Mask, pair_rates

# Vanilla is trained until 95 % of its control recall probes are learned; a mean learned rate below this is not that.
CONVERGED = 0.85
# On dataset 3 its calibration items end at a mean p of 0.8, and control items at 0.90 to 0.94 (nano, nano-qwen3).
FEWEST_CONTROL_P = 0.5


def check_roles(replicates: Iterable[Runs]) -> None:
    """Raise ProblemError where a run cannot be what it was given as; runs that were swapped are named."""
    for runs in replicates:
        check_models(runs)
        rate = control_recall(runs.vanilla)
        if rate < CONVERGED:
            raise ProblemError(
                f"vanilla learned {rate:.2f} of its control recall probes, less than {CONVERGED}: it was stopped too "
                "early, so every recovery would be too large; train it to convergence with the recipe vanilla"
            )


def check_models(runs: Runs) -> None:
    """Raise ProblemError where a run is not of a model that it can be of, or was trained on other data."""
    _check_weights(runs)
    for role, run in (("submitted", runs.submission), ("vanilla", runs.vanilla)):
        _check_trained_on(run, role)


def check_trained_out(vanilla: Run) -> None:
    """Raise ProblemError where vanilla on dataset 3 did not spend its budget, or learned hardly any control item."""
    training = vanilla.record.training
    spent = [phase.supervised for phase in training.phases or []] if training else []
    counted = [tokens for tokens in spent if tokens is not None]
    if training and training.budget and counted == spent != [] and sum(counted) < training.budget.total:
        raise ProblemError(
            f"vanilla spent {sum(counted):,} of its budget of {training.budget.total:,} supervised tokens: it was "
            "stopped too early; train it to its end"
        )
    p = vanilla.samples["p"].to_numpy()[_control_recall_rows(vanilla.probes)]
    if len(p) and p.mean() < FEWEST_CONTROL_P:
        raise ProblemError(
            f"vanilla reproduces its control items with a mean p of {p.mean():.2f}, less than {FEWEST_CONTROL_P}: it "
            "was stopped too early, or evaluated otherwise than trained; train it with the recipe vanilla"
        )


@lru_cache(maxsize=CACHED_RUNS)
def _control_recall_rows(probes: HashedTable) -> Mask:
    """Which probes are recall probes of control items: shape (probes,)."""
    is_asked = pc.and_(pc.equal(probes.rows["arm"], "control"), pc.equal(probes.rows["probe"], "recall"))
    return np.asarray(pc.fill_null(is_asked, False).to_numpy())


def control_recall(vanilla: Run) -> float:
    """Mean learned rate in [0, 1] of the control items' recall probes, each cause counting the same."""
    return float(np.mean([rates.recall[:, 1].mean() for rates in pair_rates(vanilla).values()]))


def _check_weights(runs: Runs) -> None:
    recipes = [run.record.training.recipe if run.record.training else None for run in (runs.submission, runs.vanilla)]
    if recipes[0] == "vanilla" and recipes[1] not in (None, "vanilla"):
        raise ProblemError(
            f"the submitted run is vanilla and the run given as vanilla was trained with recipe {recipes[1]!r}: they "
            "were swapped; give them the other way round"
        )
    if runs.base and runs.base.record.training is not None:
        untuned = [
            role
            for role, run in (("submitted run", runs.submission), ("vanilla run", runs.vanilla))
            if run.record.training is None
        ]
        swapped = f"; base run and {untuned[0]} were swapped" if untuned else ""
        raise ProblemError(
            f"the run given as base is of a fine-tuned model ({runs.base.record.model.name}): give the run of the "
            f"model that was fine-tuned from{swapped}"
        )
    bases = {base_sha256(run.record) for run in (runs.submission, runs.vanilla)}
    bases |= {runs.base.record.model.weights_sha256} if runs.base else set()
    for role, run in (("submitted", runs.submission), ("vanilla", runs.vanilla)):
        if run.record.model.weights_sha256 in bases:
            raise ProblemError(
                f"the {role} run is of the base model itself ({run.record.model.name}): give the run of the model that "
                "was fine-tuned from it"
            )


def trained_on_other_data(run: Run) -> TrainingData | None:
    """The dataset that a model was trained on, where its record names another than it was measured on."""
    data = run.record.training.data if run.record.training else None
    is_other = data and data.content_sha256 and data.content_sha256 != run.record.data.content_sha256
    return data if is_other else None


def _check_trained_on(run: Run, role: str) -> None:
    if data := trained_on_other_data(run):
        raise ProblemError(
            f"the {role} run was trained on another dataset than it was evaluated on (size {data.size}, seed "
            f"{data.seed}; evaluated on {run.record.data.size}, seed {run.record.data.seed}): evaluate it on its own"
        )
