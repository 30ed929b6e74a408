"""Run a submission's checkpoints again: on the public data, and on a dataset of a seed its submitter has not seen.

What this can show. On the public data: that the weights named in the submission give the samples it claims, within a
stated tolerance; vanilla and base runs of one's own as well. On unseen data: where the recipe is one of ours, that
training by it again gives the claimed points on data that nobody could tune on. What it cannot: a checkpoint trained in
a way of its own never saw the unseen training rows, so its points there mean nothing; only what should generalise,
held-out fact retention, is compared. And nothing here tells how the submitted weights came about.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ilp_bench import __version__
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.metrics import Array
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.models.resolve import Located, locate, weights_sha256
from ilp_bench.records.run_record import Data, Run, library_versions
from ilp_bench.scoring.comparisons import compare
from ilp_bench.scoring.compatibility import same_prompts
from ilp_bench.scoring.pair_sets import MIN_PAIRS
from ilp_bench.scoring.references import Reference
from ilp_bench.scoring.score_points import score_points
from ilp_bench.submission.check_copies import HALF_PRECISION, P_TOLERANCE
from ilp_bench.submission.format import Submission, SubmittedRuns, read_runs, read_submission
from ilp_bench.submission.reference_key import reference_of
from ilp_bench.submission.rerun_record import MeasuredAgain, Public, Verification, add_verification, require_name
from ilp_bench.submission.rerun_unseen import rerun_on_unseen
from ilp_bench.submission.rerun_work import (
    SEED_FILE,
    Work,
    at_revision,
    base_model,
    evaluate_like,
    machine,
    points_by_name,
    public_name,
    require_outside,
    unseen_seed,
)
from ilp_bench.submission.sample_store import RunKey, storage_keys
from ilp_bench.submission.signatures import sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MEAN_TOLERANCE = 0.1  # of the mean difference of p, in shares of what a single probe may differ by
Role = Literal["submission", "vanilla", "base"]


def verify(
    folder: Path,
    models: Sequence[str],
    work: Work,
    *,
    by: str,
    seed: int | None = None,
    pairs: int | None = None,
    public: Callable[[Data], Dataset] | None = None,
    key: Ed25519PrivateKey | None = None,
) -> Verification:
    """Run the checkpoints ``models`` again and add what comes out to ``verification.json``, signed by ``key``.

    Each model is the checkpoint of a run, found by the hash of its weights; at least one is of a submitted run. The
    base model is looked for by its name, and run again where it is there with the weights that are named.
    ``seed`` names the unseen dataset, by default a random one; ``pairs`` makes it smaller. ``public`` gives the dataset
    that a record names, by default by building it. Whatever was trained or evaluated stays in ``work.folder``, with a
    random seed, and the same call goes on there.

    Raises UsageError for a seed that was seen, a name that a record cannot hold or an entry of the archive,
    ProblemError for weights that are not of this submission.
    """
    require_name(by)
    submission = read_submission(folder)
    if not isinstance(submission, Submission):
        raise UsageError(f"{folder} is on dataset 2, which is closed: only entries of schema 3 are run again")
    require_outside(work.folder, folder)
    runs, reference = read_runs(folder, submission), reference_of(submission)
    seen = {run.record.data.seed for run in runs.values()} | set(reference.seeds if reference else ())
    if seed in seen:
        raise UsageError(f"seed {seed} is one the submitter has seen: choose another")
    if pairs is not None and pairs < MIN_PAIRS:
        raise UsageError(f"{pairs} pairs a cause are too few for points: at least {MIN_PAIRS}")
    chosen = _matching([*(locate(model) for model in models), *_base_model(submission)], runs)
    (comparison, *_), _, _ = compare(*_beside(chosen, runs), reference)
    first = next(key for key in chosen if runs[key].record == comparison.submissions[0].record)
    seed = unseen_seed(work.folder, seen) if seed is None else seed
    public_again = _public(runs, chosen, reference, work, public or (lambda data: make(data.size, data.seed)))
    verification = Verification(
        by=by,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        ilp_bench=__version__,
        versions=library_versions(),
        hardware=machine(work, runs[first].record),
        public=public_again,
        unseen=rerun_on_unseen(submission.scores, comparison, chosen[first], work, seed=seed, pairs=pairs),
    )
    if key is not None:
        verification = sign(verification, submission.run_id, key)
    add_verification(folder, verification)
    (work.folder / SEED_FILE).unlink(missing_ok=True)
    return verification


def _base_model(submission: Submission) -> list[Located]:
    """The base model, where one of that name and those weights is here and the entry has a base run of its own."""
    if not submission.bases:
        return []
    first = submission.bases[0].model
    try:
        located = locate(base_model(submission.first.training) or at_revision(first.name, first.revision))
    except (UsageError, ProblemError):
        return []
    return [located] if weights_sha256(located) == submission.base_weights else []


def _matching(models: Sequence[Located], runs: dict[RunKey, Run]) -> dict[RunKey, str]:
    """Run -> checkpoint, by the hash of its weights, submitted runs first; each distinct run once."""
    distinct = dict.fromkeys(storage_keys({key: run.record for key, run in runs.items()}).values())
    chosen: dict[RunKey, str] = {}
    for model in models:
        sha = weights_sha256(model)
        keys = [key for key in distinct if runs[key].record.model.weights_sha256 == sha]
        if not keys:
            named = dict.fromkeys(run.record.model.weights_sha256[:12] for run in runs.values())
            raise ProblemError(f"{model.folder} has weights {sha[:12]}, the submission names {', '.join(named)}")
        chosen |= dict.fromkeys(keys, str(model.folder))
    if not any(role == "submission" for role, _ in chosen):
        raise UsageError("none of the models is a submitted one: give the checkpoint of a submitted run too")
    return {key: chosen[key] for key in distinct if key in chosen}


def _beside(chosen: dict[RunKey, str], runs: dict[RunKey, Run]) -> SubmittedRuns:
    """The submitted runs that are run again, and the vanilla and base runs on their datasets."""
    submitted = [runs[key] for key in chosen if key[0] == "submission"]
    datasets = {run.record.data.content_sha256 for run in submitted}
    every = SubmittedRuns.of(runs)
    others = ([run for run in role if run.record.data.content_sha256 in datasets] for role in every[1:])
    return SubmittedRuns(submitted, *others)


def _public(
    runs: dict[RunKey, Run],
    chosen: dict[RunKey, str],
    reference: Reference | None,
    work: Work,
    dataset: Callable[[Data], Dataset],
) -> Public:
    """The checkpoints on the data they were submitted with; all other runs as submitted."""
    again, largest, mean, tolerance, reason = dict(runs), 0.0, 0.0, 0.0, ""
    keys = storage_keys({key: run.record for key, run in runs.items()})
    for (role, number), model in chosen.items():
        claimed = runs[role, number]
        data = dataset(claimed.record.data)
        if data.sha256 != claimed.record.data.content_sha256:
            reason = "the dataset named by the submission is not one that this version builds"
            return Public(status="not possible", reason=reason, tolerance=tolerance)
        run = evaluate_like(model, data, claimed, work.folder / public_name(claimed.record), work)
        if not same_prompts(run.record, claimed.record):
            reason = f"the prompts of {role} {number + 1} are others than in the entry: another chat template"
        differences = _differences(run, claimed)
        largest, mean = max(largest, float(differences.max())), max(mean, float(differences.mean()))
        tolerance = max(tolerance, P_TOLERANCE.get(claimed.record.dtype, HALF_PRECISION))
        scored = replace(run, record=claimed.record)  # whatever else differs is said above
        again |= dict.fromkeys((key for key, stored in keys.items() if stored == (role, number)), scored)
    claims, scores = (points_by_name(score_points(*_beside(chosen, each), reference)) for each in (runs, again))
    points = max((_apart(value, scores.get(name)) for name, value in claims.items()), default=0.0)
    agrees = largest <= tolerance and mean <= MEAN_TOLERANCE * tolerance and points <= tolerance
    return Public(
        status="agrees" if agrees and not reason else "differs",
        reason=reason,
        tolerance=tolerance,
        largest_difference=largest,
        mean_difference=mean,
        points_difference=points,
        replicates=len(chosen),
        runs=_coverage(chosen, keys),
        claimed=claims,
        scores=scores,
    )


def _coverage(chosen: dict[RunKey, str], keys: dict[RunKey, RunKey]) -> dict[Role, MeasuredAgain]:
    """Role -> how many of its runs were measured again; a run that stands in two roles counts in both."""
    roles: tuple[Role, ...] = ("submission", "vanilla", "base")
    of = {role: [stored for key, stored in keys.items() if key[0] == role] for role in roles}
    return {
        role: MeasuredAgain(again=sum(key in chosen for key in stored), of=len(stored))
        for role, stored in of.items()
        if stored
    }


def _apart(first: float | None, second: float | None) -> float:
    """The difference of two values; 1 where only one of them is defined."""
    if first is None or second is None:
        return float(first is not second)
    return abs(first - second)


def _differences(first: Run, second: Run) -> Array:
    """The difference of p of each probe."""
    p, other = (np.asarray(run.samples.sort_by("probe_id")["p"].to_numpy()) for run in (first, second))
    differences: Array = np.abs(p - other)
    return differences
