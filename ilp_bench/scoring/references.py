"""Reference runs: vanilla and base of a base model, so that a newcomer trains one model, and the gaps as constants.

Beside the record (:mod:`ilp_bench.records.reference_record`) stands one Parquet file for each dataset: a row a probe of
both arms and of held-out facts, p of each run in single precision. What is read from it are ordinary runs, with the
columns that scores need. ``scripts/references`` makes them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.core.errors import ProblemError, UsageError, near
from ilp_bench.core.files import file_sha256
from ilp_bench.records.reference_record import (
    FILE,
    ReferenceDataset,
    ReferenceRecord,
    read_reference_record,
    reference_folder,
    reference_folders,
    references_path,
)
from ilp_bench.records.run_record import Run, RunRecord
from ilp_bench.records.samples import SAMPLES
from ilp_bench.scoring.compatibility import base_sha256
from ilp_bench.scoring.pair_sets import Comparison
from ilp_bench.scoring.training_budget import division_of

KEYS = ("probe_id", "item_id", "pair_id", "cause", "arm", "probe", "dose", "prior_answer")
BASE_COLUMNS = ("p", "greedy", "shots_p", "shots_options", "belief")
VANILLA_COLUMNS = ("p", "greedy")


class Reference:
    """A reference in its folder; samples are read when they are needed."""

    def __init__(self, folder: Path, record: ReferenceRecord) -> None:
        self.folder, self.record = folder, record

    @property
    def name(self) -> str:
        """The name of its folder, such as ``nano-mini-1x``."""
        return self.folder.name

    @cached_property
    def sha256(self) -> str:
        """Hash of its ``reference.json``, which holds the hashes of its other files."""
        return file_sha256(self.folder / FILE)

    @property
    def vanilla_count(self) -> int:
        """Vanilla runs that stand behind its constants."""
        return sum(len(dataset.vanilla) for dataset in self.record.datasets)

    @property
    def seeds(self) -> list[int]:
        """Seeds of its datasets."""
        return [dataset.base.data.seed for dataset in self.record.datasets]

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Vanilla and base runs, dataset by dataset."""
        return [_read_runs(self.folder, dataset) for dataset in self.record.datasets]

    def comparison(self, content_sha256: str) -> Comparison | None:
        """The runs on one dataset, None where it has none."""
        for dataset, comparison in zip(self.record.datasets, self.comparisons, strict=True):
            if dataset.base.data.content_sha256 == content_sha256:
                return comparison
        return None

    def gaps(self, kind: str) -> dict[str, float]:
        """Cause -> mean gap under vanilla, for one kind of score."""
        return self.record.gaps[kind]

    def check(self, run: RunRecord) -> None:
        """Raise ProblemError where this is no reference for a submitted run."""
        for what, expected, actual in (
            ("base model", self.record.base_sha256, base_sha256(run)),
            ("data size", self.record.size, run.data.size),
            ("data version", self.record.version, run.data.version),
            ("budget division", self.record.division, division_of(run)),
            ("prompt format", self.record.prompt_format, run.prompt_format),
        ):
            if actual is not None and actual != expected:
                shown = "" if what == "base model" else f" ({expected}, the run's is {actual})"
                raise ProblemError(
                    f"reference {self.name} is of another {what}{shown}: give one that fits, or vanilla runs alone"
                )


def read_reference(folder: Path) -> Reference:
    """Read a reference. Raises UsageError when there is none, ProblemError when it is damaged."""
    if not (folder / FILE).is_file():
        names = [path.name for path in reference_folders(references_path())]
        raise UsageError(f"{folder} is not a reference ({FILE} is missing).{near(folder.name, names)}")
    return Reference(folder, read_reference_record(folder))


def named_reference(name: str) -> Reference:
    """A committed reference by its name, or any by its folder."""
    return read_reference(reference_folder(name))


def committed_references(root: Path | None = None) -> dict[str, Reference]:
    """Name -> reference, of those that are committed, or of the folders in ``root``."""
    root = root or references_path()
    return dict(_all_in(root, tuple(sorted(os.listdir(root))) if root.is_dir() else ()))


def find_reference(run: RunRecord, root: Path | None = None) -> Reference | None:
    """The committed reference of a submitted run's base model, data, division and prompt format; None without one.

    A run whose training record names no division is compared with division 1x.
    """
    return _find(run, run.prompt_format, root)


def reference_in_other_format(run: RunRecord) -> Reference | None:
    """The committed reference that would be a submitted run's, had it been asked in the other prompt format."""
    return _find(run, "plain" if run.prompt_format == "chat" else "chat")


def _find(run: RunRecord, prompt_format: str, root: Path | None = None) -> Reference | None:
    wanted = (base_sha256(run), run.data.size, run.data.version, division_of(run) or "1x", prompt_format)
    for reference in committed_references(root).values():
        record = reference.record
        if (record.base_sha256, record.size, record.version, record.division, record.prompt_format) == wanted:
            return reference
    return None


@lru_cache(maxsize=8)
def _all_in(root: Path, names: tuple[str, ...]) -> dict[str, Reference]:
    """What :func:`committed_references` gives while these files and folders are in ``root``."""
    return {folder.name: read_reference(folder) for folder in reference_folders(root)}


def _read_runs(folder: Path, dataset: ReferenceDataset) -> Comparison:
    file = folder / dataset.file
    if not file.is_file() or file_sha256(file) != dataset.sha256:
        raise ProblemError(f"{file} is not what {FILE} beside it names: fetch the reference again")
    table = pq.read_table(file)
    vanillas = tuple(
        Run(record, _samples(table, f"vanilla.{number}", VANILLA_COLUMNS))
        for number, record in enumerate(dataset.vanilla)
    )
    return Comparison((), vanillas, Run(dataset.base, _samples(table, "base", BASE_COLUMNS)))


def _samples(table: pa.Table, prefix: str, names: Sequence[str]) -> pa.Table:
    """The samples of one run: keys, its own columns, and nothing in the others."""
    columns = {name: table[name] for name in KEYS} | {name: table[f"{prefix}.{name}"] for name in names}
    empty = pa.nulls(table.num_rows)
    return pa.table(
        [columns[f.name].cast(f.type) if f.name in columns else empty.cast(f.type) for f in SAMPLES], SAMPLES
    )


def reference_table(comparison: Comparison) -> pa.Table:
    """The file of a dataset: keys of its probes, and the columns of each run, numbers in single precision."""
    assert comparison.base
    order = comparison.base.samples["probe_id"].to_pylist()
    columns: dict[str, pa.ChunkedArray] = {name: comparison.base.samples[name] for name in KEYS}
    runs: list[tuple[str, Run, tuple[str, ...]]] = [("base", comparison.base, BASE_COLUMNS)]
    runs += [(f"vanilla.{n}", run, VANILLA_COLUMNS) for n, run in enumerate(comparison.vanillas)]
    single = {pa.float64(): pa.float32(), pa.list_(pa.float64()): pa.list_(pa.float32())}
    for prefix, run, names in runs:
        place = {probe: row for row, probe in enumerate(run.samples["probe_id"].to_pylist())}
        samples = run.samples.take(np.array([place[probe] for probe in order]))
        columns |= {
            f"{prefix}.{name}": samples[name].cast(single.get(samples[name].type, samples[name].type)) for name in names
        }
    return pa.table(columns)


def write_record(folder: Path, record: ReferenceRecord) -> None:
    """Write ``reference.json``."""
    (folder / FILE).write_text(json.dumps(record.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
