"""The record of a reference: base and vanilla runs of a base model that others are compared with, and their constants.

A reference is a folder ``references/<name>`` with ``reference.json`` (:class:`ReferenceRecord`) and a Parquet file for
each dataset. Training takes its budget from here, scoring its runs (:mod:`ilp_bench.scoring.references`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import read_strict_json
from ilp_bench.records.run_record import RunRecord, first_problem
from ilp_bench.records.training_record import TrainingRecord

FILE = "reference.json"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Arms(_Strict):
    """A mean over the items of either arm, in [0, 1]."""

    treated: float
    control: float


class ReferenceDataset(_Strict):
    """The runs on one dataset. ``file`` holds their samples, ``budget`` is in supervised tokens."""

    file: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    budget: int | None
    base: RunRecord
    vanilla: list[RunRecord] = Field(min_length=1)


class ReferenceRecord(_Strict):
    """``reference.json``.

    gaps     kind of score -> cause -> mean gap over all vanilla runs: the constants of H
    arms     kind of score -> cause -> mean p of either arm over all vanilla runs
    run_sd   kind of score -> cause -> standard deviation between vanilla runs on one dataset; None where no dataset has
             enough of them
    """

    schema_version: Literal[1] = 1
    base_name: str
    base_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: str
    version: str
    division: str
    gaps: dict[str, dict[str, float]]
    arms: dict[str, dict[str, Arms]]
    run_sd: dict[str, dict[str, Arms]] | None
    datasets: list[ReferenceDataset] = Field(min_length=1)

    @property
    def prompt_format(self) -> str:
        """How its runs were asked: ``plain`` or ``chat``."""
        return self.datasets[0].base.prompt_format

    @property
    def short_name(self) -> str:
        """Short name of the base model, and the prompt format where that is ``chat``."""
        return short_name(self.base_name, self.prompt_format)

    def calibrated(self, content_sha256: str) -> TrainingRecord | None:
        """How the vanilla that found the budget of a dataset was trained; None where none of these did."""
        for dataset in self.datasets:
            for run in dataset.vanilla:
                if run.data.content_sha256 == content_sha256 and run.training and run.training.calibrated:
                    return run.training
        return None


@cache
def references_path() -> Path:
    """The folder of committed references: inside the installed package, else beside it in a checkout."""
    inside = Path(str(files("ilp_bench") / "_references"))
    return inside if inside.is_dir() else Path(str(files("ilp_bench"))).parent / "references"


def reference_folders(root: Path | None = None) -> Iterator[Path]:
    """Every reference below ``root``, by default the committed ones, in the order of their names."""
    yield from (file.parent for file in sorted((root or references_path()).glob(f"*/{FILE}")))


def reference_folder(name: Path | str) -> Path:
    """The committed reference of that name, else the folder ``name`` itself."""
    committed = references_path() / name
    return committed if (committed / FILE).is_file() else Path(name)


def read_reference_record(folder: Path) -> ReferenceRecord:
    """Read ``reference.json`` of a folder. Raises ProblemError when it is missing or damaged."""
    try:
        return ReferenceRecord.model_validate(read_strict_json(folder / FILE))
    except ValidationError as error:
        raise ProblemError(f"{folder / FILE}: {first_problem(error)}: make it again") from error


def short_name(base: str, prompt_format: str = "plain") -> str:
    """A base model's name without the path or organisation before it, and ``chat`` where it was asked that way."""
    name = base.rstrip("/").rsplit("/", 1)[-1]
    return name if prompt_format == "plain" else f"{name}, {prompt_format}"
