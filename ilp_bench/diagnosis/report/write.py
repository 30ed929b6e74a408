"""Write the folder of a report: ``report.json``, ``rows.parquet``, ``index.html``, and what to train on next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.core.files import write_text
from ilp_bench.data.dataset import Dataset
from ilp_bench.diagnosis.report.compare import REPORT, ROWS
from ilp_bench.diagnosis.report.next_rows import KEPT, edits, write_next
from ilp_bench.diagnosis.report.page import Piece, page
from ilp_bench.diagnosis.report.record import Report
from ilp_bench.diagnosis.rows import RowResult
from ilp_bench.diagnosis.why.paraphrases import Disputes

PAGE = "index.html"
REASONS = pa.list_(
    pa.struct([("cause", pa.string()), ("sign", pa.string()), ("confidence", pa.float64()), ("evidence", pa.string())])
)


def rows_table(results: Sequence[RowResult]) -> pa.Table:
    """Every asked row with all that was measured of it."""
    rows = [each.model_dump() for each in results]
    table = pa.Table.from_pylist(rows)
    position = table.schema.get_field_index("reasons")
    reasons = pa.array([row["reasons"] for row in rows], type=REASONS)
    return table.set_column(position, pa.field("reasons", REASONS), reasons)


def write_report(
    work: Path,
    report: Report,
    results: Sequence[RowResult],
    data: Dataset,
    disputes: Disputes,
    pieces: Mapping[str, Sequence[Piece]],
    read: Callable[[], Iterator[tuple[int, Mapping[str, Any]]]],
    *,
    out: Path,
    seed: int,
) -> None:
    """Write all files of a report into ``work``; ``next.jsonl`` only where single rows are the reason.

    out      the folder of the report, as its commands name it
    read     the rows of the user's file with their numbers, from 1
    """
    made = [] if report.explained else edits(data, results, disputes)
    report.to_check = sum(edit.change == KEPT for edit in made)
    pq.write_table(rows_table(results), work / ROWS, compression="zstd")
    if made:
        write_next(work, made, read, seed)
    write_text(work / PAGE, page(report, results, pieces, made, out))
    write_text(work / REPORT, report.model_dump_json(indent=1) + "\n")
