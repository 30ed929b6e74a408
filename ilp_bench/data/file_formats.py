"""Rows of one file: JSON, CSV, Parquet or Arrow, compressed or not, by its content before its name."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import LFS_POINTER
from ilp_bench.core.json_problem import json_problem

Json = dict[str, Any]
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".arrow")
SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods")
BATCH = 1000  # rows of a Parquet or Arrow file in memory at a time
END = "end of the file"  # stands behind the last line of a CSV file
NO_DATA = {  # how files begin that hold no rows
    LFS_POINTER: "is a Git LFS pointer, not the file itself: run 'git lfs pull' where it came from",
    b"\xff\xfe": "is UTF-16: save it as UTF-8",
    b"\xfe\xff": "is UTF-16: save it as UTF-8",
    b"PK\x03\x04": "is a zip archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "is compressed with Zstandard: unpack it first",
    b"<!DOCTYPE": "is a web page, not a data file: download it again",
    b"<html": "is a web page, not a data file: download it again",
}


def file_rows(path: Path) -> Iterator[Json | str]:
    """The rows of a file; a text stands for a row that cannot be read, and says why.

    Raises UsageError for an empty file and one of another kind, and what its reader raises where it is damaged.
    """
    with path.open("rb") as file:
        start = file.read(64)
    if path.suffix.lower() in SPREADSHEETS:
        raise UsageError(f"{path} is a spreadsheet: save the sheet as CSV in UTF-8")
    for begin, what in NO_DATA.items():
        if start.startswith(begin):
            raise UsageError(f"{path} {what}")
    if not start:
        raise UsageError(f"{path} holds no rows: it is empty")
    suffix = path.suffix.lower()
    if start.startswith(b"PAR1") or suffix == ".parquet":
        return _parquet_rows(path)
    if start.startswith(b"ARROW1") or suffix == ".arrow":
        return _arrow_rows(path)
    opener = OPENERS[".gz"] if start.startswith(b"\x1f\x8b") else OPENERS.get(suffix, open_bytes)
    kind = Path(path.stem).suffix.lower() if suffix in OPENERS else suffix
    if kind in (".csv", ".tsv"):
        return _csv_rows(path, opener, "\t,;" if kind == ".tsv" else ",;\t")
    return _json_rows(path, opener)


def open_bytes(path: Path) -> IO[bytes]:
    """The file as it is."""
    return path.open("rb")


def _parquet_rows(path: Path) -> Iterator[Json | str]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH):
            yield from _batch_rows(batch)


def _arrow_rows(path: Path) -> Iterator[Json | str]:
    """Rows of an Arrow file, or of a stream, as ``datasets`` writes them."""
    with pa.memory_map(str(path)) as source:
        try:
            reader = pa.ipc.open_stream(source)
            batches: Any = reader
        except pa.ArrowInvalid:
            source.seek(0)
            reader = pa.ipc.open_file(source)
            batches = (reader.get_batch(n) for n in range(reader.num_record_batches))
        for batch in batches:
            for start in range(0, batch.num_rows, BATCH):
                yield from _batch_rows(batch.slice(start, BATCH))


def _batch_rows(batch: pa.RecordBatch) -> Iterator[Json]:
    """The rows of a batch, also where Python cannot express a cell, which may be in a column that nobody uses."""
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        columns = [[_cell(value) for value in column] for column in batch.columns]
        for cells in zip(*columns, strict=True):
            yield dict(zip(batch.schema.names, cells, strict=True))


def _cell(value: Any) -> Any:
    """A value of Arrow; text that is not UTF-8 has lone surrogates, a date out of Python's range is its number."""
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        if isinstance(value, pa.StructScalar):
            return {name: _cell(each) for name, each in value.items()}
        if isinstance(value, pa.ListScalar):
            return [_cell(each) for each in value.values]
        if isinstance(value, pa.StringScalar):
            return value.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
        return getattr(value, "value", str(value.type))


def _text(binary: IO[bytes], newline: str) -> io.TextIOWrapper:
    """UTF-8 text; bytes that are none become lone surrogates, by which the row that holds them is recognised."""
    return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline=newline)


def _csv_rows(path: Path, opener: Callable[[Path], IO[bytes]], delimiters: str) -> Iterator[Json | str]:
    """Cells are texts as they stand: a trainer that learned 007 did not learn 7. Empty ones are missing.

    delimiters   what may stand between cells, the likeliest first

    Raises UsageError where a quoted cell reaches to the end of the file, with all rows behind it.
    """
    csv.field_size_limit(sys.maxsize)
    with _text(opener(path), newline="") as file:
        blank, first = next(((n, line) for n, line in enumerate(file) if line.strip()), (0, ""))
        reader = csv.reader(chain([first], file, [END]), delimiter=max(delimiters, key=first.count))
        header, cells, begins, ends = list[str](), list[str](), 0, 0
        for following in reader:
            if not header:
                header = cells
            elif len(cells) == len(header):
                yield {name: cell or None for name, cell in zip(header, cells, strict=True)}
            elif cells:
                yield f"the row has {len(cells)} cells, the header {len(header)}"
            cells, begins, ends = following, ends + 1, reader.line_num
        if cells != [END]:
            raise UsageError(
                f"{path} has a quoted cell that never ends, in the row that begins in line {blank + begins}: close the "
                "quotation mark, or double it where it belongs to the text"
            )


def _json_rows(path: Path, opener: Callable[[Path], IO[bytes]]) -> Iterator[Json | str]:
    """One object a line, or a whole file that is an array, or an object with one array of rows."""
    with _text(opener(path), newline="\n") as file:
        first = next((line for line in file if line.strip()), "")
        if not first:
            raise UsageError(f"{path} holds no rows: it is empty")
        rows, value = None, _parsed(first)
        if first.lstrip().startswith("[") or not isinstance(value, dict) or _rows_in(value):
            rest = file.read()
            rows = _rows_in(_parsed(first + rest) if rest.strip() else value)
        if rows is not None:
            yield from (row if isinstance(row, dict) else "the row is not a JSON object" for row in rows)
            return
        file.seek(0)
        for number, line in enumerate(file, 1):
            if line.strip():
                row = _parsed(line)
                yield (
                    row
                    if isinstance(row, dict)
                    else f"line {number} is not a JSON object" + (f" ({row})" if isinstance(row, _NoJson) else "")
                )


class _NoJson(str):
    """Why a text is not JSON."""


def _parsed(text: str) -> Any:
    """The value that a JSON text stands for, or ``_NoJson``."""
    try:
        return json.loads(text.removeprefix("\ufeff").rstrip())
    except (ValueError, RecursionError) as error:
        return _NoJson(json_problem(error))


def _rows_in(value: Any) -> list[Any] | None:
    """The rows of an array, or of the one array of objects that an object has; None where there are none."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict) or "messages" in value or "conversations" in value:
        return None
    arrays = [each for each in value.values() if isinstance(each, list) and each and isinstance(each[0], dict)]
    return arrays[0] if len(arrays) == 1 else None
