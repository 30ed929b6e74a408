"""The controlled training set: build it, write it, load it, and know that it is the one that was meant.

A dataset is a folder of Parquet files and a ``manifest.json``. It depends on (size, seed, version) alone. Each
file has a sha256 of its bytes; ``content_sha256`` is taken over the rows, so it does not depend on the Parquet
writer, and is what run records and submissions carry.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import new_folder, read_json
from ilp_bench.data.card import card, croissant
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.causes.common import Pairs, World
from ilp_bench.data.rows import SCHEMAS, TABLES, Rows, order, pair_rows, retention_rows, shot_rows
from ilp_bench.data.settings import RETENTION, Settings

VERSION = "2"
OWN = "own"  # the size of a dataset of somebody's own rows, see ilp_bench.data.user_data


@dataclass(frozen=True)
class Dataset:
    """The four tables of one (size, seed), with the manifest that identifies them."""

    train: pa.Table
    items: pa.Table
    knowledge: pa.Table
    shots: pa.Table
    manifest: dict[str, Any]

    @property
    def sha256(self) -> str:
        """The content hash over all tables."""
        return str(self.manifest["content_sha256"])

    @property
    def own(self) -> bool:
        """Whether these are somebody's own rows, without causes and arms."""
        return bool(self.manifest["size"] == OWN)

    def controlled(self, what: str) -> Dataset:
        """This dataset; raises UsageError where it is of one's own rows, which ``what`` cannot use."""
        if self.own:
            raise UsageError(f"{what} is for controlled datasets: rows of your own have no causes and arms")
        return self


def make(size: str = "mini", seed: int = 0, **knobs: Any) -> Dataset:
    """Build a dataset in memory; ``knobs`` are those of :class:`Settings`.

    Raises UsageError when a value is impossible or facts do not suffice.
    """
    return make_from(Settings(size, seed, **knobs))


class Plan(NamedTuple):
    """Everything about a dataset before its rows are made; the same in every process."""

    world: World
    pairs: dict[str, Pairs]
    retention: Rows


@cache
def plan(settings: Settings) -> Plan:
    """Deal subjects to causes, in the order of the paper. Raises UsageError where facts do not suffice."""
    wanted = [CAUSES.get(name) for name in settings.causes] or list(CAUSES)
    world = World(settings)
    pairs = {cause.name: cause.pairs(world, settings.count) for cause in CAUSES if cause in wanted}
    return Plan(world, pairs, retention_rows(world, RETENTION[settings.size]))


@cache
def make_from(settings: Settings) -> Dataset:
    """Build a dataset in memory from settings; see :func:`make`."""
    planned = plan(settings)
    rows: dict[str, Rows] = {name: [] for name in TABLES}
    for name, pairs in planned.pairs.items():
        for number, pair in enumerate(pairs):
            for table, new in pair_rows(name, number, pair, planned.world).items():
                rows[table] += new
    rows["items"] += planned.retention
    rows["shots"] = shot_rows()
    rows["train"].sort(key=order)
    for number, row in enumerate(rows["train"]):
        row["row_id"] = row_id(number)
    built = {name: pa.Table.from_pylist(rows[name], schema=SCHEMAS[name]) for name in TABLES}
    counts = {name: table.num_rows for name, table in built.items()}
    return Dataset(**built, manifest=manifest(settings, counts, content_sha256(built.values())))


def row_id(number: int) -> str:
    """The id of the training row that comes ``number``-th."""
    return f"row-{number:06d}"


def manifest(settings: Settings, rows: dict[str, int], sha256: str) -> dict[str, Any]:
    """What identifies a dataset; ``knobs`` only where some differ from the defaults."""
    knobs = settings.knobs()
    return {
        "name": "ilp-bench",
        "version": VERSION,
        "size": settings.size,
        "seed": settings.seed,
        "stages": settings.stages,
        "rows": rows,
        "content_sha256": sha256,
    } | ({"knobs": knobs} if knobs else {})


def content_sha256(tables: Iterable[pa.Table]) -> str:
    """A hash of the rows as canonical JSON, independent of the Parquet writer."""
    digest = hashlib.sha256()
    for table in tables:
        update(digest, table)
        digest.update(END_OF_TABLE)
    return digest.hexdigest()


END_OF_TABLE = b"\0"
KEYS = {"size": str, "seed": int, "stages": int, "rows": dict, "content_sha256": str, "files": dict}
NEEDED = {
    "train": ("row_id", "item_id", "stage", "prompt", "completion", "messages"),
    "items": ("probe_id", "item_id", "probe", "prompt", "answer"),
    "knowledge": ("entity", "text"),
    "shots": ("prompt", "completion"),
}
CHECKED = 300_000  # rows up to which reading a dataset also checks them against the content hash


def update(digest: Any, table: pa.Table) -> None:
    """Add a table's rows, or some of them, to the content hash."""
    for batch in table.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            clean = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
            digest.update(json.dumps(clean, sort_keys=True, ensure_ascii=False).encode() + b"\n")


def write(dataset: Dataset, out: Path) -> Path:
    """Write the dataset folder, whole or not at all; a folder that already holds the same dataset is left alone.

    Raises UsageError when ``out`` exists and holds anything else.
    """
    if (out / "manifest.json").is_file():
        if read_json(out / "manifest.json").get("content_sha256") != dataset.sha256:
            raise UsageError(f"{out} holds another dataset: choose a new folder or remove it")
        load(out)
        return out
    with new_folder(out) as folder:
        hashes = {}
        for name in TABLES:
            pq.write_table(getattr(dataset, name), folder / f"{name}.parquet", compression="zstd")
            hashes[f"{name}.parquet"] = file_sha256(folder / f"{name}.parquet")
        describe(folder, {**dataset.manifest, "files": hashes})
    return out


def load(path: Path | str) -> Dataset:
    """Read a dataset folder and check every file against the manifest.

    Raises UsageError when there is no dataset, ProblemError when a file is missing, changed or unreadable.
    """
    folder = Path(path)
    if not (folder / "manifest.json").is_file():
        raise UsageError(f"{folder} is no dataset (no manifest.json): build or import one there first")
    found = read_json(folder / "manifest.json")
    if found.get("version") != VERSION:
        raise ProblemError(
            f"{folder} has dataset version {found.get('version')!r}, this is {VERSION!r}: build or import it again"
        )
    wrong = [key for key, kind in KEYS.items() if not isinstance(found.get(key), kind)]
    if wrong:
        raise ProblemError(
            f"{folder}/manifest.json has no valid {' and '.join(wrong)}: remove {folder}, build it again"
        )
    check_files(folder, found)
    tables = {
        name: pa.concat_tables([pq.read_table(folder / file) for file in files_of(name, found)]) for name in TABLES
    }
    check_tables(folder, tables)
    rows = sum(table.num_rows for table in tables.values())
    if rows <= CHECKED and content_sha256(tables.values()) != found["content_sha256"]:
        raise ProblemError(f"{folder} does not hold the rows that its manifest names: remove it and build it again")
    return Dataset(**tables, manifest=found)


def check_tables(folder: Path, tables: dict[str, pa.Table]) -> None:
    """Raise ProblemError where a table lacks a column, has another type, or has nothing where there must be a value."""
    for name, table in tables.items():
        for field in SCHEMAS[name]:
            found = table.schema.field(field.name).type if field.name in table.schema.names else None
            if found != field.type:
                raise ProblemError(
                    f"{folder}/{name}.parquet has {'no column' if found is None else f'a {found} column'} "
                    f"{field.name!r}, {field.type} is wanted: build or import it again"
                )
            if field.name in NEEDED[name] and table[field.name].null_count:
                raise ProblemError(
                    f"{folder}/{name}.parquet has rows without a value of {field.name!r}: build or import it again"
                )
        if name in ("train", "items") and not table.num_rows:
            raise ProblemError(f"{folder}/{name}.parquet has no rows: build or import it again")


def check_files(folder: Path, manifest: dict[str, Any]) -> None:
    """Raise ProblemError where a table has no file, or a file is missing or not the one the manifest names."""
    hashes = manifest.get("files", {})
    for name in (*hashes, *(f"{table}.parquet" for table in TABLES if not files_of(table, manifest))):
        file = folder / name
        if not file.is_file() or file_sha256(file) != hashes.get(name):
            raise ProblemError(f"{file} is missing or changed since it was built: remove {folder} and build it again")


def files_of(table: str, manifest: dict[str, Any]) -> list[str]:
    """The Parquet files of one table, in order: one, or numbered shards."""
    return sorted(name for name in manifest.get("files", {}) if name.split(".")[0].split("-")[0] == table)


def describe(folder: Path, manifest: dict[str, Any]) -> None:
    """Write what stands beside the tables: the manifest and, but for rows of one's own, card and Croissant metadata."""
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    if manifest["size"] == OWN:
        return
    (folder / "README.md").write_text(card([("", manifest)]))
    (folder / "croissant.json").write_text(json.dumps(croissant([("", manifest)]), indent=1) + "\n")


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
