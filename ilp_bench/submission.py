"""The submission format: who, which runs, which scores, in a folder whose name is its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from ilp_bench.dataset import file_sha256
from ilp_bench.errors import ProblemError, UsageError
from ilp_bench.files import new_folder, read_json
from ilp_bench.record import SAMPLES, Run, RunRecord, first_problem
from ilp_bench.score import Scores, score

ROLES = ("submission", "vanilla", "base")
ALL_SAMPLES = SAMPLES.insert(0, pa.field("role", pa.string()))
TOKEN_FACTOR = 3  # closed division: at most this many times the tokens of vanilla
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$")]
Text = Annotated[str, StringConstraints(max_length=2000)]


class Meta(BaseModel):
    """What the submitter says: the metadata file of ``ilp-bench submit``."""

    model_config = ConfigDict(extra="forbid")

    org: Name
    model: Name
    division: Literal["closed", "open"]
    description: Text = ""
    contact: Text = ""


class Records(BaseModel):
    """The run records that the scores are computed from."""

    model_config = ConfigDict(extra="forbid")

    submission: RunRecord
    vanilla: RunRecord
    base: RunRecord | None = None


class Submission(BaseModel):
    """``submission.json``."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    run_id: str
    meta: Meta
    records: Records
    samples_sha256: str
    scores: Scores

    @property
    def folder(self) -> str:
        """Where it belongs below ``submissions/``."""
        return f"{self.meta.org}__{self.meta.model}/{self.run_id}"


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
    try:
        return Meta.model_validate(read_json(file))
    except ValidationError as error:
        raise ProblemError(f"{file}: {first_problem(error)}") from error


def tokens_of(record: RunRecord) -> int | None:
    """All training tokens of a run, or None where its training is not recorded."""
    tokens = (record.training or {}).get("tokens")
    return sum(int(count) for count in tokens.values()) if isinstance(tokens, dict) and tokens else None


def submit(submission: Run, vanilla: Run, base: Run | None, meta: Meta, out: Path) -> Path:
    """Score the runs, write the submission folder below ``out`` and return it.

    Raises ProblemError when the runs do not belong together or the closed division's budget is broken.
    """
    scores = score(submission, vanilla, base)
    runs = {"submission": submission, "vanilla": vanilla} | ({"base": base} if base else {})
    table = pa.concat_tables(
        run.samples.add_column(0, ALL_SAMPLES.field("role"), pa.array([role] * run.samples.num_rows))
        for role, run in runs.items()
    )
    problem = budget_problem(meta, submission.record, vanilla.record)
    if problem:
        raise ProblemError(problem)
    scratch = out / f".{meta.org}__{meta.model}.draft"
    with new_folder(scratch, replace=True) as folder:
        pq.write_table(table, folder / "samples.parquet", compression="zstd")
        found = Submission(
            run_id="",
            meta=meta,
            records=Records(**{role: run.record for role, run in runs.items()}),
            samples_sha256=file_sha256(folder / "samples.parquet"),
            scores=scores,
        )
        found.run_id = run_id(found.model_dump(mode="json"))
        (folder / "submission.json").write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    place = out / found.folder
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():  # the same content: nothing to add
        for file in scratch.iterdir():
            file.unlink()
        scratch.rmdir()
    else:
        scratch.rename(place)
    return place


def budget_problem(meta: Meta, submission: RunRecord, vanilla: RunRecord) -> str | None:
    """Why a closed-division submission breaks its budget, or None."""
    if meta.division == "open":
        return None
    used, allowed = tokens_of(submission), tokens_of(vanilla)
    if used is None or allowed is None:
        return "the closed division needs the training tokens of both runs (training.json): submit as open"
    if used > TOKEN_FACTOR * allowed:
        return (
            f"{used} training tokens exceed the closed division's {TOKEN_FACTOR} x {allowed} of vanilla: submit as open"
        )
    return None
