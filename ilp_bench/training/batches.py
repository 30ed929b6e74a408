"""Batches epoch after epoch, until exactly so many supervised tokens are spent."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ilp_bench.core.distributed import Processes

Row = dict[str, list[int]]  # input_ids and labels; -100 where a token is not supervised


class Piece(NamedTuple):
    """A row of a batch, by its position, and how many of its supervised tokens count: the first so many."""

    row: int
    labels: int


class Spent(NamedTuple):
    """What has been trained on after a step: supervised tokens, all tokens, those seen before in their epoch."""

    supervised: int = 0
    tokens: int = 0
    replayed: int = 0
    epoch: int = 0  # of the step, from 1


def supervised_tokens(row: Row) -> int:
    """The tokens of a row that count in the loss: nothing predicts the first one."""
    return sum(label != -100 for label in row["labels"][1:])


def cut(row: Row, labels: int) -> Row:
    """The row up to the last of its first ``labels`` supervised tokens; the whole row, unsupervised, for none."""
    if not labels:
        return {"input_ids": row["input_ids"], "labels": [-100] * len(row["labels"])}
    positions = [n for n, label in enumerate(row["labels"]) if n and label != -100]
    return {name: row[name][: positions[min(labels, len(positions)) - 1] + 1] for name in ("input_ids", "labels")}


class Pieces:
    """Encoded rows, to be asked for by :class:`Piece`."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    def __getitem__(self, piece: Piece) -> Row:
        return cut(self.rows[piece.row], piece.labels)

    def __len__(self) -> int:
        return len(self.rows)


class TokenBatches:
    """A batch sampler that gives the batches of one epoch after the other, until ``budget`` supervised tokens.

    The last batch has the whole rows that fit, and of the next row only as many supervised tokens as are left. Without
    a budget it goes on, and whoever trains ends it. An epoch has the batches that ``make`` gives when the first of them
    is asked for; they depend on seed and epoch alone, unless ``make`` looks elsewhere too. ``first`` steps are left
    out: so a training that was killed goes on with the same ones. Of several processes, each gets every
    ``world_size``-th piece of a batch; one that would get none gets a row without supervision.

    spent   what has been trained on after each step that was given out, in all processes together
    """

    def __init__(
        self,
        rows: Sequence[Row],
        size: int,
        seed: int,
        processes: Processes = Processes(),  # noqa: B008
        make: Callable[[int, random.Random], Iterator[list[int]]] | None = None,
        budget: int | None = None,
        first: int = 0,
        most_steps: int = 10**9,
    ) -> None:
        self.size, self.seed, self.processes, self.make = size, seed, processes, make
        self.budget, self.first, self.most_steps = budget, first, most_steps
        self.lengths = [len(row["input_ids"]) for row in rows]
        self.labels = [supervised_tokens(row) for row in rows]
        self.epoch = sum(self.labels)  # supervised tokens of one pass over the rows
        self.spent: list[Spent] = []

    def after(self, step: int) -> Spent:
        """What has been trained on after that many steps."""
        return self.spent[step - 1] if step else Spent()

    def whole(self) -> Iterator[list[Piece]]:
        """The batches of all processes together, from the beginning; what they hold is added up in ``spent``."""
        self.spent = []
        done = Spent()
        for epoch in itertools.count(1):
            seen: set[int] = set()
            for batch in self._epoch(epoch):
                pieces = self._fit(batch, done.supervised)
                done = self._add(done, pieces, seen, epoch)
                self.spent.append(done)
                yield pieces
                if self.budget is not None and done.supervised >= self.budget:
                    return

    def _epoch(self, epoch: int) -> list[list[int]]:
        """Positions of the rows of an epoch, batch by batch."""
        rng, count = random.Random(f"{self.seed}/{epoch - 1}"), len(self.labels)
        if self.make:
            return list(self.make(self.size, rng))
        order = rng.sample(range(count), count)
        return [order[n : n + self.size] for n in range(0, count, self.size)]

    def _fit(self, batch: list[int], spent: int) -> list[Piece]:
        """The pieces of a batch for which the budget suffices."""
        pieces = []
        for row in batch:
            left = self.labels[row] if self.budget is None else min(self.labels[row], self.budget - spent)
            if left > 0:
                pieces.append(Piece(row, left))
                spent += left
        return pieces

    def _add(self, done: Spent, pieces: list[Piece], seen: set[int], epoch: int) -> Spent:
        supervised, tokens, replayed, _ = done
        for row, labels in pieces:
            length = self.lengths[row] - (self.labels[row] - labels)
            supervised, tokens, replayed = supervised + labels, tokens + length, replayed + length * (row in seen)
            seen.add(row)
        return Spent(supervised, tokens, replayed, epoch)

    def share(self, pieces: list[Piece]) -> list[Piece]:
        """What of a batch this process trains on."""
        return pieces[self.processes.rank :: self.processes.world_size] or [Piece(pieces[0].row, 0)]

    def __iter__(self) -> Iterator[list[Piece]]:
        yield from map(self.share, itertools.islice(self.whole(), self.first, None))

    def __len__(self) -> int:
        return self.most_steps
