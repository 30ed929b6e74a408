"""Against left-side forgetting: one shuffle over all stages, and resampling of what falls (Xue et al. 2026, 4.4).

Every 50 steps the learned rate of each stage is measured on some of its rows; where it has fallen by more than 5 %
below its best, the stage's rows are replayed in the next epoch, which is so much longer. The paper measures every
500 steps on far larger sets. ``training.json`` says how often each stage was replayed.
"""

from __future__ import annotations

from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase, example, stages_of
from ilp_bench.recipes.samplers import ReplaySampler
from ilp_bench.recipes.spec import RecipeSpec


def phases(context: RecipeContext) -> list[Phase]:
    """One phase over all stages."""
    rows = context.data.train_rows()
    examples = [example(row) for row in rows]
    sampler = ReplaySampler(examples, [row["stage"] for row in rows])
    return [
        Phase(
            "all stages",
            "sft",
            examples,
            stages_of(context.data),
            batches=sampler,
            watch=sampler.watch,
            every=sampler.every,
            counted=sampler.replays,
        )
    ]


SPEC = RecipeSpec(
    name="resampling",
    summary="one shuffle over all stages; a stage that falls by more than 5 % is replayed in the next epoch",
    phases=phases,
    cause="left_side_forgetting",
)
