"""Batches without contradictions, and replay of what is being forgotten."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ilp_bench.detectors.thresholds import STAGE_DROP
from ilp_bench.recipes.phase import Example


def repeat_rows(
    repeats: Sequence[int], deleted: Collection[int], pairs: Iterable[tuple[int, int]]
) -> tuple[list[int], list[tuple[int, int]]]:
    """The rows to train on, row n ``repeats[n]`` times and ``deleted`` ones not at all, and conflicts among them.

    ``pairs`` are pairs of rows; the conflicts are all pairs of their positions in the returned list.
    """
    order = [row for row, count in enumerate(repeats) if row not in deleted for _ in range(count)]
    positions: dict[int, list[int]] = defaultdict(list)
    for position, row in enumerate(order):
        positions[row].append(position)
    conflicts = [(a, b) for first, second in pairs for a in positions.get(first, ()) for b in positions.get(second, ())]
    return order, conflicts


class ConflictFreeBatches:
    """One shuffle an epoch in which no two examples of a conflicting pair share a batch (section 4.3).

    Every ``reassign`` batches, the remaining examples are shuffled again. ``queue`` gives the examples of an epoch, by
    default every one once.
    """

    def __init__(
        self,
        count: int,
        conflicts: Iterable[tuple[int, int]],
        reassign: int = 50,
        queue: Callable[[], list[int]] | None = None,
    ) -> None:
        self.queue, self.reassign = queue or (lambda: list(range(count))), reassign
        self._conflicting: dict[int, set[int]] = defaultdict(set)
        for first, second in conflicts:
            self._conflicting[first].add(second)
            self._conflicting[second].add(first)

    def __call__(self, size: int, rng: random.Random) -> Iterator[list[int]]:
        """The batches of one epoch."""
        remaining = self.queue()
        while remaining:
            rng.shuffle(remaining)
            for _ in range(self.reassign):
                if not remaining:
                    break
                batch, remaining = self._fill_batch(remaining, size)
                yield batch

    def _fill_batch(self, queue: list[int], size: int) -> tuple[list[int], list[int]]:
        """The first examples of ``queue`` that do not conflict, at most ``size``, and the rest of it."""
        batch: list[int] = []
        excluded: set[int] = set()
        skipped: list[int] = []
        for position, example in enumerate(queue):
            if example in excluded:
                skipped.append(example)
                continue
            batch.append(example)
            excluded |= self._conflicting.get(example, set())
            if len(batch) == size:
                return batch, skipped + queue[position + 1 :]
        return batch, skipped


class ReplaySampler:
    """One shuffle over all segments an epoch; a segment whose learned rate falls is replayed (section 4.4).

    :meth:`watch` is to be called every ``every`` steps. It measures the learned rate of each segment on fewer than two
    times ``SAMPLE`` examples. A segment that fell by more than ``STAGE_DROP``, relative to its best, is trained on
    twice in the next epoch, however often it was seen to have fallen. ``replays`` counts a segment's replayed epochs.
    """

    SAMPLE = 64

    def __init__(self, examples: Sequence[Example], segments: Sequence[Any], every: int = 50) -> None:
        self.examples, self.every = examples, every
        self._members: dict[Any, list[int]] = defaultdict(list)
        for n, segment in enumerate(segments):
            self._members[segment].append(n)
        self._best: dict[Any, float] = dict.fromkeys(self._members, 0.0)
        self._fallen: set[Any] = set()
        self.replays: dict[Any, int] = dict.fromkeys(self._members, 0)

    def __call__(self, size: int, rng: random.Random) -> Iterator[list[int]]:
        """The batches of one epoch, with the segments that fell during the one before in it twice."""
        queue = self.queue()
        rng.shuffle(queue)
        yield from (queue[n : n + size] for n in range(0, len(queue), size))

    def queue(self) -> list[int]:
        """The examples of the next epoch."""
        replayed = [n for segment in self._members if segment in self._fallen for n in self._members[segment]]
        for segment in self._fallen:
            self.replays[segment] += 1
        self._fallen = set()
        return [*range(len(self.examples)), *replayed]

    def watch(self, measure: Callable[[Sequence[Example]], Any]) -> None:
        """Measure every segment; those that fell are replayed in the next epoch."""
        for segment, members in self._members.items():
            sample = members[:: max(1, len(members) // self.SAMPLE)]
            rate = float(np.mean(measure([self.examples[n] for n in sample])))
            if rate < self._best[segment] * (1 - STAGE_DROP):
                self._fallen.add(segment)
            self._best[segment] = max(self._best[segment], rate)
