"""``verification.json``: what others found when they ran a submission's checkpoint again. Not part of its run id."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import read_strict_json, write_text
from ilp_bench.core.untrusted import value_problems
from ilp_bench.records.run_record import first_problem

VERIFICATION_FILE = "verification.json"
Word = Annotated[str, StringConstraints(max_length=200)]
Reason = Annotated[str, StringConstraints(max_length=2000)]
Date = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Values = dict[str, float | None]


class Public(BaseModel):
    """The checkpoint on the public data again.

    tolerance           allowed difference of any probe's p; smaller for float32 than for half precision
    largest_difference  what was found; None where nothing could be run
    replicates          runs that were measured again
    claimed, scores     points by ``<kind>.<cause>``, and shares: from the submitted samples, and from the new ones; of
                        dataset 2, recovery per cause and ``overall``
    """

    model_config = ConfigDict(extra="forbid")

    status: Literal["agrees", "differs", "not possible"]
    reason: Reason = ""
    tolerance: float
    largest_difference: float | None = None
    replicates: int = 0
    claimed: Values = {}
    scores: Values = {}


class Unseen(BaseModel):
    """The same on a dataset of a seed that the submitter had not seen.

    how                 retrained with recipe: base, vanilla and the recipe were trained again on the unseen data, and
                        points are compared (of vanilla, the gap; on dataset 2, recovery). generalisation only: the
                        submitted checkpoint was not trained on these data, so only what it keeps of known facts is
                        compared, its retention; points stay unverified. not possible: neither
    tolerance           allowed difference of what was compared, for the quantity that came closest to it or passed it
    largest_difference  what that quantity differs by
    """

    model_config = ConfigDict(extra="forbid")

    status: Literal["agrees", "differs", "not possible"]
    how: Literal["retrained with recipe", "generalisation only", "not possible"]
    reason: Reason = ""
    seed: int | None = None
    pairs: int | None = None
    tolerance: float | None = None
    largest_difference: float | None = None
    claimed: Values = {}
    scores: Values = {}


class Verification(BaseModel):
    """One re-run: by whom, when, with what, and what came out."""

    model_config = ConfigDict(extra="forbid")

    by: Word
    date: Date
    ilp_bench: Word
    versions: dict[Word, Word]
    hardware: Word
    public: Public
    unseen: Unseen


class Verifications(BaseModel):
    """The whole file: every re-run, oldest first."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    records: list[Verification] = Field(min_length=1)


def read_verification(folder: Path) -> list[Verification]:
    """All re-runs of the submission in ``folder``, oldest first; empty when nobody ran it again.

    Raises ProblemError for a file that is not as it must be.
    """
    file = folder / VERIFICATION_FILE
    if not file.is_file():
        return []
    content = read_strict_json(file)
    if problems := list(value_problems(content)):
        raise ProblemError(f"{file}: {problems[0]}")
    try:
        return Verifications.model_validate(content).records
    except ValidationError as error:
        raise ProblemError(f"{file}: {first_problem(error)}: write it with 'ilp-bench verify'") from error


def add_verification(folder: Path, found: Verification) -> Path:
    """Add one re-run to the file of a submission; earlier ones stay. Returns the file."""
    whole = Verifications(records=[*read_verification(folder), found])
    write_text(folder / VERIFICATION_FILE, whole.model_dump_json(indent=1) + "\n")
    return folder / VERIFICATION_FILE
