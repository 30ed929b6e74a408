import random
from collections import Counter
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilp_bench.core.distributed import Processes
from ilp_bench.recipes.progressive_epochs import LeastLearnedFirst
from ilp_bench.training.batches import Piece, Pieces, TokenBatches, cut, supervised_tokens


def row(context: int, answer: int) -> dict[str, list[int]]:
    ids = list(range(1, context + answer + 1))
    return {"input_ids": ids, "labels": [-100] * context + ids[context:]}


ROWS = [row(3, 2), row(2, 4), row(5, 1), row(1, 3)]  # ten supervised tokens


@given(
    lengths=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9)), min_size=1, max_size=12),
    size=st.integers(1, 5),
    budget=st.integers(1, 200),
    world_size=st.integers(1, 3),
)
def test_exactly_the_budget_is_spent_whatever_the_rows(
    lengths: list[tuple[int, int]], size: int, budget: int, world_size: int
) -> None:
    rows = [row(*length) for length in lengths]
    batches = TokenBatches(rows, size, 0, budget=budget)
    pieces = [piece for batch in batches for piece in batch]
    assert sum(supervised_tokens(Pieces(rows)[piece]) for piece in pieces) == budget
    assert all(piece.labels == batches.labels[piece.row] for piece in pieces[:-1])  # only the last row is cut
    assert batches.spent[-1].supervised == budget
    assert batches.spent[-1].tokens == sum(len(Pieces(rows)[piece]["input_ids"]) for piece in pieces)
    shares = [TokenBatches(rows, size, 0, Processes(rank, world_size), budget=budget) for rank in range(world_size)]
    together = [supervised_tokens(Pieces(rows)[piece]) for share in shares for batch in share for piece in batch]
    assert sum(together) == budget
    assert {len(list(share)) for share in shares} == {len(batches.spent)}


def test_a_row_is_cut_behind_the_supervised_tokens_that_count() -> None:
    assert cut(ROWS[1], 4) == ROWS[1]
    assert cut(ROWS[1], 2) == {"input_ids": [1, 2, 3, 4], "labels": [-100, -100, 3, 4]}
    assert cut(ROWS[1], 0) == {"input_ids": ROWS[1]["input_ids"], "labels": [-100] * 6}
    whole_text = {"input_ids": [7, 8, 9], "labels": [-100, 8, 9]}
    assert supervised_tokens(whole_text) == 2
    assert cut(whole_text, 1) == {"input_ids": [7, 8], "labels": [-100, 8]}


def test_every_process_gets_its_share_of_a_batch() -> None:
    rows = [row(2, 3)] * 33
    whole = list(islice(TokenBatches(rows, 16, 0).whole(), 3))
    assert list(map(len, whole)) == [16, 16, 1]
    shares = [list(islice(TokenBatches(rows, 16, 0, Processes(rank, 2)), 3)) for rank in (0, 1)]
    for batch, one, two in zip(whole, *shares, strict=True):
        assert sorted(batch) == sorted(piece for piece in (*one, *two) if piece.labels)
        assert min(len(one), len(two)) >= 1
    assert shares[1][-1] == [Piece(whole[-1][0].row, 0)]


def test_batches_follow_seed_and_epoch_and_go_on_where_they_stopped() -> None:
    rows = [row(2, 1 + n % 4) for n in range(33)]

    def batches(seed: int, first: int = 0) -> list[list[Piece]]:
        return list(TokenBatches(rows, 16, seed, budget=200, first=first))

    whole = batches(0)
    assert Counter(piece.row for batch in whole[:3] for piece in batch) == Counter(range(33))
    assert whole == batches(0)
    assert whole[:3] != batches(1)[:3]
    assert whole[:3] != whole[3:6]
    for first in range(len(whole)):
        rest = TokenBatches(rows, 16, 0, budget=200, first=first)
        assert list(rest) == whole[first:]
        assert len(rest.spent) == len(whole)  # what went before is counted


def test_epochs_follow_one_another_as_soon_as_they_are_asked_for() -> None:
    """The batches of the next epoch are made after the last batch of this one, and may be more or fewer."""

    def growing(size: int, rng: random.Random) -> Any:
        del rng
        asked.append(size)
        return ([n % len(ROWS)] for n in range(len(asked)))

    asked: list[int] = []
    stream = iter(TokenBatches(ROWS, 2, 0, make=growing))
    for epoch in (1, 2, 3):
        assert [piece.row for batch in islice(stream, epoch) for piece in batch] == list(range(epoch))
        assert asked == [2] * epoch


def test_a_row_that_an_epoch_has_twice_is_replayed() -> None:
    batches = TokenBatches(ROWS, 2, 0, make=lambda *_: iter([[0, 1], [0]]), budget=14)
    list(batches)
    assert [spent.supervised for spent in batches.spent] == [6, 8, 14]
    assert [spent.replayed for spent in batches.spent] == [0, 5, 5]
    assert [spent.epoch for spent in batches.spent] == [1, 1, 2]
    assert batches.after(0).supervised == 0
    assert batches.after(2).tokens == 5 + 6 + 5


def test_progressive_epochs_begin_with_the_batches_of_vanilla() -> None:
    """So where the budget is less than an epoch, the two give the same weights."""
    rows = [row(2, 1 + n % 4) for n in range(33)]
    budget = sum(map(supervised_tokens, rows))
    progressive = LeastLearnedFirst([(str(n), "") for n in range(33)])
    assert list(TokenBatches(rows, 4, 5, make=progressive, budget=budget)) == list(
        TokenBatches(rows, 4, 5, budget=budget)
    )


@pytest.mark.parametrize("world_size", [1, 2])
def test_nothing_is_given_after_the_budget(world_size: int) -> None:
    assert len(list(TokenBatches(ROWS, 1, 0, Processes(0, world_size), budget=1))) == 1
