"""A re-run on a dataset of an unseen seed: train again by the recipe, or ask only for what should generalise."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ilp_bench import __version__
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.models.resolve import locate, weights_sha256
from ilp_bench.records.run_record import Run
from ilp_bench.records.training_record import DIVISIONS, TrainingRecord
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.learned_rates import held_out_fact_retention
from ilp_bench.scoring.pair_probabilities import KINDS
from ilp_bench.scoring.pair_sets import Comparison
from ilp_bench.scoring.points_schema import PointScores
from ilp_bench.scoring.score_points import score_points
from ilp_bench.submission.rerun_record import Unseen
from ilp_bench.submission.rerun_work import Work, base_model, evaluate_like, points_by_name

SEEDS_APART = 0.1  # other seeds move points by so much (as a probability), apart from the sampling of pairs
CHANCE = 0.001  # of calling an honest quantity different


def rerun_on_unseen(
    claimed: PointScores, comparison: Comparison, checkpoint: str, work: Work, *, seed: int, pairs: int | None
) -> Unseen:
    """Compare the checkpoint of the first submitted run, or a retrained one, with what was claimed, on another dataset.

    comparison   the submitted run with the vanilla and base runs on its dataset
    seed         of the unseen dataset; ``pairs`` makes it smaller
    """
    submitted = comparison.submissions[0]
    data = make(submitted.record.data.size, seed, **({} if pairs is None else {"pairs": pairs}))
    base, why = _retrainable(submitted)
    if base is None:
        return _generalisation(submitted, checkpoint, data, work, why)
    scores = _retrain(comparison, base, data, work)
    trained = submitted.record.training
    name = "gap" if trained and trained.recipe == "vanilla" else "points"
    compared = [
        (abs(before.value - after.value), allowed_difference(before, after, fewest))
        for before, after, fewest in _both(claimed, scores, name)
    ]
    about: dict[str, Any] = {"how": "retrained with recipe", "seed": seed, "pairs": pairs}
    if not compared:
        return Unseen(status="not possible", reason="no cause has enough active pairs in both", **about)
    difference, allowed = max(compared, key=lambda pair: pair[0] / pair[1])
    return Unseen(
        status="agrees" if difference <= allowed else "differs",
        reason=f"{name} of {len(compared)} causes and kinds compared",
        tolerance=allowed,
        largest_difference=difference,
        claimed=points_by_name(claimed),
        scores=points_by_name(scores),
        **about,
    )


def _both(claimed: PointScores, scores: PointScores, name: str) -> Iterator[tuple[Interval, Interval, int]]:
    """A quantity of every cause and kind in both scores, and the smaller number of pairs behind it."""
    for kind in KINDS:
        again = {cause.cause: cause for cause in getattr(scores, kind).causes}
        for old in getattr(claimed, kind).causes:
            new = again.get(old.cause)
            before, after = getattr(old, name), getattr(new, name, None)
            if new and before and after:
                yield before, after, min(cause.active_pairs or cause.pairs for cause in (old, new))


def allowed_difference(first: Interval, second: Interval, pairs: int) -> float:
    """How far apart two honest values may be: other seeds, and Student's t times the error of their difference.

    That error is read from the widths of both 95 % intervals as if they were normal: larger than the standard error
    where an interval allows for few runs. ``pairs`` is the smaller number of pairs behind the two: of few pairs, next
    to nothing can be said.
    """
    from scipy.stats import t

    error = math.hypot(first.high - first.low, second.high - second.low) / (2 * 1.96)
    return SEEDS_APART + float(t.ppf(1 - CHANCE / 2, max(pairs - 1, 1))) * error


def _retrainable(submitted: Run) -> tuple[str | None, str]:
    """The base model to train again from, or None and why not."""
    from ilp_bench.recipes import RECIPES

    training = submitted.record.training
    if training is None or training.recipe is None or training.recipe not in RECIPES:
        return None, "it was not trained by a recipe of ours"
    if training.general or training.encoder:
        return None, "it was trained with a replay corpus or a sentence encoder that is not part of this package"
    if training.budget is None or training.budget.division not in DIVISIONS:
        return None, "its training record names no budget"
    name = base_model(training) or "of no name"
    try:
        located = locate(name)
    except (UsageError, ProblemError) as error:
        return None, f"its base model cannot be had: {error}"
    if weights_sha256(located) != training.base_sha256:
        return None, f"the base model {name} that is here has other weights than the submission's"
    return name, ""


def _retrain(comparison: Comparison, base: str, data: Dataset, work: Work) -> PointScores:
    """The score of base, vanilla and the recipe again, on the unseen data; vanilla at 1x finds the budget of all."""
    folder = work.folder / f"unseen-{data.sha256[:12]}"
    vanilla, submitted = comparison.vanillas[0], comparison.submissions[0]
    calibrated = _trained(vanilla.record.training, "vanilla", base, data, folder, work)
    reruns = []
    for like, recipe in ((submitted, submitted.record.training and submitted.record.training.recipe), (vanilla, None)):
        checkpoint = _trained(like.record.training, recipe or "vanilla", base, data, folder, work, calibrated)
        reruns.append(evaluate_like(str(checkpoint), data, submitted, folder / f"run-{checkpoint.name}", work))
    base_run = None
    if comparison.base:
        of_base = folder / f"run-base-{comparison.base.record.model.weights_sha256[:12]}"
        base_run = evaluate_like(base, data, comparison.base, of_base, work)
    return score_points(reruns[:1], reruns[1:], [base_run] if base_run else [])


def _trained(
    record: TrainingRecord | None,
    recipe: str,
    base: str,
    data: Dataset,
    folder: Path,
    work: Work,
    reference: Path | None = None,
) -> Path:
    """A checkpoint trained as ``record`` says, in its division where there is a ``reference``; made where missing.

    Its folder is named after the recipe and a hash of all that the training depends on.
    """
    from ilp_bench.training.run import train

    training = record or TrainingRecord()
    budget = DIVISIONS.get(training.budget.division, 1) if reference and training.budget else 1
    setting: dict[str, Any] = {
        "seed": training.seed or 0,
        "rate": training.learning_rate,
        "batch_size": 16 if training.batch_size is None else training.batch_size,
        "lora": training.lora or 0,
        "budget": budget,
        "chat": training.prompt_format == "chat",
        "dtype": training.dtype or "auto",
    }
    if recipe == "vanilla" and budget == 1:  # which finds its own budget
        reference = None
    about = setting | {"base": weights_sha256(locate(base)), "reference": reference and reference.name}
    name = hashlib.sha256(json.dumps(about | {"version": __version__}, sort_keys=True).encode()).hexdigest()[:12]
    checkpoint = folder / f"{recipe}-{name}"
    if not (checkpoint / "training.json").is_file():
        work.say(f"train {recipe} on seed {data.manifest.seed}")
        train(base, recipe, data, checkpoint, reference=reference, device=work.device, **setting)
    return checkpoint


def _generalisation(submitted: Run, model: str, data: Dataset, work: Work, why: str) -> Unseen:
    """Held-out fact retention of the checkpoint, on the facts that the unseen dataset asks for."""
    folder = work.folder / f"unseen-{data.sha256[:12]}"
    run = evaluate_like(model, data, submitted, folder / "run-checkpoint", work)
    claimed, measured = (held_out_fact_retention(of, few_shot=False) for of in (submitted, run))
    about: dict[str, Any] = {"seed": data.manifest.seed, "pairs": data.manifest.knobs and data.manifest.knobs.pairs}
    if claimed is None or measured is None:
        return Unseen(
            status="not possible", how="not possible", reason=f"{why}, and no known facts were asked", **about
        )
    asked = [sum(name == "retention" for name in one.samples["probe"].to_pylist()) for one in (run, submitted)]
    mean = (claimed + measured) / 2
    allowed = SEEDS_APART / 2 + 3.3 * math.sqrt(mean * (1 - mean) * sum(1 / count for count in asked))
    difference = abs(claimed - measured)
    return Unseen(
        status="agrees" if difference <= allowed else "differs",
        how="generalisation only",
        reason=f"{why}: held-out fact retention is compared, points stay unverified",
        tolerance=allowed,
        largest_difference=difference,
        claimed={"retention": claimed},
        scores={"retention": measured},
        **about,
    )
