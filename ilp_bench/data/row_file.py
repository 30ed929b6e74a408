"""Rows of training files as plain dictionaries, one after another: JSON, CSV, Parquet, Arrow, folders, Hub datasets."""

from __future__ import annotations

import csv
import lzma
import math
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import HUB_ID
from ilp_bench.core.logs import quiet
from ilp_bench.data.file_formats import OPENERS, SUFFIXES, Json, file_rows


class RawRow(NamedTuple):
    """A row as the file has it.

    number    position in the file, from 1
    values    column -> value, None where a value is missing; None for a row that cannot be read
    problem   why it cannot be read
    """

    number: int
    values: Json | None
    problem: str = ""


def read_rows(source: Path | str, *, subset: str | None = None, split: str | None = None) -> Iterator[RawRow]:
    """Yield the rows of a file, of a folder of files, or of a dataset on the Hub (``org/name``, ``org/name@revision``).

    subset, split   of a folder or a Hub dataset; by default its only subset, and ``train``

    Raises UsageError where there is nothing to read, or it is of another kind than its name says.
    """
    path = Path(source)
    if path.is_file():
        if subset or split:
            raise UsageError(f"{path} is a file: subset and split are for folders and Hub datasets")
        return _numbered(path, file_rows(path))
    if path.is_dir():
        return _numbered(path, _folder_rows(path, subset, split or "train"))
    if HUB_ID.fullmatch(str(source)) and path.suffix not in (*SUFFIXES, *OPENERS):
        return _numbered(path, _hub_rows(str(source), subset, split or "train"))
    raise UsageError(
        f"{source} is not a file: give a file, a folder or a Hub id as org/name; {', '.join(SUFFIXES)} are read"
    )


def _numbered(source: Path, rows: Iterator[Json | str]) -> Iterator[RawRow]:
    """Number the rows, without NaN; a text instead of a row is its problem. Raises UsageError for damaged files."""
    try:
        for number, row in enumerate(rows, 1):
            yield RawRow(number, None, row) if isinstance(row, str) else RawRow(number, _without_nan(row))
    except (OSError, EOFError, zlib.error, lzma.LZMAError, csv.Error, pa.ArrowException) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{source} cannot be read ({reason}): it is damaged, or not what its name says") from error


def _without_nan(row: Json) -> Json:
    """The row with None for NaN, which is how tables written by pandas say that a value is missing."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


def _folder_rows(folder: Path, subset: str | None, split: str) -> Iterator[Json | str]:
    """Rows of the files that ``datasets`` takes for one split of a folder, or of a dataset that it saved there."""
    import datasets

    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        saved = _asked(str(folder), lambda: datasets.load_from_disk(str(folder)))
        if isinstance(saved, dict):
            if split not in saved:
                raise UsageError(f"{folder} has no split {split!r}: choose one of {', '.join(saved)}")
            saved = saved[split]
        yield from saved
        return
    builder = _asked(str(folder), lambda: datasets.load_dataset_builder(str(folder), subset))
    files = builder.config.data_files or {}
    if split not in files:
        raise UsageError(f"{folder} has no split {split!r}: choose one of {', '.join(map(str, files)) or 'none'}")
    for file in files[split]:
        yield from file_rows(Path(file))


def _hub_rows(name: str, subset: str | None, split: str) -> Iterator[Json | str]:
    import datasets

    repository, _, revision = name.partition("@")
    yield from _asked(name, lambda: datasets.load_dataset(repository, subset, revision=revision or None, split=split))


def _asked(name: str, load: Callable[[], Any]) -> Any:
    """What ``datasets`` loads. Raises UsageError with the first line of its complaint, whatever it is."""
    try:
        with quiet():
            return load()
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(f"{name} cannot be read as a dataset: {lines[0]}") from error
