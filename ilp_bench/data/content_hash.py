"""The content hash of a dataset: over its rows as canonical JSON, so that it does not depend on the Parquet writer."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable

import pyarrow as pa


class ContentHash:
    """A sha256 that is fed tables, whole or in parts; :meth:`end_table` separates one from the next."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def update(self, table: pa.Table) -> None:
        """Add a table's rows, or some of them; NaN counts as null."""
        for batch in table.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                clean = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
                self._digest.update(json.dumps(clean, sort_keys=True, ensure_ascii=False).encode() + b"\n")

    def end_table(self) -> None:
        """Mark the end of a table."""
        self._digest.update(b"\0")

    def hexdigest(self) -> str:
        """The hash so far."""
        return self._digest.hexdigest()


def content_sha256(tables: Iterable[pa.Table]) -> str:
    """The content hash of the tables, in the order of ``TABLES``."""
    digest = ContentHash()
    for table in tables:
        digest.update(table)
        digest.end_table()
    return digest.hexdigest()
