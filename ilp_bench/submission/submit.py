"""Build a submission from runs: score them, write the folder, check it, and only then put it where it belongs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import file_sha256
from ilp_bench.core.folder_kind import folder_kind
from ilp_bench.records.run_record import Run, first_problem
from ilp_bench.scoring import version_2
from ilp_bench.scoring.points_schema import DATA_VERSION
from ilp_bench.scoring.references import Reference
from ilp_bench.scoring.score_points import score_points
from ilp_bench.submission.fields import lookalikes, run_id
from ilp_bench.submission.format import Meta, ReferenceKey, Submission, SubmittedRuns
from ilp_bench.submission.sample_store import write_samples
from ilp_bench.submission.validate import validate


def submit(
    runs: Sequence[Run],
    vanillas: Sequence[Run],
    bases: Sequence[Run],
    reference: Reference | None,
    meta: Meta,
    out: Path,
) -> Path:
    """Write the submission folder below ``out`` and return it; the same runs and metadata give the same folder.

    vanillas, bases   empty where the reference gives them
    reference         a committed one, or None

    Raises UsageError where ``out`` is a folder of another kind, ProblemError where the runs do not belong together, a
    name can be taken for one that is there, or for what 'ilp-bench validate' finds; then nothing is written.
    """
    if any(run.record.data.version == version_2.VERSION for run in (*runs, *vanillas, *bases)):
        raise ProblemError(
            f"a run is on version {version_2.VERSION} of the data, and dataset 2 is closed: train and evaluate on a "
            f"dataset of version {DATA_VERSION}"
        )
    if kind := folder_kind(out):
        raise UsageError(f"{out} is {kind}: give a folder of submissions, or a new one")
    if untuned := [run for run in runs if run.untuned]:
        raise ProblemError(
            f"the submitted run of {untuned[0].record.model.name} has no training record: evaluate the model that was "
            "fine-tuned, with training.json beside its weights"
        )
    own = f"{meta.org}__{meta.model}"
    for taken in lookalikes([*sorted(path.name for path in out.glob("[!.]*__*")), own]):
        if taken.startswith(f"{own}:"):
            raise ProblemError(f"{taken}: choose another name")
    submitted = SubmittedRuns(*(sorted(role, key=_order) for role in (runs, vanillas, bases)))
    scores = score_points(*submitted, reference)
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{meta.org}__{meta.model}.", dir=out) as name:
            samples = Path(name) / "samples.parquet"
            write_samples(submitted.by_key, samples)
            submission = _submission(
                run_id="0" * 16,
                meta=meta,
                runs=[run.record for run in submitted.runs],
                vanillas=[run.record for run in submitted.vanillas],
                bases=[run.record for run in submitted.bases],
                reference=ReferenceKey(name=reference.name, sha256=reference.sha256) if reference else None,
                samples_sha256=file_sha256(samples),
                scores=scores,
            )
            submission.run_id = run_id(submission.model_dump(mode="json"))
            draft, entry = Path(name) / submission.folder, out / submission.folder
            draft.mkdir(parents=True)
            samples.rename(draft / samples.name)
            (draft / "submission.json").write_text(submission.model_dump_json(indent=1) + "\n", encoding="utf-8")
            if problems := validate(draft):
                raise ProblemError("; ".join(problem.removeprefix(f"{draft}/") for problem in problems))
            entry.parent.mkdir(exist_ok=True)
            if not entry.exists():  # else it is the same content: nothing to add
                draft.rename(entry)
    finally:
        if is_new and not any(out.iterdir()):
            out.rmdir()
    return entry


def _submission(**fields: Any) -> Submission:
    """The submission of these fields. Raises ProblemError where a record says what no submission may."""
    try:
        return Submission(**fields)
    except ValidationError as error:
        raise ProblemError(first_problem(error)) from error


def _order(run: Run) -> tuple[int, str, str]:
    """Data seed, training seed, weights: the order of the arguments does not count."""
    seed = run.record.training.seed if run.record.training else None
    return run.record.data.seed, f"{'' if seed is None else seed!s:>12}", run.record.model.weights_sha256
