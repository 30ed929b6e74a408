"""Ways to put examples into batches: apart from those they contradict, or more often where they are being forgotten."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ilp_bench.detectors.thresholds import STAGE_DROP
from ilp_bench.recipes.phase import Example


def repeated(
    times: Sequence[int], gone: Collection[int], pairs: Iterable[tuple[int, int]]
) -> tuple[list[int], list[tuple[int, int]]]:
    """Rows in order, row n ``times[n]`` times, those ``gone`` not at all; and ``pairs`` of rows as pairs of places."""
    order = [n for n, count in enumerate(times) if n not in gone for _ in range(count)]
    places: dict[int, list[int]] = defaultdict(list)
    for place, n in enumerate(order):
        places[n].append(place)
    return order, [(k, m) for one, other in pairs for k in places.get(one, ()) for m in places.get(other, ())]


class Apart:
    """One shuffle an epoch in which no two examples of a conflicting pair share a batch (section 4.3).

    Every ``reassign`` batches, what is left is shuffled and dealt out again. ``queue`` gives what an epoch is made
    of, by default every example once.
    """

    def __init__(
        self,
        count: int,
        conflicts: Iterable[tuple[int, int]],
        reassign: int = 50,
        queue: Callable[[], list[int]] | None = None,
    ) -> None:
        self.queue, self.reassign = queue or (lambda: list(range(count))), reassign
        self._against: dict[int, set[int]] = defaultdict(set)
        for one, other in conflicts:
            self._against[one].add(other)
            self._against[other].add(one)

    def __call__(self, size: int, rng: random.Random) -> Iterator[list[int]]:
        """The batches of one epoch."""
        left = self.queue()
        while left:
            rng.shuffle(left)
            for _ in range(self.reassign):
                if not left:
                    break
                batch, rest = self._fill(left, size)
                yield batch
                left = rest

    def _fill(self, left: list[int], size: int) -> tuple[list[int], list[int]]:
        batch: list[int] = []
        banned: set[int] = set()
        rest: list[int] = []
        for place, n in enumerate(left):
            if n in banned:
                rest.append(n)
                continue
            batch.append(n)
            banned |= self._against.get(n, set())
            if len(batch) == size:
                return batch, rest + left[place + 1 :]
        return batch, rest


class Resampled:
    """One shuffle over all segments an epoch; a segment whose accuracy falls is drawn again (section 4.4).

    :meth:`watch` is to be called every ``every`` steps: the share of each segment that is learned is measured, on fewer
    than two times ``SAMPLE`` examples; a relative drop of more than ``STAGE_DROP`` below its best draws it twice in the
    next epoch, however often it was seen to have fallen. ``resampled`` counts the epochs in which a segment was.
    """

    SAMPLE = 64

    def __init__(self, examples: Sequence[Example], segments: Sequence[Any], every: int = 50) -> None:
        self.examples, self.every = examples, every
        self._members: dict[Any, list[int]] = defaultdict(list)
        for n, segment in enumerate(segments):
            self._members[segment].append(n)
        self._best: dict[Any, float] = dict.fromkeys(self._members, 0.0)
        self._fallen: set[Any] = set()
        self.resampled: dict[Any, int] = dict.fromkeys(self._members, 0)

    def __call__(self, size: int, rng: random.Random) -> Iterator[list[int]]:
        """The batches of one epoch, with those that fell during the one before drawn twice."""
        queue = self.queue()
        rng.shuffle(queue)
        yield from (queue[n : n + size] for n in range(0, len(queue), size))

    def queue(self) -> list[int]:
        """What the next epoch is made of."""
        again = [n for segment in self._members if segment in self._fallen for n in self._members[segment]]
        for segment in self._fallen:
            self.resampled[segment] += 1
        self._fallen = set()
        return [*range(len(self.examples)), *again]

    def watch(self, measure: Callable[[Sequence[Example]], Any]) -> None:
        """Measure every segment; put those that fell into the queue."""
        for segment, members in self._members.items():
            sample = members[:: max(1, len(members) // self.SAMPLE)]
            value = float(np.mean(measure([self.examples[n] for n in sample])))
            if value < self._best[segment] * (1 - STAGE_DROP):
                self._fallen.add(segment)
            self._best[segment] = max(self._best[segment], value)
