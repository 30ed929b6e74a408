"""Tables as keys of caches."""

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
    assert hash(HashedTable(pa.table({"a": ["x"]}))) == hash(HashedTable(pa.table({"a": ["y"]})))
    assert HashedTable(pa.table({"a": ["x"]})) != HashedTable(pa.table({"a": ["y"]}))
