"""Against rare and complex patterns: further epochs on what is still being learned (Xue et al. 2026, section 4.5).

The first epoch of the last stage goes over all rows. What the budget leaves after it is spent in further epochs over
the half of the rows with the lowest learned rate, measured anew before each of them.

Differs from the paper, which adds whole epochs while the loss on held-out data falls and stops when it rises by more
than 0.01. Here all recipes spend the same budget, so nothing can be added; what is left of the idea is *where* further
epochs go: to the rows on which they still help. It reads training rows alone. Where the budget is less than one epoch,
it is vanilla.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np

from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Example, Measure, Phase, last_stage
from ilp_bench.recipes.spec import RecipeSpec

SHARE = 0.5  # of the rows that an epoch after the first goes over


class LeastLearnedFirst:
    """One shuffle over all examples, then shuffles of the ``SHARE`` of them that is learned least."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self.examples = examples
        self._measure: Measure | None = None

    def watch(self, measure: Measure) -> None:
        """Keep the function that measures, for when an epoch is over."""
        self._measure = measure

    def __call__(self, size: int, rng: random.Random) -> Iterator[list[int]]:
        """The batches of one epoch."""
        count = len(self.examples)
        queue = list(range(count))
        if self._measure:  # a step was taken: this is not the first epoch
            rates = np.asarray(self._measure(self.examples))
            queue = np.argsort(rates, kind="stable")[: max(1, round(count * SHARE))].tolist()
        order = rng.sample(queue, len(queue))  # in the first epoch, the very batches of vanilla
        yield from (order[n : n + size] for n in range(0, len(order), size))


def phases(context: RecipeContext) -> list[Phase]:
    """Vanilla, with other epochs after the first of the last stage."""
    *_, last = last_stage(context.data)
    batches = LeastLearnedFirst(last.examples)
    return last_stage(context.data, batches=batches, watch=batches.watch, every=1)


SPEC = RecipeSpec(
    name="progressive_epochs",
    summary="after one epoch of the last stage, the rest of the budget goes to the half of its rows learned least",
    phases=phases,
    cause="rare_patterns",
)
