"""A user's own judgement of rows: whether tests passed, code compiled, or a judge was content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ilp_bench.core.errors import UsageError
from ilp_bench.data.row_file import read_rows

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


def _whole(value: Any) -> int | None:
    try:
        return int(value) if not isinstance(value, bool) and float(value).is_integer() else None
    except (TypeError, ValueError, OverflowError):
        return None
