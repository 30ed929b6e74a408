"""The submission format: who, which runs, which scores, in a folder whose name is its content."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import file_sha256, read_strict_json
from ilp_bench.core.untrusted import value_problems
from ilp_bench.records.run_record import Run, RunRecord, Runs, first_problem
from ilp_bench.scoring.recovery import Scores, score_replicates
from ilp_bench.submission.sample_store import read_samples, restore_runs, rows_by_run, write_samples

TOKEN_FACTOR = 3  # closed division: at most this many times the tokens of vanilla
CLOSED_REPLICATES, MAX_REPLICATES = 3, 20
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$")]
Text = Annotated[str, StringConstraints(max_length=2000)]
Link = Annotated[
    str, StringConstraints(pattern=r"^(https://[A-Za-z0-9.-]+(/[A-Za-z0-9._~/%@#?=&+-]*)?)?$", max_length=300)
]


class Meta(BaseModel):
    """What the submitter says: the metadata file of a submission.

    closed: only ``train`` and ``knowledge``, at most three times vanilla's tokens, at least three replicates.
    open: anything; ``data`` says what else it was trained on. ``weights`` and ``paper`` are https links.
    """

    model_config = ConfigDict(extra="forbid")

    org: Name
    model: Name
    division: Literal["closed", "open"]
    description: Text = ""
    contact: Text = ""
    data: Text = ""
    weights: Link = ""
    paper: Link = ""


class Replicate(BaseModel):
    """The run records of one training seed on one dataset."""

    model_config = ConfigDict(extra="forbid")

    submission: RunRecord
    vanilla: RunRecord
    base: RunRecord | None = None


class Submission(BaseModel):
    """``submission.json``."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[2] = 2
    run_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    meta: Meta
    records: list[Replicate] = Field(min_length=1, max_length=MAX_REPLICATES)
    samples_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scores: Scores

    @property
    def folder(self) -> str:
        """Where it belongs below ``submissions/``."""
        return f"{self.meta.org}__{self.meta.model}/{self.run_id}"

    @property
    def first(self) -> Replicate:
        """The records that speak for all where replicates agree: base model, recipe, size of the dataset."""
        return self.records[0]

    def roles(self) -> list[dict[str, RunRecord | None]]:
        """The records by role, one mapping a replicate."""
        return [{"submission": one.submission, "vanilla": one.vanilla, "base": one.base} for one in self.records]


def run_id(content: dict[str, Any]) -> str:
    """Sixteen hex digits of a hash over the submission without its id; timings and restarts do not count."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: clean(inner) for key, inner in value.items() if key not in ("run_id", "seconds", "resumed")}
        return [clean(inner) for inner in value] if isinstance(value, list) else value

    text = json.dumps(clean(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_meta(file: Path) -> Meta:
    """Read the metadata file; raises UsageError when it is missing, ProblemError when a field is wrong."""
    if not file.is_file():
        wanted = '{"org": "your-lab", "model": "your-model", "division": "open"}'
        raise UsageError(f"no metadata file {file}: write one such as {wanted}")
    return parse_meta(read_strict_json(file), str(file))


def parse_meta(fields: dict[str, Any], source: str = "metadata") -> Meta:
    """Metadata from its fields; raises ProblemError, which begins with ``source``, when one is wrong."""
    if problems := list(value_problems(fields)):
        raise ProblemError(f"{source}: {problems[0]}")
    try:
        return Meta.model_validate(fields)
    except ValidationError as error:
        raise ProblemError(f"{source}: {first_problem(error)}") from error


def read_submission(folder: Path) -> Submission:
    """``submission.json`` of a folder; raises ProblemError with the first wrong field."""
    try:
        return Submission.model_validate(read_strict_json(folder / "submission.json"))
    except ValidationError as error:
        raise ProblemError(f"{folder}/submission.json: {first_problem(error)}") from error


def read_replicates(folder: Path, submission: Submission) -> list[Runs]:
    """The runs behind a submission, samples included; raises ProblemError when the samples cannot be read."""
    records = submission.roles()
    return restore_runs(rows_by_run(read_samples(folder / "samples.parquet"), records), records)


def matched(runs: Sequence[Run], vanillas: Sequence[Run], bases: Sequence[Run]) -> list[Runs]:
    """Put each run beside its vanilla (given in the same order) and the base run on its dataset.

    Ordered by data seed and training seed, so that the order of the arguments does not count. Raises UsageError when
    there are not as many vanilla runs as runs, ProblemError when a dataset has no base run or a base run no dataset.
    """
    if len(vanillas) != len(runs):
        raise UsageError(f"{len(runs)} runs and {len(vanillas)} vanilla runs: give one for each run, in the same order")
    by_data = {base.record.data.content_sha256: base for base in bases}
    wanted = {run.record.data.content_sha256: run.record.data.seed for run in runs}
    for base in bases:
        if base.record.data.content_sha256 not in wanted:
            raise ProblemError(f"the base run was measured on other data (seed {base.record.data.seed}) than any run")
    if bases and (lacking := [seed for data, seed in wanted.items() if data not in by_data]):
        raise ProblemError(f"no base run on the dataset of seed {lacking[0]}: give one for each dataset")
    replicates = [
        Runs(run, vanilla, by_data.get(run.record.data.content_sha256))
        for run, vanilla in zip(runs, vanillas, strict=True)
    ]
    return sorted(replicates, key=_order)


def _order(runs: Runs) -> tuple[int, str, str]:
    record = runs.submission.record
    seed = record.training.seed if record.training else None
    return record.data.seed, f"{'' if seed is None else seed!s:>12}", record.model.weights_sha256


def tokens_of(record: RunRecord) -> int | None:
    """All training tokens of a run, or None where its training is not recorded."""
    return record.training.total_tokens if record.training else None


def submit(replicates: Sequence[Runs], meta: Meta, out: Path) -> Path:
    """Score the runs, write the submission folder below ``out`` and return it.

    Raises ProblemError when the runs do not belong together or a rule of the closed division is broken.
    """
    if problems := division_problems(meta, [(one.submission.record, one.vanilla.record) for one in replicates]):
        raise ProblemError("; ".join(problems))
    scores = score_replicates(replicates)
    records = [Replicate(**{role: run and run.record for role, run in one._asdict().items()}) for one in replicates]
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{meta.org}__{meta.model}.", dir=out) as name:
        folder = Path(name) / "draft"
        folder.mkdir()
        write_samples(replicates, folder / "samples.parquet")
        sha = file_sha256(folder / "samples.parquet")
        submission = Submission(run_id="0" * 16, meta=meta, records=records, samples_sha256=sha, scores=scores)
        submission.run_id = run_id(submission.model_dump(mode="json"))
        (folder / "submission.json").write_text(submission.model_dump_json(indent=1) + "\n", encoding="utf-8")
        entry = out / submission.folder
        entry.parent.mkdir(parents=True, exist_ok=True)
        if not entry.exists():  # else it is the same content: nothing to add
            folder.rename(entry)
    return entry


def division_problems(meta: Meta, replicates: Sequence[tuple[RunRecord, RunRecord]]) -> list[str]:
    """What breaks the rules of the closed division, given (submission, vanilla) records; empty for the open one."""
    if meta.division == "open":
        return []
    problems = []
    if len(replicates) < CLOSED_REPLICATES:
        problems.append(
            f"the closed division needs at least {CLOSED_REPLICATES} replicates, this has {len(replicates)}: add runs "
            "of other seeds, or submit as open"
        )
    return problems + list(dict.fromkeys(filter(None, (budget_problem(*records) for records in replicates))))


def budget_problem(submission: RunRecord, vanilla: RunRecord) -> str | None:
    """Why a run breaks the closed division's budget of training tokens, or None."""
    used, allowed = tokens_of(submission), tokens_of(vanilla)
    if used is None or allowed is None:
        return "the closed division needs the training tokens of both runs (training.json): submit as open"
    if used > TOKEN_FACTOR * allowed:
        return (
            f"{used} training tokens exceed the closed division's {TOKEN_FACTOR} x {allowed} of vanilla: submit as open"
        )
    return None
