"""The controlled training set: build it, write it, load it, and know that it is the one that was meant.

A dataset is a folder of Parquet files and a ``manifest.json``. It depends on (size, seed, version) alone. Each
file has a sha256 of its bytes; ``content_sha256`` is taken over the rows, so it does not depend on the Parquet
writer, and is what run records and submissions carry.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import file_sha256, new_folder, read_json
from ilp_bench.data.calibration import calibration_items
from ilp_bench.data.card import card, croissant
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.causes.context import BuildContext
from ilp_bench.data.causes.items import Item, Pairs
from ilp_bench.data.causes.spec import CauseSpec
from ilp_bench.data.content_hash import content_sha256
from ilp_bench.data.exemplars import controlled_exemplars
from ilp_bench.data.manifest import MANIFEST, Manifest, RowCounts, manifest_of, read_manifest
from ilp_bench.data.rows import (
    TableRows,
    calibration_rows,
    decoy_rows,
    held_out_items,
    held_out_rows,
    number_rows,
    pair_rows,
)
from ilp_bench.data.schema import REQUIRED, SCHEMAS, TABLES, DocumentRow, ItemRow, ShotRow, Table, TrainRow
from ilp_bench.data.settings import RETENTION, Settings

CHECKED = 300_000  # rows up to which reading a dataset also checks them against the content hash


@dataclass(frozen=True)
class Dataset:
    """The four tables of a dataset, with the manifest that identifies them; nothing in it can be changed."""

    train: pa.Table
    items: pa.Table
    knowledge: pa.Table
    shots: pa.Table
    manifest: Manifest

    @property
    def sha256(self) -> str:
        """The content hash over all tables."""
        return self.manifest.content_sha256

    @property
    def is_user_data(self) -> bool:
        """Whether the rows are a user's, without causes and arms."""
        return self.manifest.is_user_data

    def table(self, name: Table) -> pa.Table:
        """The table of that name."""
        return getattr(self, name)

    def train_rows(self) -> list[TrainRow]:
        """The training rows, in training order."""
        return cast(list[TrainRow], self.train.to_pylist())

    def item_rows(self) -> list[ItemRow]:
        """The probes."""
        return cast(list[ItemRow], self.items.to_pylist())

    def document_rows(self) -> list[DocumentRow]:
        """The documents for continued pre-training."""
        return cast(list[DocumentRow], self.knowledge.to_pylist())

    def shot_rows(self) -> list[ShotRow]:
        """The few-shot exemplars."""
        return cast(list[ShotRow], self.shots.to_pylist())

    def controlled(self, purpose: str) -> Dataset:
        """This dataset. Raises UsageError where it is user data, which ``purpose`` (such as ``audit``) cannot use."""
        if self.is_user_data:
            raise UsageError(f"{purpose} is for controlled datasets: user data have no causes and arms")
        return self


def make(size: str = "mini", seed: int = 0, **knobs: Any) -> Dataset:
    """Build a dataset in memory; ``knobs`` are those of :class:`Settings`.

    Raises UsageError when a value is impossible or facts do not suffice.
    """
    return make_from(Settings(size, seed, **knobs))


class Plan(NamedTuple):
    """Which items a dataset has, before their rows are made; the same in every process."""

    context: BuildContext  # closed
    pairs: MappingProxyType[str, Pairs]  # cause -> its pairs
    decoys: MappingProxyType[str, Sequence[Item]]  # cause -> its decoys
    calibration: tuple[Item, ...]
    held_out: tuple[Item, ...]  # known facts that no training row asks about


def plan(settings: Settings) -> Plan:
    """Deal subjects to causes, in the order of the paper. Raises UsageError where facts do not suffice."""
    return _plan(settings, tuple(CAUSES))


@lru_cache(maxsize=2)
def _plan(settings: Settings, causes: tuple[CauseSpec, ...]) -> Plan:
    """The plan with these registered causes, which are part of the cache key."""
    wanted = [CAUSES.get(name) for name in settings.causes] or causes
    context = BuildContext(settings)
    calibration = calibration_items(context)
    pairs = {cause.name: cause.pairs(context, settings.count) for cause in causes if cause in wanted}
    decoys = {cause.name: cause.decoys(context, settings.count) for cause in causes if cause in wanted}
    held_out = held_out_items(context, RETENTION[settings.size])
    context.close()
    return Plan(context, MappingProxyType(pairs), MappingProxyType(decoys), calibration, held_out)


def make_from(settings: Settings) -> Dataset:
    """Build a dataset in memory from settings; see :func:`make`."""
    return _make(settings, tuple(CAUSES))


@lru_cache(maxsize=4)
def _make(settings: Settings, causes: tuple[CauseSpec, ...]) -> Dataset:
    planned = _plan(settings, causes)
    rows = TableRows()
    for cause, pairs in planned.pairs.items():
        for number, pair in enumerate(pairs):
            rows.extend(pair_rows(cause, number, pair, planned.context))
    for cause, decoys in planned.decoys.items():
        for number, item in enumerate(decoys):
            rows.extend(decoy_rows(cause, number, item, planned.context))
    rows.extend(calibration_rows(planned.calibration, planned.context))
    rows.items += held_out_rows(planned.held_out, planned.context)
    by_table: dict[Table, Sequence[Any]] = {
        "train": number_rows(rows.train),
        "items": rows.items,
        "knowledge": rows.knowledge,
        "shots": controlled_exemplars(settings.wide),
    }
    tables = {name: pa.Table.from_pylist(by_table[name], schema=SCHEMAS[name]) for name in TABLES}
    counts = RowCounts(**{name: table.num_rows for name, table in tables.items()})
    return Dataset(**tables, manifest=manifest_of(settings, counts, content_sha256(tables.values())))


def write(dataset: Dataset, out: Path) -> Path:
    """Write the dataset folder, whole or not at all; a folder that already holds the same dataset is left alone.

    Raises UsageError when ``out`` exists and holds anything else.
    """
    if (out / MANIFEST).is_file():
        if read_json(out / MANIFEST).get("content_sha256") != dataset.sha256:
            raise UsageError(f"{out} holds another dataset: choose a new folder or remove it")
        load(out)
        return out
    with new_folder(out) as folder:
        hashes = {}
        for name in TABLES:
            pq.write_table(dataset.table(name), folder / f"{name}.parquet", compression="zstd")
            hashes[f"{name}.parquet"] = file_sha256(folder / f"{name}.parquet")
        describe(folder, dataset.manifest.model_copy(update={"files": hashes}))
    return out


def load(path: Path | str) -> Dataset:
    """Read a dataset folder and check every file against the manifest.

    Raises UsageError when there is no dataset, ProblemError when a file is missing, changed or unreadable.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    tables = {
        name: pa.concat_tables(pq.read_table(folder / file) for file in manifest.files_of(name)) for name in TABLES
    }
    check_tables(folder, tables)
    rows = sum(table.num_rows for table in tables.values())
    if rows <= CHECKED and content_sha256(tables.values()) != manifest.content_sha256:
        raise ProblemError(f"{folder} does not hold the rows that its manifest names: remove it and build it again")
    return Dataset(**tables, manifest=manifest)


def check_tables(folder: Path, tables: dict[Table, pa.Table]) -> None:
    """Raise ProblemError where a table lacks a column, has one of another type, or a null where a value is required."""
    for name, table in tables.items():
        for field in SCHEMAS[name]:
            kind = table.schema.field(field.name).type if field.name in table.schema.names else None
            if kind != field.type:
                raise ProblemError(
                    f"{folder}/{name}.parquet has {'no column' if kind is None else f'a {kind} column'} "
                    f"{field.name!r}, {field.type} is wanted: build or import it again"
                )
            if field.name in REQUIRED[name] and table[field.name].null_count:
                raise ProblemError(
                    f"{folder}/{name}.parquet has rows without a value of {field.name!r}: build or import it again"
                )
        if name in ("train", "items") and not table.num_rows:
            raise ProblemError(f"{folder}/{name}.parquet has no rows: build or import it again")


def check_files(folder: Path, manifest: Manifest) -> None:
    """Raise ProblemError where a table has no file, or a file is missing or not the one the manifest names."""
    hashes = manifest.files or {}
    for name in (*hashes, *(f"{table}.parquet" for table in TABLES if not manifest.files_of(table))):
        file = folder / name
        if not file.is_file() or file_sha256(file) != hashes.get(name):
            raise ProblemError(f"{file} is missing or changed since it was built: remove {folder} and build it again")


def describe(folder: Path, manifest: Manifest) -> None:
    """Write the manifest and, of a controlled dataset, its card and Croissant metadata."""
    manifest.write(folder)
    if manifest.is_user_data:
        return
    (folder / "README.md").write_text(card([("", manifest)]))
    (folder / "croissant.json").write_text(json.dumps(croissant([("", manifest)]), indent=1) + "\n")
