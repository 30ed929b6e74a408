"""The statistics that tell copies from runs of one's own."""

from itertools import permutations
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from ilp_bench.records.run_record import Run
from ilp_bench.submission.copy_statistics import FEWEST, most_shared, shared_numbers


@pytest.mark.parametrize("pool", [30, 100, 10_000, 10**9])
def test_the_bound_on_shared_numbers_is_one(pool: int) -> None:
    rng = np.random.default_rng(pool)
    runs = [
        Run(cast(Any, None), pa.table({"logprob": -0.06 - 2.9 * rng.integers(0, pool, size) / pool}))
        for size in (FEWEST - 1, FEWEST, 300, 500)
    ]
    largest = max(shared_numbers(first, second) for first, second in permutations(runs, 2))
    assert most_shared(runs) >= largest
    assert (largest == 0) == (pool == 10**9) == (most_shared(runs) == 0)


def test_a_run_alone_shares_nothing() -> None:
    run = Run(cast(Any, None), pa.table({"logprob": [-1.0] * FEWEST}))
    assert most_shared([run]) == most_shared([]) == 0
