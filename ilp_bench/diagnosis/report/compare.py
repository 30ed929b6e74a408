"""A report beside an earlier one of the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import ValidationError

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import read_json
from ilp_bench.diagnosis.report.record import Change, Report
from ilp_bench.diagnosis.rows import RowResult

REPORT, ROWS = "report.json", "rows.parquet"


def read_report(folder: Path) -> Report:
    """The report in a folder. Raises UsageError where there is none, ProblemError where it is damaged."""
    if not (folder / REPORT).is_file() or not (folder / ROWS).is_file():
        raise UsageError(
            f"{folder} is not a report ({REPORT} or {ROWS} is missing): give the folder of an earlier diagnosis"
        )
    try:
        return Report.model_validate(read_json(folder / REPORT))
    except ValidationError as error:
        raise ProblemError(f"{folder / REPORT} is of another version: diagnose again") from error


def change_since(folder: Path, results: Sequence[RowResult]) -> Change:
    """What changed since the report in ``folder``, over the answers asked both times."""
    earlier = read_report(folder)
    table = pq.read_table(folder / ROWS, columns=["question", "answer", "learned"]).to_pylist()
    before: Mapping[tuple[str, str], bool] = {(row["question"], row["answer"]): row["learned"] for row in table}
    pairs = [
        (before[each.question, each.answer], each.learned) for each in results if (each.question, each.answer) in before
    ]
    return Change(
        earlier=str(folder),
        learned_before=earlier.learned.value,
        common=len(pairs),
        newly_learned=sum(now and not then for then, now in pairs),
        newly_lost=sum(then and not now for then, now in pairs),
    )
