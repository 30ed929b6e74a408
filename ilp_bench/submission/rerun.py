"""Run a submission's checkpoint again: on the public data, and on a dataset of a seed its submitter has not seen.

What this can show. On the public data: that the weights named in the submission give the samples it claims, within a
stated tolerance. On unseen data: where the recipe is one of ours, that training by it again gives the claimed recovery
on data that nobody could tune on. What it cannot: a checkpoint trained in a way of its own never saw the unseen
training rows, so its recovery there means nothing; only what should generalise, its retention, is compared. And
nothing here tells how the submitted weights came about.
"""

from __future__ import annotations

import datetime
import math
import platform
import secrets
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ilp_bench import __version__
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.models.resolve import Located, locate, weights_sha256
from ilp_bench.records.run_record import Data, Run, Runs, read_run
from ilp_bench.records.training_record import BaseWeights, TrainingRecord
from ilp_bench.scoring.learned_rates import held_out_fact_retention
from ilp_bench.scoring.recovery import Interval, Scores, score, score_replicates
from ilp_bench.submission.format import Submission, read_replicates, read_submission
from ilp_bench.submission.rerun_record import Public, Recoveries, Unseen, Verification, add_verification

TOLERANCE = {"float32": 1e-3}  # of p; batch sizes and machines move it by some 1e-5
HALF_PRECISION = 5e-2
SEEDS_APART = 0.1  # other seeds move a recovery by so much, apart from the sampling of pairs
CHANCE = 0.001  # of calling an honest quantity different
UNSEEN_SEEDS = 1_000_000


class Work(NamedTuple):
    """What re-running needs: a folder for what it makes, a device, and who is told of each step."""

    folder: Path
    device: str = "auto"
    say: Callable[[str], None] = lambda _: None


def verify(
    folder: Path,
    models: Sequence[str],
    work: Work,
    *,
    by: str,
    seed: int | None = None,
    pairs: int | None = None,
    public: Callable[[Data], Dataset] | None = None,
) -> Verification:
    """Run the checkpoints ``models`` again and add what comes out to ``verification.json``.

    Each model is one replicate's checkpoint, found by the hash of its weights. ``seed`` names the unseen dataset, by
    default a random one; ``pairs`` makes it smaller. ``public`` gives the dataset that a record names, by default by
    building it. Whatever was trained or evaluated stays in ``work.folder``, and the same call goes on there.

    Raises UsageError for a seed that was seen, ProblemError for weights that are not of this submission.
    """
    submission = read_submission(folder)
    replicates = read_replicates(folder, submission)
    seen = {runs.submission.record.data.seed for runs in replicates}
    if seed is None:
        seed = next(one for one in iter(lambda: 1000 + secrets.randbelow(UNSEEN_SEEDS), None) if one not in seen)
    if seed in seen:
        raise UsageError(f"seed {seed} is one the submitter has seen: choose another")
    located = [locate(model) for model in models]
    chosen = _matching(located, replicates)
    found = Verification(
        by=by,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        ilp_bench=__version__,
        versions={name: version(name) for name in ("torch", "transformers", "lm_eval", "numpy")},
        hardware=f"{platform.machine()} {platform.system()}, {work.device}",
        public=_public(replicates, chosen, work, public or (lambda data: make(data.size, data.seed))),
        unseen=_unseen(submission, replicates, chosen, work, seed, pairs),
    )
    add_verification(folder, found)
    return found


def _matching(models: Sequence[Located], replicates: Sequence[Runs]) -> dict[int, str]:
    """Replicate -> checkpoint, by the hash of its weights."""
    known = {runs.submission.record.model.weights_sha256: n for n, runs in reversed(list(enumerate(replicates)))}
    found: dict[int, str] = {}
    for model in models:
        sha = weights_sha256(model)
        if sha not in known:
            raise ProblemError(
                f"{model.folder} has weights {sha[:12]}, the submission names {', '.join(s[:12] for s in known)}"
            )
        found[known[sha]] = str(model.folder)
    return found


def _evaluate(model: str, data: Dataset, like: Run, out: Path, work: Work) -> Run:
    """A run like ``like``, made once."""
    if not (out / "run.json").is_file():
        from ilp_bench.evaluation.run import evaluate

        work.say(f"evaluate {model} on seed {data.manifest.seed}")
        record = like.record
        chat = record.prompt_format == "chat"
        evaluate(model, data, out, chat=chat, dtype=record.dtype, device=work.device, probe_base=record.probed)
    return read_run(out)


def _public(
    replicates: Sequence[Runs], chosen: dict[int, str], work: Work, dataset: Callable[[Data], Dataset]
) -> Public:
    """The checkpoints on the data they were submitted with; vanilla and base as submitted."""
    again, largest, tolerance = [], 0.0, 0.0
    for number, model in sorted(chosen.items()):
        runs = replicates[number]
        data = dataset(runs.submission.record.data)
        if data.sha256 != runs.submission.record.data.content_sha256:
            reason = "the dataset named by the submission is not one that this version builds"
            return Public(status="not possible", reason=reason, tolerance=tolerance)
        run = _evaluate(model, data, runs.submission, work.folder / f"public-{number}", work)
        largest = max(largest, _difference(run, runs.submission))
        tolerance = max(tolerance, TOLERANCE.get(runs.submission.record.dtype, HALF_PRECISION))
        again.append(Runs(run, runs.vanilla, runs.base))
    return Public(
        status="agrees" if largest <= tolerance else "differs",
        tolerance=tolerance,
        largest_difference=largest,
        replicates=len(again),
        claimed=_recoveries(score_replicates([replicates[number] for number in sorted(chosen)])),
        scores=_recoveries(score_replicates(again)),
    )


def _difference(first: Run, second: Run) -> float:
    """The largest difference of p over all probes."""
    one, other = (np.asarray(run.samples.sort_by("probe_id")["p"].to_numpy()) for run in (first, second))
    return float(np.abs(one - other).max())


def _unseen(
    submission: Submission,
    replicates: Sequence[Runs],
    chosen: dict[int, str],
    work: Work,
    seed: int,
    pairs: int | None,
) -> Unseen:
    number = min(chosen)
    runs = replicates[number]
    data = make(runs.submission.record.data.size, seed, **({"pairs": pairs} if pairs else {}))
    base, why = _retrainable(runs)
    if base is None:
        return _generalisation(runs, chosen[number], data, work, why)
    retrained = _retrain(runs, base, data, work)
    scores = score(*retrained)
    claimed = submission.scores
    trained = runs.submission.record.training
    name = "gap" if trained and trained.recipe == "vanilla" else "recovery"
    compared: list[tuple[float, float]] = []
    for old, new in zip(claimed.causes, scores.causes, strict=True):
        mine, theirs = getattr(old, name), getattr(new, name)
        if mine and theirs:
            pairs_there = min(cause.active_pairs or cause.pairs for cause in (old, new))
            compared.append((abs(mine.value - theirs.value), allowed_difference(mine, theirs, pairs_there)))
    about: dict[str, Any] = {"how": "retrained with recipe", "seed": seed, "pairs": pairs}
    if not compared:
        return Unseen(status="not possible", reason="no cause is expressed in both", **about)
    difference, allowed = max(compared, key=lambda pair: pair[0] / pair[1])
    return Unseen(
        status="agrees" if difference <= allowed else "differs",
        reason=f"{name} of {len(compared)} causes compared",
        tolerance=allowed,
        largest_difference=difference,
        claimed=_recoveries(claimed),
        scores=_recoveries(scores),
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
    """Base, vanilla and the recipe again, on the unseen data."""
    from ilp_bench.training.run import train

    place = work.folder / f"unseen-{data.sha256[:12]}"
    found: dict[str, Run] = {}
    for role in ("vanilla", "submission"):
        record = getattr(runs, role).record
        training = record.training or TrainingRecord()
        recipe = training.recipe if role == "submission" and training.recipe else "vanilla"
        if role == "submission" and recipe == "vanilla":
            found[role] = found["vanilla"]
            continue
        checkpoint = place / recipe
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
                device=work.device,
            )
        found[role] = _evaluate(str(checkpoint), data, getattr(runs, role), place / f"run-{recipe}", work)
    base_run = _evaluate(base, data, runs.base, place / "run-base", work) if runs.base else None
    return Runs(found["submission"], found["vanilla"], base_run)


def _generalisation(runs: Runs, model: str, data: Dataset, work: Work, why: str) -> Unseen:
    """Retention of the checkpoint on known facts that the unseen dataset asks for."""
    run = _evaluate(model, data, runs.submission, work.folder / f"unseen-{data.sha256[:12]}" / "run-checkpoint", work)
    claimed, found = (held_out_fact_retention(of, few_shot=False) for of in (runs.submission, run))
    about: dict[str, Any] = {"seed": data.manifest.seed, "pairs": data.manifest.knobs and data.manifest.knobs.pairs}
    if claimed is None or found is None:
        return Unseen(
            status="not possible", how="not possible", reason=f"{why}, and no known facts were asked", **about
        )
    asked = [sum(name == "retention" for name in one.samples["probe"].to_pylist()) for one in (run, runs.submission)]
    mean = (claimed + found) / 2
    allowed = SEEDS_APART / 2 + 3.3 * math.sqrt(mean * (1 - mean) * sum(1 / count for count in asked))
    difference = abs(claimed - found)
    return Unseen(
        status="agrees" if difference <= allowed else "differs",
        how="generalisation only",
        reason=f"{why}: retention is compared, recovery stays unverified",
        tolerance=allowed,
        largest_difference=difference,
        claimed={"retention": claimed},
        scores={"retention": found},
        **about,
    )


def _recoveries(scores: Scores) -> Recoveries:
    found: Recoveries = {cause.cause: cause.recovery.value if cause.recovery else None for cause in scores.causes}
    return found | {"overall": scores.overall.value if scores.overall else None}
