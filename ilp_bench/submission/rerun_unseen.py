"""A re-run on a dataset of an unseen seed: train again by the recipe, or ask only for what should generalise."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.models.resolve import locate, weights_sha256
from ilp_bench.records.run_record import Run, Runs
from ilp_bench.records.training_record import BaseWeights, TrainingRecord
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.learned_rates import held_out_fact_retention
from ilp_bench.scoring.recovery import Scores, score
from ilp_bench.submission.rerun_record import Unseen
from ilp_bench.submission.rerun_work import Work, evaluate_like, recoveries

SEEDS_APART = 0.1  # other seeds move a recovery by so much, apart from the sampling of pairs
CHANCE = 0.001  # of calling an honest quantity different


def rerun_on_unseen(
    claimed: Scores, runs: Runs, checkpoint: str, work: Work, *, seed: int, pairs: int | None
) -> Unseen:
    """Compare one replicate's checkpoint, or a retrained one, with what was claimed, on the dataset of ``seed``.

    ``pairs`` makes that dataset smaller.
    """
    data = make(runs.submission.record.data.size, seed, **({"pairs": pairs} if pairs else {}))
    base, why = _retrainable(runs)
    if base is None:
        return _generalisation(runs, checkpoint, data, work, why)
    retrained = _retrain(runs, base, data, work)
    scores = score(*retrained)
    trained = runs.submission.record.training
    name = "gap" if trained and trained.recipe == "vanilla" else "recovery"
    compared: list[tuple[float, float]] = []
    for old, new in zip(claimed.causes, scores.causes, strict=True):
        before, after = getattr(old, name), getattr(new, name)
        if before and after:
            fewest = min(cause.active_pairs or cause.pairs for cause in (old, new))
            compared.append((abs(before.value - after.value), allowed_difference(before, after, fewest)))
    about: dict[str, Any] = {"how": "retrained with recipe", "seed": seed, "pairs": pairs}
    if not compared:
        return Unseen(status="not possible", reason="no cause is expressed in both", **about)
    difference, allowed = max(compared, key=lambda pair: pair[0] / pair[1])
    return Unseen(
        status="agrees" if difference <= allowed else "differs",
        reason=f"{name} of {len(compared)} causes compared",
        tolerance=allowed,
        largest_difference=difference,
        claimed=recoveries(claimed),
        scores=recoveries(scores),
        **about,
    )


def allowed_difference(first: Interval, second: Interval, pairs: int) -> float:
    """How far apart two honest values may be: other seeds, and Student's t times the error of their difference.

    ``pairs`` is the smaller number of pairs behind the two: of few pairs, next to nothing can be said.
    """
    from scipy.stats import t

    error = math.hypot(first.high - first.low, second.high - second.low) / (2 * 1.96)
    return SEEDS_APART + float(t.ppf(1 - CHANCE / 2, max(pairs - 1, 1))) * error


def _retrainable(runs: Runs) -> tuple[str | None, str]:
    """The base model to train again from, or None and why not."""
    from ilp_bench.recipes import RECIPES

    training = runs.submission.record.training
    if training is None or training.recipe is None or training.recipe not in RECIPES:
        return None, "it was not trained by a recipe of ours"
    base = training.base or BaseWeights()
    name = f"{base.name}@{base.revision}" if base.revision else str(base.name)
    try:
        located = locate(name)
    except (UsageError, ProblemError) as error:
        return None, f"its base model cannot be had: {error}"
    if weights_sha256(located) != base.weights_sha256:
        return None, f"the base model {name} that is here has other weights than the submission's"
    return name, ""


def _retrain(runs: Runs, base: str, data: Dataset, work: Work) -> Runs:
    """Base, vanilla and the recipe again, on the unseen data; vanilla at 1x finds the budget of all others."""
    folder = work.folder / f"unseen-{data.sha256[:12]}"
    reference = _trained(runs.vanilla.record.training, "vanilla", base, data, folder, work)
    rerun: dict[str, Run] = {}
    for role in ("vanilla", "submission"):
        training = getattr(runs, role).record.training or TrainingRecord()
        recipe = training.recipe if role == "submission" and training.recipe else "vanilla"
        checkpoint = _trained(training, recipe, base, data, folder, work, reference)
        run = folder / f"run-{checkpoint.name}"
        again = rerun.get("vanilla") if checkpoint == reference else None
        rerun[role] = again or evaluate_like(str(checkpoint), data, getattr(runs, role), run, work)
    base_run = evaluate_like(base, data, runs.base, folder / "run-base", work) if runs.base else None
    return Runs(rerun["submission"], rerun["vanilla"], base_run)


def _trained(
    record: TrainingRecord | None,
    recipe: str,
    base: str,
    data: Dataset,
    folder: Path,
    work: Work,
    reference: Path | None = None,
) -> Path:
    """A checkpoint trained as ``record`` says, in its division where there is a ``reference``; made where missing."""
    from ilp_bench.training.run import train

    training = record or TrainingRecord()
    budget = 3 if reference and training.budget and training.budget.division == "3x" else 1
    checkpoint = folder / (recipe if budget == 1 else f"{recipe}-{budget}x")
    if not (checkpoint / "training.json").is_file():
        work.say(f"train {recipe} on seed {data.manifest.seed}")
        train(
            base,
            recipe,
            data,
            checkpoint,
            seed=training.seed or 0,
            rate=training.learning_rate,
            batch_size=16 if training.batch_size is None else training.batch_size,
            lora=training.lora or 0,
            budget=budget,
            reference=reference,
            dtype=training.dtype or "auto",
            device=work.device,
        )
    return checkpoint


def _generalisation(runs: Runs, model: str, data: Dataset, work: Work, why: str) -> Unseen:
    """Held-out fact retention of the checkpoint, on the facts that the unseen dataset asks for."""
    folder = work.folder / f"unseen-{data.sha256[:12]}"
    run = evaluate_like(model, data, runs.submission, folder / "run-checkpoint", work)
    claimed, measured = (held_out_fact_retention(of, few_shot=False) for of in (runs.submission, run))
    about: dict[str, Any] = {"seed": data.manifest.seed, "pairs": data.manifest.knobs and data.manifest.knobs.pairs}
    if claimed is None or measured is None:
        return Unseen(
            status="not possible", how="not possible", reason=f"{why}, and no known facts were asked", **about
        )
    asked = [sum(name == "retention" for name in one.samples["probe"].to_pylist()) for one in (run, runs.submission)]
    mean = (claimed + measured) / 2
    allowed = SEEDS_APART / 2 + 3.3 * math.sqrt(mean * (1 - mean) * sum(1 / count for count in asked))
    difference = abs(claimed - measured)
    return Unseen(
        status="agrees" if difference <= allowed else "differs",
        how="generalisation only",
        reason=f"{why}: held-out fact retention is compared, recovery stays unverified",
        tolerance=allowed,
        largest_difference=difference,
        claimed={"retention": claimed},
        scores={"retention": measured},
        **about,
    )
