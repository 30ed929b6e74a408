"""The run record: everything that moves a score, and one row per probe. All later steps read only this."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import file_sha256, new_folder, read_strict_json
from ilp_bench.core.folder_kind import what_it_is
from ilp_bench.core.hashed_table import HashedTable
from ilp_bench.data.manifest import USER_DATA, Skipped
from ilp_bench.records.samples import PROBE_COLUMNS, SampleRow, read_samples
from ilp_bench.records.training_record import AnyTraining


class Model(BaseModel):
    """Which weights were measured."""

    model_config = ConfigDict(extra="forbid")

    name: str
    revision: str | None = None
    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    architecture: str
    parameters: int = Field(gt=0)


class Data(BaseModel):
    """Which dataset was asked."""

    model_config = ConfigDict(extra="forbid")

    size: str
    seed: int
    version: str
    content_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @property
    def is_user_data(self) -> bool:
        """Whether the rows are a user's, without causes and arms."""
        return self.size == USER_DATA


class PromptRecord(BaseModel):
    """What became of the prompts on their way to token ids; docs/tokenization.md.

    sha256          hash of the prompts of all items as text, after the chat template where there is one
    template_date   the day (YYYY-MM-DD) that a template which writes today's date was rendered; else null
    left_out        prompts whose last tokens are not in the text with the answer, as with a ``<think>`` that only the
                    prompt has: the model is asked without them, as it was trained
    cut             requests whose prompt the model's context cannot hold, and which were cut from the left
    tokens_cut      tokens that were cut off in all
    not_asked       reason -> how many items of user data the model could not be asked, and the first of them
    """

    model_config = ConfigDict(extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    template_date: str | None = Field(default=None, pattern=r"^\d{4}-\d\d-\d\d$")
    left_out: int = Field(default=0, ge=0)
    cut: int = Field(default=0, ge=0)
    tokens_cut: int = Field(default=0, ge=0)
    not_asked: dict[str, Skipped] = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _without_empty_not_asked(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """All fields; ``not_asked`` only where there is any, so that the hash of an older record stays what it was."""
        fields: dict[str, Any] = serialize(self)
        if not self.not_asked:
            fields.pop("not_asked", None)
        return fields


class RunRecord(BaseModel):
    """``run.json``: what was measured, on what, with what; ``training`` is null for an untuned model.

    ``draws`` and ``seed`` belong to the sampled protocol; ``batch_size`` is what fitted into memory (null where the
    engine decides); ``resumed`` says that an earlier call had begun the run. Seconds are of the last call.
    """

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[2] = 2
    ilp_bench: str
    model: Model
    training: AnyTraining = None
    data: Data
    prompt_format: Literal["plain", "chat"] = "plain"
    template_sha256: str | None = None
    probed: bool = False
    choices: Literal[0, 4, 10] = 0
    protocol: Literal["exact", "sampled"] = "exact"
    draws: int | None = None
    seed: int | None = None
    backend: Literal["hf", "vllm"] = "hf"
    dtype: str
    device: str
    batch_size: int | None
    processes: int = 1
    requests: int = 0
    versions: dict[str, str]
    hardware: str
    seconds: dict[str, float]
    resumed: bool = False
    prompts: PromptRecord | None = None
    samples_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @model_serializer(mode="wrap")
    def _without_absent_prompts(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """All fields; ``prompts`` only where it is known, so that the hash of an older record stays what it was."""
        fields: dict[str, Any] = serialize(self)
        if fields.get("prompts") is None:
            fields.pop("prompts", None)
        return fields


def library_versions(*further: str) -> dict[str, str]:
    """The versions of the libraries that a measurement depends on, and of ``further`` ones: the field ``versions``."""
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", "transformers", "lm_eval", "numpy", *further)}


@dataclass(frozen=True, eq=False)
class Run:
    """A run record with its samples table (columns of ``SAMPLES``)."""

    record: RunRecord
    samples: pa.Table
    shared_probes: HashedTable | None = None  # ``probes``, where they are known: runs on one dataset hold them once

    @property
    def untuned(self) -> bool:
        """Whether this is a base model."""
        return self.record.training is None

    @cached_property
    def probes(self) -> HashedTable:
        """What each row asks: the same for all runs on one dataset, in whatever way they were read."""
        return self.shared_probes or HashedTable(self.samples.select(list(PROBE_COLUMNS)))

    def sample_rows(self) -> list[SampleRow]:
        """The samples, one row a probe."""
        return cast(list[SampleRow], self.samples.to_pylist())


class Runs(NamedTuple):
    """One replicate: a run, vanilla on the same data and base model, and that base model itself."""

    submission: Run
    vanilla: Run
    base: Run | None = None


def run_of(record: dict[str, Any], samples: pa.Table) -> Run:
    """Return a run in memory, of a record's fields without ``samples_sha256``; equal to what a folder would hold."""
    return _run(record, samples, _parquet(samples))


def _run(record: dict[str, Any], samples: pa.Table, content: bytes) -> Run:
    return Run(RunRecord(**record, samples_sha256=hashlib.sha256(content).hexdigest()), samples)


def _parquet(samples: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(samples, buffer, compression="zstd")
    return buffer.getvalue()


def write_run(out: Path, record: dict[str, Any], samples: pa.Table) -> Run:
    """Write run.json and samples.parquet, both or neither. Raises UsageError when ``out`` is in use."""
    with new_folder(out) as folder:
        content = _parquet(samples)
        run = _run(record, samples, content)
        (folder / "samples.parquet").write_bytes(content)
        (folder / "run.json").write_text(run.record.model_dump_json(indent=1) + "\n")
    return run


def read_run(path: Path | str, what: str = "run") -> Run:
    """Read and check a run folder.

    Raises UsageError when there is none, ProblemError when it is damaged: wrong fields, a changed samples file,
    a probe twice, a probability that is NaN or outside [0, 1].
    """
    folder = Path(path)
    if not (folder / "run.json").is_file():
        raise UsageError(
            f"{folder} is not a {what}: {what_it_is(folder)}; give the folder that 'ilp-bench evaluate' wrote"
        )
    try:
        record = RunRecord.model_validate(read_strict_json(folder / "run.json"))
    except ValidationError as error:
        raise ProblemError(f"{folder}/run.json: {first_problem(error)}: evaluate again") from error
    samples = read_samples(folder / "samples.parquet", with_answers=record.data.is_user_data)
    if file_sha256(folder / "samples.parquet") != record.samples_sha256:
        raise ProblemError(f"{folder}/samples.parquet was changed after the run: evaluate again")
    return Run(record, samples)


def first_problem(error: ValidationError) -> str:
    """The first complaint of pydantic in one line."""
    return problems_in(error)[0]


def problems_in(error: ValidationError) -> list[str]:
    """All complaints of pydantic, a line each: the field's path and what is wrong with it."""
    return [
        f"{'.'.join(map(str, each['loc'])) or 'record'}: {each['msg'].removeprefix('Value error, ')}"
        for each in error.errors()
    ]
