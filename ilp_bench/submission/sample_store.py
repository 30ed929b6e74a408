"""``samples.parquet`` of a submission: the samples of all its runs in one small file, each distinct run once.

Rows are in the order of the dataset. ``role`` and ``replicate`` say whose they are; ``replicate`` counts the runs of a
role. A run that stands in several places (a vanilla run that is itself submitted) is stored where it comes first.
``p`` is exp(logprob) rounded to float32, for those who read the file by other means; here it is computed again from
``logprob``, which keeps every bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.hashed_table import HashedTable
from ilp_bench.records.run_record import Run, RunRecord
from ilp_bench.records.samples import PROBE_COLUMNS, SAMPLES
from ilp_bench.submission.archive import FIXED, DatasetKey, dataset_items

ROLES = ("submission", "vanilla", "base")
P = SAMPLES.get_field_index("p")
FILE_SCHEMA = pa.schema([("role", pa.string()), ("replicate", pa.int8()), *SAMPLES.set(P, pa.field("p", pa.float32()))])
STRINGS = [field.name for field in FILE_SCHEMA if pa.types.is_string(field.type)]
SPLIT = ["logprob", "p", "shots_p", "belief_p", "entropy"]
MAX_FILE, MAX_UNPACKED, MAX_ROWS, MAX_TEXT = 64 * 2**20, 512 * 2**20, 2_000_000, 200
MOST_ROWS = {"mini": 3000, "core": 10_000}  # of a run on a dataset of that size; other sizes are not submitted
MOST_OPTIONS = 10  # of a row
CACHED_RUNS = 16  # base and vanilla runs: a team submits many models beside the same few
RunKey = tuple[str, int]  # role, and number among the runs of that role


def storage_keys(records: Mapping[RunKey, RunRecord]) -> dict[RunKey, RunKey]:
    """The key of each run -> the key under which its rows are stored; equal records are one run."""
    stored: dict[str, list[tuple[RunRecord, RunKey]]] = {}  # by the hash of the samples, as only those can be equal
    keys: dict[RunKey, RunKey] = {}
    for key, record in records.items():
        alike = stored.setdefault(record.samples_sha256, [])
        same = next((earlier for other, earlier in alike if other == record), None)
        if same is None:
            alike.append((record, key))
        keys[key] = same or key
    return keys


def write_samples(runs: Mapping[RunKey, Run], file: Path) -> None:
    """Write the samples of all runs, each distinct run once."""
    keys = storage_keys({key: run.record for key, run in runs.items()})
    tables = []
    for role, replicate in dict.fromkeys(keys.values()):
        table = runs[role, replicate].samples
        logprob = table["logprob"].to_numpy() + 0.0  # no -0.0
        columns = {
            **{name: table[name] for name in SAMPLES.names},
            "logprob": pa.array(logprob),
            "p": pa.array(np.exp(logprob).astype(np.float32)),
            "role": pa.array([role] * table.num_rows),
            "replicate": pa.array(np.full(table.num_rows, replicate, dtype=np.int8)),
        }
        tables.append(pa.table({name: columns[name] for name in FILE_SCHEMA.names}).cast(FILE_SCHEMA))
    pq.write_table(
        pa.concat_tables(tables).combine_chunks(),
        file,
        compression="zstd",
        compression_level=19,
        use_dictionary=STRINGS,
        use_byte_stream_split=SPLIT,
        store_schema=False,
    )


def most_rows(records: Mapping[RunKey, RunRecord]) -> int:
    """The most rows that the samples of these runs can have, by the sizes of their datasets, all of ``MOST_ROWS``."""
    distinct = dict.fromkeys(storage_keys(records).values())
    return sum(MOST_ROWS[records[key].data.size] for key in distinct)


def read_samples(file: Path, rows: int = 0) -> pa.Table:
    """The table of a samples file, columns of ``FILE_SCHEMA``; at most ``rows`` of them, where that is given.

    Strings stay dictionary-encoded, so that few bytes never become many.

    Raises ProblemError for a file that is too large, is no Parquet, has other columns, or declares more than it may.
    """
    try:
        if file.stat().st_size > MAX_FILE:
            raise ProblemError(f"{file} has {file.stat().st_size} bytes; at most {MAX_FILE} are read")
        with pq.ParquetFile(file, read_dictionary=STRINGS, arrow_extensions_enabled=False) as opened:
            if rows and opened.metadata.num_rows > rows:
                raise ProblemError(
                    f"{file} has {opened.metadata.num_rows} rows, its runs have at most {rows}: make it again"
                )
            _check_footer(file, opened)
            table = opened.read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise ProblemError(f"{file} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    for name in STRINGS:
        for chunk in table[name].chunks:
            try:
                chunk.dictionary.validate(full=True)
            except pa.ArrowInvalid as error:
                raise ProblemError(f"{file}: a text in column {name} is not UTF-8: make it again") from error
            longest = pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0
            if longest > MAX_TEXT:
                raise ProblemError(f"{file}: a text in column {name} has {longest} bytes; at most {MAX_TEXT} are read")
    return table


def _check_footer(file: Path, opened: pq.ParquetFile) -> None:
    """Whatever can be known before any row is unpacked."""
    meta = opened.metadata
    if not meta.schema.to_arrow_schema().equals(FILE_SCHEMA):
        raise ProblemError(f"{file} does not have the columns of a submission: make it with 'ilp-bench submit'")
    groups = [meta.row_group(number) for number in range(meta.num_row_groups)]
    if meta.num_rows > MAX_ROWS or sum(group.num_rows for group in groups) != meta.num_rows:
        raise ProblemError(f"{file} declares {meta.num_rows} rows that its parts do not have: make it again")
    chunks = [(group.num_rows, group.column(number)) for group in groups for number in range(group.num_columns)]
    unpacked = sum(chunk.total_uncompressed_size for _, chunk in chunks)
    if unpacked > MAX_UNPACKED:
        raise ProblemError(f"{file} would unpack to {unpacked} bytes: more than is read")
    if crowded := [chunk for rows, chunk in chunks if chunk.num_values > MOST_OPTIONS * rows]:
        values, column = crowded[0].num_values, crowded[0].path_in_schema
        raise ProblemError(f"{file} has {values} values in {column}: no row has more than {MOST_OPTIONS} options")


def rows_by_run(table: pa.Table, records: Mapping[RunKey, RunRecord]) -> dict[RunKey, HashedTable]:
    """The rows of each distinct run that the records name and the table has."""
    named = table["role"].combine_chunks().dictionary_encode()
    places = pc.index_in(named.dictionary, value_set=pa.array(ROLES)).fill_null(-1).to_numpy()
    roles = np.append(places, -1)[named.indices.fill_null(len(places)).to_numpy()]
    replicates = table["replicate"].fill_null(-1).to_numpy()
    samples, stored = table.drop_columns(["role", "replicate"]), {}
    for role, replicate in dict.fromkeys(storage_keys(records).values()):
        indices = np.flatnonzero((roles == ROLES.index(role)) & (replicates == replicate))
        if len(indices):
            contiguous = indices[-1] - indices[0] + 1 == len(indices)
            rows = samples.slice(indices[0], len(indices)) if contiguous else samples.take(pa.array(indices))
            one = HashedTable(rows.combine_chunks())
            stored[role, replicate] = one if role == "submission" else _held_once(one)
    return stored


@lru_cache(maxsize=CACHED_RUNS)
def _held_once(rows: HashedTable) -> HashedTable:
    """The first table with these values, so that later ones are found to be the same at once."""
    return rows


def restore_runs(stored: dict[RunKey, HashedTable], records: Mapping[RunKey, RunRecord]) -> dict[RunKey, Run]:
    """Every run that the records name, with the columns of ``SAMPLES`` and p as exp(logprob).

    The rows are those of a submission that was checked, so they name the items, arms and causes that their dataset
    gives them; in its order, these are held once for all runs on it. A base or vanilla run that many submissions share
    is one object. Raises KeyError where rows are missing.
    """
    runs: dict[RunKey, Run] = {}
    for key, rows in stored.items():
        record, is_shared = records[key], key[0] != "submission"
        runs[key] = _cached_run(_RowsOf(rows, record)) if is_shared else _run(rows, record)
    return {key: runs[place] for key, place in storage_keys(records).items()}


@dataclass(frozen=True)
class _RowsOf:
    """The rows of a run with its record, as the key of a cache; equal where both are."""

    rows: HashedTable
    record: RunRecord

    def __hash__(self) -> int:
        return hash(self.rows)


@lru_cache(maxsize=CACHED_RUNS)
def _cached_run(run: _RowsOf) -> Run:
    return _run(run.rows, run.record)


def _run(run: HashedTable, record: RunRecord) -> Run:
    rows, data = run.rows, record.data
    columns = dict(zip(rows.column_names, rows.columns, strict=True))
    columns["p"] = pa.chunked_array([np.exp(rows["logprob"].to_numpy())])
    asked, probes = _asked(DatasetKey(data.version, data.size, data.seed), data.content_sha256)
    is_in_order = rows["probe_id"].cast(pa.string()).equals(asked["probe_id"])
    if is_in_order:
        columns |= zip(asked.column_names, asked.columns, strict=True)
    samples = [_cast(columns[field.name], field.type) for field in SAMPLES]
    return Run(record, pa.Table.from_arrays(samples, schema=SAMPLES), probes if is_in_order else None)


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """The column itself where it is of that type."""
    return column if column.type.equals(wanted) else column.cast(wanted)


@lru_cache(maxsize=CACHED_RUNS)
def _asked(dataset: DatasetKey, content_sha256: str) -> tuple[pa.Table, HashedTable]:
    """The columns of a dataset that submitted rows repeat, in its order, and what its probes ask."""
    items = dataset_items(dataset, content_sha256).items.select(["probe_id", *FIXED])
    return items, HashedTable(items.select(list(PROBE_COLUMNS)))
