"""The manifest of a dataset folder: which dataset it is, how many rows it has, and the hash of every file.

``manifest.json`` of mini, seed 0, begins ``{"name": "ilp-bench", "version": "3", "size": "mini", "seed": 0, ...``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import read_json
from ilp_bench.core.folder_kind import what_it_is
from ilp_bench.data.settings import Settings

MANIFEST = "manifest.json"
VERSION = "3"  # of the datasets that this code builds and reads
USER_DATA = "own"  # the ``size`` of a dataset made of a user's rows, see ilp_bench.data.user_data


class _Strict(BaseModel):
    """Unchangeable; every field has its declared type, and there are no others."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Knobs(_Strict):
    """The settings that differ from the benchmark's, see :class:`~ilp_bench.data.settings.Settings`; None elsewhere."""

    pairs: int | None = None
    causes: tuple[str, ...] | None = None
    shares: tuple[float, ...] | None = None
    stages: int | None = None
    frequencies: tuple[int, ...] | None = None
    hops: tuple[int, ...] | None = None
    domain: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The knobs that are set, as plain values."""
        return self.model_dump(mode="json", exclude_none=True)


class RowCounts(_Strict):
    """Rows of each table."""

    train: int
    items: int
    knowledge: int
    shots: int


class Skipped(_Strict):
    """What an import left out for one reason: how many rows or answers, and the first in words (``row 4: ...``)."""

    count: int
    first: str


class Manifest(_Strict):
    """What identifies a dataset.

    name             ``ilp-bench``, or the name of the file that a user's rows came from
    version          of the dataset format, see ``VERSION``
    size, seed       what a controlled dataset is built from; ``USER_DATA`` and the sampling seed for a user's rows
    stages           stages of training
    rows             rows of each table
    format, chat     of user data only: the format that the rows were read as, and whether they are conversations
    columns          of user data only: the format's name of a column -> the file's, where they differ
    ignored          of user data only: column, or field of a message, that is not used -> rows that have it
    skipped          of user data only: reason -> what was left out for it
    content_sha256   hash over the rows of all tables
    knobs            of controlled datasets other than the benchmark's own only
    files            file name to sha256 of its bytes; None before the dataset is written
    """

    name: str
    version: str
    size: str
    seed: int
    stages: int
    rows: RowCounts
    format: str | None = None
    chat: bool | None = None
    columns: dict[str, str] | None = None
    ignored: dict[str, int] | None = None
    skipped: dict[str, Skipped] | None = None
    content_sha256: str
    knobs: Knobs | None = None
    files: dict[str, str] | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What run records, training records and audits say about the dataset."""
        return {"size": self.size, "seed": self.seed, "version": self.version, "content_sha256": self.content_sha256}

    @property
    def is_user_data(self) -> bool:
        """Whether the rows are a user's, without causes and arms."""
        return self.size == USER_DATA

    def files_of(self, table: str) -> list[str]:
        """Names of the Parquet files of one table, in order; empty before the dataset is written."""
        return files_of(table, self.files or {})

    def to_json(self) -> dict[str, Any]:
        """The content of ``manifest.json``, as plain values."""
        return self.model_dump(mode="json", exclude_none=True)

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``."""
        (folder / MANIFEST).write_text(json.dumps(self.to_json(), indent=1) + "\n")


def manifest_of(settings: Settings, rows: RowCounts, content_sha256: str) -> Manifest:
    """The manifest of a controlled dataset that is not written yet."""
    knobs = settings.knobs()
    return Manifest(
        name="ilp-bench",
        version=VERSION,
        size=settings.size,
        seed=settings.seed,
        stages=settings.stages,
        rows=rows,
        content_sha256=content_sha256,
        knobs=Knobs(**knobs) if knobs else None,
    )


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``manifest.json``.

    Raises UsageError when there is none, ProblemError when it is of another version or has wrong fields.
    """
    file = folder / MANIFEST
    if not file.is_file():
        raise UsageError(
            f"{folder} is not a dataset: {what_it_is(folder)}; give the folder that 'ilp-bench build' or 'import' wrote"
        )
    content = read_json(file)
    if content.get("version") != VERSION:
        raise ProblemError(
            f"{folder} has dataset version {content.get('version')!r}, this is {VERSION!r}: build or import it again"
        )
    try:
        manifest = Manifest.model_validate_json(json.dumps(content))
    except ValidationError as error:
        wrong = dict.fromkeys(str(problem["loc"][0]) for problem in error.errors() if problem["loc"])
        raise ProblemError(
            f"{file} has no valid {' and '.join(wrong)}: remove {folder} and build or import it again"
        ) from error
    if manifest.files is None:
        raise ProblemError(f"{file} has no valid files: remove {folder} and build or import it again")
    return manifest


def files_of(table: str, names: Iterable[str]) -> list[str]:
    """The Parquet files of one table among ``names``, in order: one, or numbered shards."""
    return sorted(name for name in names if name.split(".")[0].split("-")[0] == table)
