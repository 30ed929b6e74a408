"""Datasets too large for memory: the same rows in the same order, streamed to numbered Parquet files.

The work is cut into jobs of ``JOB`` pairs, whatever the number of workers. A job writes its items and documents as
shards, and its training rows into ranges of the key that orders them; then each range is sorted on its own and becomes
a shard of ``train``. So memory is bounded by a job and a range, and bytes depend on the settings alone.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import new_folder, read_json
from ilp_bench.data.dataset import (
    END_OF_TABLE,
    check_files,
    describe,
    file_sha256,
    files_of,
    manifest,
    plan,
    row_id,
    update,
)
from ilp_bench.data.rows import SCHEMAS, TABLES, order, pair_rows, shot_rows
from ilp_bench.data.settings import Settings

JOB = 2_000  # pairs
RANGE = 4_000  # pairs whose training rows one range holds on average
LARGE = 5_000  # pairs a cause from which on a dataset is streamed
_KEYED = pa.schema([*(field for field in SCHEMAS["train"] if field.name != "row_id"), pa.field("key", pa.uint64())])


class Job(NamedTuple):
    """Some pairs of one cause, to be written below ``folder``."""

    settings: Settings
    folder: Path
    number: int
    cause: str
    start: int
    stop: int
    ranges: int


class Range(NamedTuple):
    """One range of the order of the training rows; ``first`` is the number of its first row."""

    folder: Path
    number: int
    first: int
    name: str


@contextmanager
def _mapper(workers: int) -> Iterator[Callable[[Any, Iterable[Any]], Iterable[Any]]]:
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
    if _built(settings, out):
        return out
    with new_folder(out) as folder, _mapper(workers) as mapper:
        total = sum(len(pairs) for pairs in planned.pairs.values())
        ranges = max(1, total // RANGE)
        spans = [
            (cause, start, min(start + JOB, len(pairs)))
            for cause, pairs in planned.pairs.items()
            for start in range(0, len(pairs), JOB)
        ]
        jobs = [Job(settings, folder, number, *span, ranges) for number, span in enumerate(spans)]
        counts = [0] * (ranges * settings.stages)
        for number, found in enumerate(mapper(_run, jobs)):
            counts = [total + new for total, new in zip(counts, found, strict=True)]
            report(0.6 * (number + 1) / len(jobs))
        _write(planned.retention, folder / f"items-{len(jobs):05d}.part", "items")
        _write(shot_rows(), folder / "shots.parquet", "shots")
        filled = [number for number, count in enumerate(counts) if count]
        firsts = [sum(counts[:number]) for number in filled]
        tasks = [
            Range(folder, number, first, f"train-{turn:05d}.part")
            for turn, (number, first) in enumerate(zip(filled, firsts, strict=True))
        ]
        for turn, _ in enumerate(mapper(_sort, tasks)):
            report(0.6 + 0.2 * (turn + 1) / len(tasks))
        for path in folder.glob("*.arrow"):
            path.unlink()
        hashes = _finish(folder)
        digest, rows = _content(folder, hashes, report)
        describe(folder, {**manifest(settings, rows, digest), "files": hashes})
    return out


def _built(settings: Settings, out: Path) -> bool:
    """Whether ``out`` holds that dataset, whole. Raises UsageError for another, ProblemError for a broken one."""
    if not (out / "manifest.json").is_file():
        return False
    found, wanted = read_json(out / "manifest.json"), manifest(settings, {}, "")
    if any(found.get(key) != wanted.get(key) for key in ("version", "size", "seed", "stages", "knobs")):
        raise UsageError(f"{out} holds another dataset: choose a new folder or remove it")
    check_files(out, found)
    return True


def _run(job: Job) -> list[int]:
    """Write one job; return how many training rows fell into each range of each stage."""
    planned, stages = plan(job.settings), job.settings.stages
    pairs = planned.pairs[job.cause]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for number in range(job.start, job.stop):
        for table, new in pair_rows(job.cause, number, pairs[number], planned.world).items():
            rows[table] += new
    for name in ("items", "knowledge"):
        if rows[name]:
            _write(rows[name], job.folder / f"{name}-{job.number:05d}.part", name)
    places: list[list[dict[str, Any]]] = [[] for _ in range(job.ranges * stages)]
    for row in rows["train"]:
        places[(row["stage"] - 1) * job.ranges + (row["key"] * job.ranges >> 64)].append(row)
    with pa.OSFile(str(job.folder / f"{job.number:05d}.arrow"), "wb") as sink, pa.ipc.new_file(sink, _KEYED) as writer:
        for place in places:
            writer.write_batch(pa.RecordBatch.from_pylist(place, schema=_KEYED))
    return [len(place) for place in places]


def _sort(task: Range) -> None:
    """Collect one range from all jobs, sort it, and write it."""
    rows: list[dict[str, Any]] = []
    for path in sorted(task.folder.glob("*.arrow")):
        with pa.memory_map(str(path)) as source:
            rows += pa.ipc.open_file(source).get_batch(task.number).to_pylist()
    rows.sort(key=order)
    for number, row in enumerate(rows, start=task.first):
        row["row_id"] = row_id(number)
    _write(rows, task.folder / task.name, "train")


def _write(rows: list[dict[str, Any]], path: Path, table: str) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMAS[table]), path, compression="zstd")


def _finish(folder: Path) -> dict[str, str]:
    """Give the parts their names as shards, and return the sha256 of every file."""
    for table in TABLES:
        parts = sorted(folder.glob(f"{table}-*.part"))
        if table == "knowledge" and not parts:
            _write([], folder / "knowledge.parquet", table)
        for number, part in enumerate(parts):
            part.rename(folder / f"{table}-{number:05d}-of-{len(parts):05d}.parquet")
    return {path.name: file_sha256(path) for path in sorted(folder.glob("*.parquet"))}


def _content(folder: Path, files: dict[str, str], report: Callable[[float], None]) -> tuple[str, dict[str, int]]:
    """The content hash and the number of rows of each table."""
    digest, rows, done = hashlib.sha256(), dict.fromkeys(TABLES, 0), 0
    for table in TABLES:
        for name in files_of(table, {"files": files}):
            for batch in pq.ParquetFile(folder / name).iter_batches(10_000):
                update(digest, pa.Table.from_batches([batch]))
                rows[table] += batch.num_rows
            done += 1
            report(0.8 + 0.2 * done / len(files))
        digest.update(END_OF_TABLE)
    return digest.hexdigest(), rows
