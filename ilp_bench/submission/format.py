"""The submission format, schema 3: who, which runs, which scores, in a folder whose name is its content."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import read_strict_json
from ilp_bench.core.untrusted import value_problems
from ilp_bench.records.run_record import Data, Run, RunRecord, first_problem, problems_in
from ilp_bench.scoring.compatibility import base_sha256
from ilp_bench.scoring.points_schema import PointScores
from ilp_bench.submission.fields import MAX_RUNS, Link, Name, RunId, Sha256, Text
from ilp_bench.submission.sample_store import RunKey, read_samples, restore_runs, rows_by_run
from ilp_bench.submission.strict_record import checked_record
from ilp_bench.submission.version_2 import ArchivedSubmission

CLOSED = "the closed division is now 1x or 3x, by the budget that was trained with"
MAX_VANILLAS = 3 * MAX_RUNS
SubmittedRecord = Annotated[RunRecord, AfterValidator(checked_record)]
T = TypeVar("T")


class Meta(BaseModel):
    """What the submitter says: the metadata file of a submission.

    1x, 3x: trained on nothing but the benchmark's rows and documents, with exactly that budget of supervised tokens; at
    least three runs, on datasets of three seeds, and a base run, the reference's or one's own.
    open: anything; ``data`` says what else it was trained on. ``weights`` and ``paper`` are https links.
    """

    model_config = ConfigDict(extra="forbid")

    org: Name
    model: Name
    division: Literal["1x", "3x", "open"]
    description: Text = ""
    contact: Text = ""
    data: Text = ""
    weights: Link = ""
    paper: Link = ""

    @field_validator("division", mode="before")
    @classmethod
    def _explain_closed(cls, value: Any) -> Any:
        if value == "closed":
            raise ValueError(CLOSED)
        return value


class ReferenceKey(BaseModel):
    """Which committed reference the scores are against: its name, and the hash of its ``reference.json``."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    sha256: Sha256


class Submission(BaseModel):
    """``submission.json`` of schema 3.

    ``runs`` are the submitted ones, ordered by data seed and training seed; ``vanillas`` and ``bases`` are empty where
    the reference gives them.
    """

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[3] = 3
    run_id: RunId
    meta: Meta
    runs: list[SubmittedRecord] = Field(min_length=1, max_length=MAX_RUNS)
    vanillas: list[SubmittedRecord] = Field(max_length=MAX_VANILLAS)
    bases: list[SubmittedRecord] = Field(max_length=MAX_RUNS)
    reference: ReferenceKey | None
    samples_sha256: Sha256
    scores: PointScores

    @property
    def folder(self) -> str:
        """Where it belongs below ``submissions/``."""
        return f"{self.meta.org}__{self.meta.model}/{self.run_id}"

    @property
    def first(self) -> RunRecord:
        """The run that speaks for all where they agree: base model, recipe, size of the dataset."""
        return self.runs[0]

    @property
    def base_name(self) -> str:
        """The base model's name as its training recorded it, or as the base run does."""
        training = self.first.training
        if training and training.base and training.base.name is not None:
            return training.base.name
        return self.bases[0].model.name if self.bases else "unknown"

    @property
    def base_weights(self) -> str | None:
        """The hash of the base model's weights: entries that share it can be compared, whatever name they give it."""
        return base_sha256(self.first) or (self.bases[0].model.weights_sha256 if self.bases else None)

    @property
    def recipe(self) -> str | None:
        """The recipe, or what another trainer calls its method; None where it is not recorded."""
        return self.first.training.recipe if self.first.training else None

    @property
    def datasets(self) -> list[Data]:
        """The datasets it was measured on, by their seeds."""
        by_hash = {record.data.content_sha256: record.data for record in self.runs}
        return sorted(by_hash.values(), key=lambda data: (data.seed, data.content_sha256))

    @property
    def run_records(self) -> dict[RunKey, RunRecord]:
        """(role, number within the role) -> record."""
        return _numbered(self.runs, self.vanillas, self.bases)


class SubmittedRuns(NamedTuple):
    """The runs of a submission, samples included."""

    runs: list[Run]
    vanillas: list[Run]
    bases: list[Run]

    @classmethod
    def of(cls, runs: dict[RunKey, Run]) -> SubmittedRuns:
        """The runs by role."""
        return cls(
            *([run for key, run in runs.items() if key[0] == role] for role in ("submission", "vanilla", "base"))
        )

    @property
    def by_key(self) -> dict[RunKey, Run]:
        """(role, number within the role) -> run."""
        return _numbered(self.runs, self.vanillas, self.bases)


AnySubmission = Submission | ArchivedSubmission


def _numbered(runs: Iterable[T], vanillas: Iterable[T], bases: Iterable[T]) -> dict[RunKey, T]:
    roles = {"submission": runs, "vanilla": vanillas, "base": bases}
    return {(role, number): run for role, each in roles.items() for number, run in enumerate(each)}


def read_meta(file: Path) -> Meta:
    """Read the metadata file; raises UsageError when it is missing, ProblemError when a field is wrong."""
    if not file.is_file():
        wanted = '{"org": "your-lab", "model": "your-model", "division": "open"}'
        raise UsageError(f"no metadata file {file}: write one such as {wanted}")
    return parse_meta(read_strict_json(file, encoding="utf-8-sig"), str(file))  # some editors write a mark first


def parse_meta(fields: dict[str, Any], source: str = "metadata") -> Meta:
    """Metadata from its fields; raises ProblemError, which begins with ``source``, when one is wrong."""
    if problems := list(value_problems(fields)):
        raise ProblemError(f"{source}: {problems[0]}")
    try:
        return Meta.model_validate(fields)
    except ValidationError as error:
        raise ProblemError(f"{source}: {'; '.join(problems_in(error))}") from error


def parse_submission(content: dict[str, Any]) -> AnySubmission:
    """A submission from its fields, of the schema that they name; raises pydantic's ValidationError."""
    if content.get("schema_version") == 2:
        return ArchivedSubmission.model_validate(content)
    return Submission.model_validate(content, strict=True)


def read_submission(folder: Path) -> AnySubmission:
    """``submission.json`` of a folder, of whichever schema; raises ProblemError with the first wrong field."""
    content = read_strict_json(folder / "submission.json")
    if problems := list(value_problems(content)):
        raise ProblemError(f"{folder}/submission.json: {problems[0]}")
    try:
        return parse_submission(content)
    except ValidationError as error:
        raise ProblemError(f"{folder}/submission.json: {first_problem(error)}") from error


def read_runs(folder: Path, submission: AnySubmission) -> dict[RunKey, Run]:
    """The runs behind a submission, samples included; raises ProblemError when the samples cannot be read."""
    records = submission.run_records
    stored = rows_by_run(read_samples(folder / "samples.parquet"), records)
    return restore_runs(stored, records)
