"""A file of training rows, JSON Lines or Parquet, as plain dictionaries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.core.errors import UsageError


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a ``.parquet`` file, or else of a file with one JSON object a line; never empty.

    Raises UsageError, with the line where there is one, when the file cannot be read as that.
    """
    if not file.is_file():
        raise UsageError(f"{file} is no file: give a .jsonl or .parquet file with training rows")
    rows = _parquet_rows(file) if file.suffix == ".parquet" else list(_json_rows(file))
    if not rows:
        raise UsageError(f"{file} holds no rows")
    return rows


def _parquet_rows(file: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{file} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    return rows


def _json_rows(file: Path) -> Iterator[dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is no UTF-8 text: give a .jsonl or .parquet file") from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{file}, line {number} is no JSON ({error}): write one object a line") from error
        if not isinstance(row, dict):
            raise UsageError(f"{file}, line {number} is no JSON object: write one object a line")
        yield row
