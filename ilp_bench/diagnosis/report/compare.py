"""A report beside an earlier one of the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
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
        report, columns = Report.model_validate(read_json(folder / REPORT)), pq.read_schema(folder / ROWS).names
    except (ValidationError, pa.ArrowException) as error:
        raise ProblemError(f"{folder} is damaged or of another version: diagnose again") from error
    if "key" not in columns:
        raise ProblemError(f"{folder} is of another version: diagnose again")
    return report


def change_since(folder: Path, results: Sequence[RowResult]) -> Change:
    """What changed since the report in ``folder``, over the answers asked both times."""
    earlier = read_report(folder)
    table = pq.read_table(folder / ROWS, columns=["key", "learned"]).to_pylist()
    before: Mapping[str, bool] = {row["key"]: row["learned"] for row in table}
    pairs = [(before[each.key], each.learned) for each in results if each.key in before]
    return Change(
        earlier=str(folder),
        learned_before=earlier.learned.value,
        common=len(pairs),
        newly_learned=sum(now and not then for then, now in pairs),
        newly_lost=sum(then and not now for then, now in pairs),
    )
