"""Tables as keys of caches."""

from functools import lru_cache

import pyarrow as pa
import pytest

from ilp_bench.core.hashed_table import HashedTable

P = [0.25, 0.5, 0.75]
ROWS = {"name": ["a", "b", None], "dose": [1.0, None, float("nan")], "p": P}


def test_two_with_the_same_values_are_one_key_however_they_are_chunked() -> None:
    table = pa.table(ROWS)
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    assert len({HashedTable(table), HashedTable(pa.table(ROWS)), HashedTable(chunked)}) == 1


@pytest.mark.parametrize(
    "other",
    [
        ROWS | {"name": ["a", "b", ""]},
        ROWS | {"dose": [1.0, None, None]},
        ROWS | {"dose": [1.0, float("nan"), float("nan")]},
        ROWS | {"p": [0.25, 0.5, 0.7500000001]},
        ROWS | {"more": [1, 2, 3]},
        {name: values[:2] for name, values in ROWS.items()},
    ],
)
def test_another_value_null_or_column_is_another_key(other: dict[str, list[object]]) -> None:
    assert HashedTable(pa.table(ROWS)) != HashedTable(pa.table(other))


def test_a_table_without_numbers_can_be_a_key() -> None:
    assert len({HashedTable(pa.table({"a": [text]})) for text in "xyx"}) == 2
    assert len({HashedTable(pa.table({"a": pa.array([], pa.string())})) for _ in range(2)}) == 1


def test_all_that_a_cache_found_to_be_equal_hold_the_rows_of_the_first() -> None:
    cached = lru_cache(lambda table: table.rows.num_rows)
    tables = [HashedTable(pa.table(ROWS)) for _ in range(4)]
    for table in tables:
        cached(table)
    assert all(table.rows is tables[0].rows for table in tables)
    assert cached.cache_info().misses == 1
