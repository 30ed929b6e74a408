"""The items of every dataset that a submission may name: read from a copy where that is the one, else built.

An entry is checked against the dataset it was measured on, whatever becomes of the data: the copies beside this file
hold what submitted rows are compared with and what the site shows of an item.

    python -m ilp_bench.submission.archive

writes them for all datasets of the current version that ``submissions`` uses: to be run before the data change.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.core.errors import UsageError
from ilp_bench.data import dataset, manifest
from ilp_bench.data.causes import CAUSES

FOLDER = Path(__file__).parent
FIXED = ("item_id", "pair_id", "cause", "arm", "probe", "dose", "prior_answer")  # what a submitted row repeats
COLUMNS = ("probe_id", *FIXED, "stage", "choices", "choices10", "question", "answer")


class DatasetKey(NamedTuple):
    """What a dataset follows from."""

    version: str
    size: str
    seed: int

    @property
    def file_name(self) -> str:
        """The name of its copy."""
        return f"version-{self.version}-{self.size}-{self.seed}.parquet"


class DatasetItems(NamedTuple):
    """The items of a dataset (``COLUMNS``, in the order of the dataset) and its content hash.

    The copies of version 2 have no ``stage``.
    """

    content_sha256: str
    items: pa.Table


def dataset_items(key: DatasetKey, content_sha256: str) -> DatasetItems:
    """The items of the dataset ``key``: its copy where that has this content hash, else what is built today.

    So an entry holds whatever causes are registered. Raises UsageError where it can neither be built nor is there a
    copy.
    """
    if key in archived():
        copy = _read_copy(key)
        if copy.content_sha256 == content_sha256 or key.version != manifest.VERSION:
            return copy
    if key.version != manifest.VERSION:
        raise UsageError(f"of version {key.version} there is no copy, version {manifest.VERSION} is built")
    return _cached_items(key, CAUSES.names())


@lru_cache(maxsize=16)
def _read_copy(key: DatasetKey) -> DatasetItems:
    table = pq.read_table(archived()[key])
    return DatasetItems(table.schema.metadata[b"content_sha256"].decode(), table.replace_schema_metadata(None))


@lru_cache(maxsize=16)
def _cached_items(key: DatasetKey, causes: tuple[str, ...]) -> DatasetItems:
    """What is built while these ``causes`` are registered."""
    return build_items(key)


def build_items(key: DatasetKey) -> DatasetItems:
    """The items of a dataset of the current version, built; raises UsageError for an unknown size."""
    data = dataset.make(key.size, key.seed)
    return DatasetItems(data.sha256, data.items.select(COLUMNS).combine_chunks())


@cache
def archived() -> dict[DatasetKey, Path]:
    """The datasets of which there is a copy. Listed once: a name that a submission gives is never made into a path."""
    found = {}
    for file in sorted(FOLDER.glob("*.parquet")):
        if match := re.fullmatch(r"version-(\w+)-(\w+)-(\d+)\.parquet", file.name):
            found[DatasetKey(match[1], match[2], int(match[3]))] = file
    return found


def write_copy(key: DatasetKey, folder: Path) -> Path:
    """Write the copy of a dataset of the current version into ``folder``."""
    built = build_items(key)
    file = folder / key.file_name
    table = built.items.replace_schema_metadata({"content_sha256": built.content_sha256})
    pq.write_table(table, file, compression="zstd", compression_level=19)
    return file
