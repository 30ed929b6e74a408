"""What a run record may say in a submission: every field of its own type, every name short and on one line.

:class:`~ilp_bench.records.run_record.RunRecord` reads what any trainer wrote, and takes a field of the wrong type for
one that is missing. A submission is read by others, so there such a field is refused. Pages, tables and exports read
records that passed here, and nothing else.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ilp_bench.records.run_record import RunRecord, first_problem
from ilp_bench.submission.fields import Line, Sha256

MOST_LIBRARIES = 40  # names in ``versions``
MOST_PHASES = 200  # phases of a training, stages of a budget, checks of a calibration
MOST_TOKENS = 10**15
PATTERN = r"^([A-Za-z0-9]|[A-Za-z0-9~./][A-Za-z0-9 ._+:~@/=-]*[A-Za-z0-9])$"
# ASCII, so that a name reads alike everywhere; no quote, backslash or line end, so that it can stand in a command.
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+:()/,-]*$", max_length=100)]
Path = Annotated[str, StringConstraints(pattern=PATTERN, max_length=200)]
Count = Annotated[int, Field(ge=0, le=MOST_TOKENS)]
Seconds = Annotated[float, Field(ge=0, le=1e12)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class _Base(_Strict):
    name: Path | None = None
    revision: Path | None = None
    weights_sha256: Sha256 | None = None


class _Data(_Strict):
    size: Label | None = None
    seed: Seed | None = None
    version: Label | None = None
    content_sha256: Sha256 | None = None


class _Phase(_Strict):
    name: Label
    kind: Literal["sft", "cpt"]
    examples: Count
    epochs: Count
    steps: Count
    tokens: Count
    supervised: Count | None = None
    replayed: Count = 0
    drawn_again: dict[Label, Count] = Field(default_factory=dict, max_length=MOST_PHASES)
    loss: float
    seconds: Seconds


class _Budget(_Strict):
    division: Literal["1x", "2x", "3x"]
    tokens: dict[Label, Count] = Field(max_length=MOST_PHASES)
    total: Count
    source: Literal["calibration", "reference"]


class _Check(_Strict):
    supervised: Count
    p: Annotated[float, Field(ge=0, le=1)] | None = None
    loss: float


class _Training(_Strict):
    ilp_bench: Label | None = None
    recipe: Label | None = None
    base: _Base | None = None
    data: _Data | None = None
    seed: Seed | None = None
    learning_rate: Annotated[float, Field(ge=0, le=1e6)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=10**9)] | None = None
    lora: Annotated[int, Field(ge=0, le=10**6)] | None = None
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    general: Line | None = None
    encoder: Line | None = None
    found: dict[Label, Any] | None = None
    phases: Annotated[list[_Phase], Field(max_length=MOST_PHASES)] | None = None
    budget: _Budget | None = None
    calibration: dict[Label, Annotated[list[_Check], Field(max_length=10_000)]] | None = None
    tokens: dict[Label, Count] | None = None
    steps: Count | None = None
    seconds: Seconds | None = None
    processes: Count | None = None
    resumed: bool | None = None


class _Model(_Strict):
    name: Path
    revision: Path | None = None
    architecture: Label
    parameters: Annotated[int, Field(gt=0, le=10**15)]


class _Record(_Strict):
    ilp_bench: Label
    model: _Model
    training: _Training | None = None
    data: _Data
    template_sha256: Sha256 | None = None
    draws: Count | None = None
    seed: Seed | None = None
    dtype: Literal["float32", "bfloat16", "float16"]
    device: Label
    batch_size: Count | None
    processes: Count = 1
    requests: Count = 0
    versions: dict[Label, Label] = Field(max_length=MOST_LIBRARIES)
    hardware: Line
    seconds: dict[Label, Seconds] = Field(max_length=MOST_LIBRARIES)
    resumed: bool = False


def checked_record(record: RunRecord) -> RunRecord:
    """The record itself. Raises ValueError with the first field that has another type or form than it must have."""
    try:
        _Record.model_validate(record.model_dump())
    except ValidationError as error:
        raise ValueError(_told(error)) from error
    return record


def _told(error: ValidationError) -> str:
    """The first complaint; of a model's name, with what may stand there."""
    first = error.errors()[0]
    if first["type"] != "string_pattern_mismatch" or first["loc"][-1] != "name" or "phases" in first["loc"]:
        return first_problem(error)
    where = ".".join(map(str, first["loc"]))
    return (
        f"{where} is {first['input']!r}: give the model a folder named by ASCII letters, digits, '.', '_' and '-', the "
        "last one a letter or digit, and make the run again"
    )
