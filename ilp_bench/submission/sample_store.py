"""``samples.parquet`` of a submission: the samples of all its runs in one small file, each distinct run once.

Rows stand in the order of the dataset. ``role`` and ``replicate`` say whose they are. A run that serves several
replicates (a base model, or a vanilla run that is itself submitted) is stored where it comes first. ``p`` is
exp(logprob) rounded to float32, for those who read the file by other means; here it is computed again from ``logprob``,
which keeps every bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ilp_bench.core.errors import ProblemError
from ilp_bench.records.run_record import SAMPLES, Run, RunRecord, Runs

ROLES = ("submission", "vanilla", "base")
P = SAMPLES.get_field_index("p")
FILE = pa.schema([("role", pa.string()), ("replicate", pa.int8()), *SAMPLES.set(P, pa.field("p", pa.float32()))])
STRINGS = [field.name for field in FILE if pa.types.is_string(field.type)]
SPLIT = ["logprob", "p", "shots_p", "belief_p", "entropy"]
MAX_FILE, MAX_UNPACKED, MAX_ROWS, MAX_TEXT = 64 * 2**20, 512 * 2**20, 2_000_000, 200
SHARED = 16  # base and vanilla runs that are remembered: a team submits many models beside the same few
Place = tuple[str, int]


def places(records: Sequence[dict[str, RunRecord | None]]) -> dict[Place, Place]:
    """(role, replicate) -> the (role, replicate) under which that run is stored; equal records are one run."""
    stored: list[tuple[RunRecord, Place]] = []
    found: dict[Place, Place] = {}
    for replicate, roles in enumerate(records):
        for role in ROLES:
            if (record := roles[role]) is not None:
                known = [place for other, place in stored if other == record]
                if not known:
                    stored.append((record, (role, replicate)))
                found[role, replicate] = known[0] if known else (role, replicate)
    return found


def write_samples(replicates: Sequence[Runs], file: Path) -> None:
    """Write the samples of all runs, each distinct run once."""
    where = places([{role: run and run.record for role, run in one._asdict().items()} for one in replicates])
    parts = []
    for role, replicate in dict.fromkeys(where.values()):
        table = getattr(replicates[replicate], role).samples
        logprob = table["logprob"].to_numpy() + 0.0  # no -0.0
        columns = {
            **{name: table[name] for name in SAMPLES.names},
            "logprob": pa.array(logprob),
            "p": pa.array(np.exp(logprob).astype(np.float32)),
            "role": pa.array([role] * table.num_rows),
            "replicate": pa.array(np.full(table.num_rows, replicate, dtype=np.int8)),
        }
        parts.append(pa.table({name: columns[name] for name in FILE.names}).cast(FILE))
    pq.write_table(
        pa.concat_tables(parts).combine_chunks(),
        file,
        compression="zstd",
        compression_level=19,
        use_dictionary=STRINGS,
        use_byte_stream_split=SPLIT,
        store_schema=False,
    )


def read_samples(file: Path) -> pa.Table:
    """The table with the columns of ``FILE``; strings stay dictionary-encoded, so that few bytes never become many.

    Raises ProblemError for a file that is too large, is no Parquet, has other columns, or declares more than it may.
    """
    try:
        if file.stat().st_size > MAX_FILE:
            raise ProblemError(f"{file} has {file.stat().st_size} bytes; at most {MAX_FILE} are read")
        with pq.ParquetFile(file, read_dictionary=STRINGS, arrow_extensions_enabled=False) as opened:
            _check_footer(file, opened)
            table = opened.read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise ProblemError(f"{file} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    for name in STRINGS:
        for chunk in table[name].chunks:
            longest = pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0
            if longest > MAX_TEXT:
                raise ProblemError(f"{file}: a text in column {name} has {longest} bytes; at most {MAX_TEXT} are read")
    return table


def _check_footer(file: Path, opened: pq.ParquetFile) -> None:
    """Whatever can be known before any row is unpacked."""
    meta = opened.metadata
    if not meta.schema.to_arrow_schema().equals(FILE):
        raise ProblemError(f"{file} does not have the columns of a submission: make it with 'ilp-bench submit'")
    groups = [meta.row_group(number) for number in range(meta.num_row_groups)]
    if meta.num_rows > MAX_ROWS or sum(group.num_rows for group in groups) != meta.num_rows:
        raise ProblemError(f"{file} declares {meta.num_rows} rows that its parts do not have: make it again")
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    unpacked = sum(chunk.total_uncompressed_size for chunk in chunks)
    values = max((chunk.num_values for chunk in chunks), default=0)
    if unpacked > MAX_UNPACKED or values > 10 * MAX_ROWS:
        raise ProblemError(f"{file} would unpack to {unpacked} bytes and {values} values: more than is read")


class Part:
    """The rows of one run. Two are equal where all values are, so that work on one serves the other."""

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Part) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def digest(self) -> bytes:
        """Hash over the values, as Arrow lays them out."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.rows.schema) as stream:
            stream.write_table(self.rows)
        return hashlib.sha256(sink.getvalue()).digest()


def parts(table: pa.Table, records: Sequence[dict[str, RunRecord | None]]) -> dict[Place, Part]:
    """The rows of each distinct run that the records name and the table has."""
    role = pc.index_in(table["role"].cast(pa.string()), value_set=pa.array(ROLES)).fill_null(-1).to_numpy()
    replicate = table["replicate"].fill_null(-1).to_numpy()
    plain, found = table.drop_columns(["role", "replicate"]), {}
    for place in dict.fromkeys(places(records).values()):
        here = np.flatnonzero((role == ROLES.index(place[0])) & (replicate == place[1]))
        if len(here):
            together = here[-1] - here[0] + 1 == len(here)
            rows = plain.slice(here[0], len(here)) if together else plain.take(pa.array(here))
            found[place] = Part(rows.combine_chunks())
    return found


def split(found: dict[Place, Part], records: Sequence[dict[str, RunRecord | None]]) -> list[Runs]:
    """The runs of each replicate, with the columns of ``SAMPLES`` and p as exp(logprob).

    A base or vanilla run that many submissions share is one object.
    """
    where = places(records)
    runs: dict[Place, Run] = {}
    for (role, replicate), part in found.items():
        if record := records[replicate][role]:
            shared = role != "submission"
            runs[role, replicate] = _shared(part, record.model_dump_json()) if shared else _run(part, record)
    return [
        Runs(
            runs[where["submission", n]],
            runs[where["vanilla", n]],
            runs[where["base", n]] if ("base", n) in where else None,
        )
        for n in range(len(records))
    ]


@lru_cache(maxsize=SHARED)
def _shared(part: Part, record: str) -> Run:
    return _run(part, RunRecord.model_validate_json(record))


def _run(part: Part, record: RunRecord) -> Run:
    p: Any = pa.array(np.exp(part.rows["logprob"].to_numpy()))
    return Run(record, part.rows.set_column(P, "p", p).cast(SAMPLES))
