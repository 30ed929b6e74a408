"""Run a submission's checkpoint again: on the public data, and on a dataset of a seed its submitter has not seen.

What this can show. On the public data: that the weights named in the submission give the samples it claims, within a
stated tolerance. On unseen data: where the recipe is one of ours, that training by it again gives the claimed recovery
on data that nobody could tune on. What it cannot: a checkpoint trained in a way of its own never saw the unseen
training rows, so its recovery there means nothing; only what should generalise, held-out fact retention, is compared.
And nothing here tells how the submitted weights came about.
"""

from __future__ import annotations

import datetime
import platform
import secrets
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ilp_bench import __version__
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.models.resolve import Located, locate, weights_sha256
from ilp_bench.records.run_record import Data, Run, Runs
from ilp_bench.scoring.recovery import score_replicates
from ilp_bench.submission.format import read_runs, read_submission
from ilp_bench.submission.rerun_record import Public, Verification, add_verification
from ilp_bench.submission.rerun_unseen import rerun_on_unseen
from ilp_bench.submission.rerun_work import Work, evaluate_like, recoveries
from ilp_bench.submission.version_2 import ArchivedSubmission

P_TOLERANCE = {"float32": 1e-3}  # of p; batch sizes and machines move it by some 1e-5
HALF_PRECISION = 5e-2
UNSEEN_SEEDS = 1_000_000


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
    if not isinstance(submission, ArchivedSubmission):
        raise UsageError(f"{folder} is of schema 3")
    replicates = submission.replicates(read_runs(folder, submission))
    seen = {runs.submission.record.data.seed for runs in replicates}
    if seed is None:
        seed = next(
            number for number in iter(lambda: 1000 + secrets.randbelow(UNSEEN_SEEDS), None) if number not in seen
        )
    if seed in seen:
        raise UsageError(f"seed {seed} is one the submitter has seen: choose another")
    located = [locate(model) for model in models]
    chosen = _matching(located, replicates)
    first = min(chosen)
    verification = Verification(
        by=by,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        ilp_bench=__version__,
        versions={name: version(name) for name in ("torch", "transformers", "lm_eval", "numpy")},
        hardware=f"{platform.machine()} {platform.system()}, {work.device}",
        public=_public(replicates, chosen, work, public or (lambda data: make(data.size, data.seed))),
        unseen=rerun_on_unseen(submission.scores, replicates[first], chosen[first], work, seed=seed, pairs=pairs),
    )
    add_verification(folder, verification)
    return verification


def _matching(models: Sequence[Located], replicates: Sequence[Runs]) -> dict[int, str]:
    """Replicate -> checkpoint, by the hash of its weights."""
    replicate_of = {runs.submission.record.model.weights_sha256: n for n, runs in reversed([*enumerate(replicates)])}
    checkpoints: dict[int, str] = {}
    for model in models:
        sha = weights_sha256(model)
        if sha not in replicate_of:
            raise ProblemError(
                f"{model.folder} has weights {sha[:12]}, the submission names {', '.join(s[:12] for s in replicate_of)}"
            )
        checkpoints[replicate_of[sha]] = str(model.folder)
    return checkpoints


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
        run = evaluate_like(model, data, runs.submission, work.folder / f"public-{number}", work)
        largest = max(largest, _difference(run, runs.submission))
        tolerance = max(tolerance, P_TOLERANCE.get(runs.submission.record.dtype, HALF_PRECISION))
        again.append(Runs(run, runs.vanilla, runs.base))
    return Public(
        status="agrees" if largest <= tolerance else "differs",
        tolerance=tolerance,
        largest_difference=largest,
        replicates=len(again),
        claimed=recoveries(score_replicates([replicates[number] for number in sorted(chosen)])),
        scores=recoveries(score_replicates(again)),
    )


def _difference(first: Run, second: Run) -> float:
    """The largest difference of p over all probes."""
    one, other = (np.asarray(run.samples.sort_by("probe_id")["p"].to_numpy()) for run in (first, second))
    return float(np.abs(one - other).max())
