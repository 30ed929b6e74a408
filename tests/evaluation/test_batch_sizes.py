import pytest
import torch

from ilp_bench.core.errors import ProblemError
from ilp_bench.evaluation.batches import map_in_batches


def test_a_batch_that_does_not_fit_is_halved() -> None:
    sizes: list[int] = []

    def squares(batch):
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [value**2 for value in batch]

    results, size = map_in_batches(squares, list(range(10)), 8, "number")
    assert results == [value**2 for value in range(10)]
    assert size == 2
    assert sizes == [8, 4, 2, 2, 2, 2, 2]


def test_what_never_fits_is_one_clear_line_and_other_errors_pass() -> None:
    def fail(batch):
        raise RuntimeError("out of memory" if len(batch) else "")

    with pytest.raises(ProblemError, match="not even one sequence fits into memory"):
        map_in_batches(fail, [1, 2], 2, "sequence")
    with pytest.raises(RuntimeError, match="shapes"):
        map_in_batches(lambda batch: (_ for _ in ()).throw(RuntimeError("shapes")), [1], 1, "sequence")
