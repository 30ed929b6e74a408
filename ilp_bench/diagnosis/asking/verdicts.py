"""A user's own judgement of rows: whether tests passed, code compiled, or a judge was content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.row_file import read_rows
from ilp_bench.diagnosis.asking.steps import rows_read
from ilp_bench.diagnosis.question import Question

COLUMNS = ("row", "passes", "tries")


def read_verdicts(file: Path) -> dict[int, float]:
    """Row of the training file, from 1 -> share of the tries that passed, from a file with the columns ``COLUMNS``.

    Raises UsageError for a file that cannot be read, or whose numbers are impossible.
    """
    shares: dict[int, float] = {}
    for number, values, problem in read_rows(file):
        if values is None:
            raise UsageError(f"{file}, row {number}: {problem}")
        row, passes, tries = (_whole(values.get(name)) for name in COLUMNS)
        if row is None or passes is None or tries is None or row < 1 or not 0 <= passes <= tries or tries < 1:
            raise UsageError(
                f"{file}, row {number}: row, passes and tries must be whole numbers, passes at most tries, not {values}"
            )
        shares[row] = passes / tries
    return shares


def check_verdicts(verdicts: Mapping[int, float], question: Question, data: Dataset) -> None:
    """Raise UsageError where verdicts are on rows that the training file does not have."""
    last = max(verdicts)
    if last <= max(data.train["source_row"].to_pylist()):
        return
    count = max(row.number for row in rows_read(question))
    if last > count:
        raise UsageError(
            f"a verdict is on row {last}, and {question.rows} has {count} rows: give verdicts on these rows"
        )


def _whole(value: Any) -> int | None:
    try:
        return int(value) if not isinstance(value, bool) and float(value).is_integer() else None
    except (TypeError, ValueError, OverflowError):
        return None
