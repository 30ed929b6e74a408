"""A table that stands for its values, so that work on one serves every other that holds the same."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa


class HashedTable:
    """A table. Two are equal where all values are."""

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HashedTable):
            return False
        if self.rows is not other.rows:
            if not _equal(self.rows, other.rows):
                return False
            other.rows = self.rows  # a cache compares its key with a newcomer, so that all hold the rows of the first
        return True

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Of the last column of floating-point numbers without a gap, in which nearly all tables differ, or a text."""
        for column in reversed(self.rows.columns):
            if pa.types.is_floating(column.type) and not column.null_count:
                return hash(column.to_numpy().tobytes())
        number = int(self.rows.num_rows)
        return hash((number, str(self.rows.column(0)[-1]) if number else ""))


def _equal(rows: pa.Table, others: pa.Table) -> bool:
    """Whether all values of two tables are equal."""
    return (
        bool(rows.schema.equals(others.schema))
        and rows.num_rows == others.num_rows
        and all(map(_same, rows.columns, others.columns))
    )


def _same(column: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    """Whether two columns of one type have the same values; NaN is the same as NaN, and not as null."""
    if column.equals(other):
        return True
    return (
        pa.types.is_floating(column.type)
        and bool(column.is_null().equals(other.is_null()))
        and np.array_equal(column.to_numpy(), other.to_numpy(), equal_nan=True)
    )
