"""``verification.json``: what others found when they ran a submission's checkpoint again. Not part of its run id."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import locked, read_strict_json, write_text
from ilp_bench.core.untrusted import value_problems
from ilp_bench.records.run_record import first_problem
from ilp_bench.submission.fields import Date, Line

VERIFICATION_FILE = "verification.json"
Reason = Annotated[str, StringConstraints(max_length=2000)]
Values = Annotated[
    dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_.]{1,60}$")], float | None], Field(max_length=40)
]


class MeasuredAgain(BaseModel):
    """``again`` of the ``of`` distinct runs that an entry has in a role."""

    model_config = ConfigDict(extra="forbid")

    again: int = Field(ge=0, le=100)
    of: int = Field(ge=0, le=100)


class Public(BaseModel):
    """The checkpoint on the public data again.

    tolerance           allowed difference of any probe's p; smaller for float32 than for half precision
    largest_difference  of any probe's p; None where nothing could be run
    mean_difference     of p over all probes, of the run where it is largest
    points_difference   the largest of any score's, as a probability
    replicates          runs that were measured again
    runs                role -> how many of its runs were measured again; those of a reference are not the entry's
    claimed, scores     points by ``<kind>.<cause>``, and shares: from the submitted samples, and from the new ones; of
                        dataset 2, recovery per cause and ``overall``
    """

    model_config = ConfigDict(extra="forbid")

    status: Literal["agrees", "differs", "not possible"]
    reason: Reason = ""
    tolerance: float = Field(ge=0)
    largest_difference: float | None = None
    mean_difference: float | None = None
    points_difference: float | None = None
    replicates: int = 0
    runs: dict[Literal["submission", "vanilla", "base"], MeasuredAgain] = {}
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
    """One re-run: by whom, when, with what, and what came out, with an Ed25519 signature."""

    model_config = ConfigDict(extra="forbid")

    by: Line
    date: Date
    ilp_bench: Line
    versions: dict[Line, Line]
    hardware: Line
    public: Public
    unseen: Unseen
    signature: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{128})?$")] = ""

    @property
    def coverage(self) -> str:
        """How many of the submitted runs were measured again, such as ``1 of 3``; empty where it is not recorded."""
        runs = self.public.runs.get("submission")
        return f"{runs.again} of {runs.of}" if runs else ""

    @property
    def entry_status(self) -> str:
        """What is found of the entry's own model: not done where only vanilla or the base model was measured again."""
        runs = self.public.runs.get("submission")
        is_other = self.public.status == "agrees" and runs is not None and runs.again == 0
        return "not done" if is_other else self.public.status

    @property
    def vanilla_agrees(self) -> bool | None:
        """Whether all vanilla runs of the entry's own agree; None where this re-run did not measure each of them."""
        runs = self.public.runs.get("vanilla")
        if runs is None or not runs.of or runs.again < runs.of:
            return None
        return self.public.status == "agrees"


class Verifications(BaseModel):
    """The whole file: every re-run, oldest first."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    records: list[Verification] = Field(min_length=1, max_length=1000)


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
        return Verifications.model_validate(content, strict=True).records
    except ValidationError as error:
        raise ProblemError(f"{file}: {first_problem(error)}: write it with 'ilp-bench verify'") from error


def require_name(by: str) -> None:
    """Raise UsageError for a name that a record cannot hold, before anything is run."""
    try:
        TypeAdapter(Line).validate_python(by)
    except ValidationError as error:
        raise UsageError(f"the name {by!r} is more than one line of 300 characters: give another") from error
    if hidden := list(value_problems({"by": by})):
        raise UsageError(hidden[0])


def add_verification(folder: Path, found: Verification) -> Path:
    """Add one re-run to the file of a submission; earlier ones stay. Returns the file."""
    file = folder / VERIFICATION_FILE
    with locked(folder):
        whole = Verifications(records=[*read_verification(folder), found])
        write_text(file, whole.model_dump_json(indent=1) + "\n")
    return file
