"""Datasets too large for memory: the same rows in the same order, streamed to numbered Parquet files.

The work is cut into jobs of ``JOB`` pairs or decoys, whatever the number of workers. A job writes its items and
documents as shards, and its training rows into ranges of the key that orders them; then each range is sorted on its own
and becomes a shard of ``train``. So memory is bounded by a job and a range, and bytes depend on the settings alone.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import file_sha256, new_folder, read_json
from ilp_bench.data.content_hash import ContentHash
from ilp_bench.data.dataset import Plan, check_files, describe, plan
from ilp_bench.data.exemplars import controlled_exemplars
from ilp_bench.data.manifest import MANIFEST, RowCounts, files_of, manifest_of, read_manifest
from ilp_bench.data.rows import (
    TableRows,
    UnsortedRow,
    calibration_rows,
    decoy_rows,
    held_out_rows,
    number_rows,
    pair_rows,
)
from ilp_bench.data.schema import SCHEMAS, TABLES, Table
from ilp_bench.data.settings import Settings

JOB = 500  # pairs or decoys
RANGE = 1_000  # pairs whose training rows one range holds on average
LARGE = 5_000  # pairs a cause from which on a dataset is streamed
Part = Literal["pairs", "decoys", "calibration"]
KEY_BITS = 64  # of ``order_key``
_UNSORTED = pa.schema(
    [*(field for field in SCHEMAS["train"] if field.name != "row_id"), pa.field("order_key", pa.uint64())]
)


class Job(NamedTuple):
    """Some pairs or decoys of one cause, or all calibration items, to be written below ``folder``."""

    settings: Settings
    folder: Path
    number: int
    part: Part
    cause: str
    start: int
    stop: int
    ranges: int


class Range(NamedTuple):
    """One range of the order of the training rows; ``first`` is the number of its first row."""

    folder: Path
    number: int
    first: int
    file_name: str


@contextmanager
def _mapper(workers: int) -> Iterator[Callable[[Any, Iterable[Any]], Iterable[Any]]]:
    """``map`` in this process, or over a pool of ``workers`` processes; results come in order."""
    if workers == 1:
        yield map
    else:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            yield pool.imap


def build(settings: Settings, out: Path, *, workers: int = 1, progress: Callable[[float], None] | None = None) -> Path:
    """Stream a dataset to ``out``, whole or not at all; ``progress`` gets the share that is done, in [0, 1].

    Raises UsageError when ``out`` holds anything else, or when facts do not suffice.
    """
    if workers < 1:
        raise UsageError(f"{workers} workers are impossible: at least 1")
    planned, report = plan(settings), progress or (lambda share: None)
    if _is_built(settings, out):
        return out
    with new_folder(out) as folder, _mapper(workers) as mapper:
        jobs = _jobs(settings, folder, planned)
        counts = [0] * (jobs[0].ranges * settings.stages)  # training rows in each range of each stage
        for number, job_counts in enumerate(mapper(_run, jobs)):
            counts = [total + new for total, new in zip(counts, job_counts, strict=True)]
            report(0.6 * (number + 1) / len(jobs))
        held_out = list(held_out_rows(planned.held_out, planned.context))
        _write(held_out, folder / f"items-{len(jobs):05d}.part", "items")
        _write(controlled_exemplars(settings.wide), folder / "shots.parquet", "shots")
        ranges = _ranges(folder, counts)
        for turn, _ in enumerate(mapper(_sort, ranges)):
            report(0.6 + 0.2 * (turn + 1) / len(ranges))
        for path in folder.glob("*.arrow"):
            path.unlink()
        hashes = _name_shards(folder)
        content_sha256, rows = _content(folder, hashes, report)
        describe(folder, manifest_of(settings, rows, content_sha256).model_copy(update={"files": hashes}))
    return out


def _is_built(settings: Settings, out: Path) -> bool:
    """Whether ``out`` holds that dataset, whole. Raises UsageError for another, ProblemError for a broken one."""
    if not (out / MANIFEST).is_file():
        return False
    present = read_json(out / MANIFEST)
    wanted = manifest_of(settings, RowCounts(train=0, items=0, knowledge=0, shots=0), "").to_json()
    if any(present.get(key) != wanted.get(key) for key in ("version", "size", "seed", "stages", "knobs")):
        raise UsageError(f"{out} holds another dataset: choose a new folder or remove it")
    check_files(out, read_manifest(out))
    return True


def _jobs(settings: Settings, folder: Path, planned: Plan) -> list[Job]:
    """The jobs that make what is planned, in the order of its items."""
    ranges = max(1, sum(map(len, planned.pairs.values())) // RANGE)
    parts: tuple[tuple[Part, Mapping[str, Sized]], ...] = (("pairs", planned.pairs), ("decoys", planned.decoys))
    spans: list[tuple[Part, str, int, int]] = [
        (part, cause, start, min(start + JOB, len(members)))
        for part, by_cause in parts
        for cause, members in by_cause.items()
        for start in range(0, len(members), JOB)
    ]
    spans.append(("calibration", "", 0, 0))
    return [Job(settings, folder, number, *span, ranges) for number, span in enumerate(spans)]


def _ranges(folder: Path, counts: Sequence[int]) -> list[Range]:
    """The ranges that have rows, each with the number of its first row."""
    filled = [number for number, count in enumerate(counts) if count]
    return [Range(folder, number, sum(counts[:number]), f"train-{turn:05d}.part") for turn, number in enumerate(filled)]


def _run(job: Job) -> list[int]:
    """Write one job; return how many training rows fell into each range of each stage."""
    planned, stages = plan(job.settings), job.settings.stages
    rows = calibration_rows(planned.calibration, planned.context) if job.part == "calibration" else TableRows()
    for number in range(job.start, job.stop):
        if job.part == "pairs":
            rows.extend(pair_rows(job.cause, number, planned.pairs[job.cause][number], planned.context))
        else:
            rows.extend(decoy_rows(job.cause, number, planned.decoys[job.cause][number], planned.context))
    _write(rows.items, job.folder / f"items-{job.number:05d}.part", "items")
    if rows.knowledge:
        _write(rows.knowledge, job.folder / f"knowledge-{job.number:05d}.part", "knowledge")
    ranges: list[list[UnsortedRow]] = [[] for _ in range(job.ranges * stages)]
    for row in rows.train:
        ranges[(row["stage"] - 1) * job.ranges + (row["order_key"] * job.ranges >> KEY_BITS)].append(row)
    file = str(job.folder / f"{job.number:05d}.arrow")
    with pa.OSFile(file, "wb") as sink, pa.ipc.new_file(sink, _UNSORTED) as writer:
        for members in ranges:
            writer.write_batch(pa.RecordBatch.from_pylist(members, schema=_UNSORTED))
    return [len(members) for members in ranges]


def _sort(task: Range) -> None:
    """Collect one range from all jobs, sort it, and write it."""
    rows: list[UnsortedRow] = []
    for path in sorted(task.folder.glob("*.arrow")):
        with pa.memory_map(str(path)) as source:
            rows += pa.ipc.open_file(source).get_batch(task.number).to_pylist()
    _write(number_rows(rows, task.first), task.folder / task.file_name, "train")


def _write(rows: Sequence[Any], path: Path, table: Table) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMAS[table]), path, compression="zstd")


def _name_shards(folder: Path) -> dict[str, str]:
    """Give the parts their names as shards, and return the sha256 of every file."""
    for table in TABLES:
        parts = sorted(folder.glob(f"{table}-*.part"))
        if table == "knowledge" and not parts:
            _write([], folder / "knowledge.parquet", table)
        for number, part in enumerate(parts):
            part.rename(folder / f"{table}-{number:05d}-of-{len(parts):05d}.parquet")
    return {path.name: file_sha256(path) for path in sorted(folder.glob("*.parquet"))}


def _content(folder: Path, files: Iterable[str], report: Callable[[float], None]) -> tuple[str, RowCounts]:
    """The content hash and the number of rows of each table."""
    digest, counts, names = ContentHash(), dict.fromkeys(TABLES, 0), list(files)
    done = 0
    for table in TABLES:
        for name in files_of(table, names):
            for batch in pq.ParquetFile(folder / name).iter_batches(10_000):
                digest.update(pa.Table.from_batches([batch]))
                counts[table] += batch.num_rows
            done += 1
            report(0.8 + 0.2 * done / len(names))
        digest.end_table()
    return digest.hexdigest(), RowCounts(**counts)
