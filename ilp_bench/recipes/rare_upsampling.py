"""Against rare patterns, the plain remedy: repeat their rows until they are as frequent as common ones of their kind.

Not in the paper, whose remedy is more epochs (``progressive_epochs``); here to be compared with it.
"""

from __future__ import annotations

from ilp_bench.detectors.rare_patterns import repetitions
from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase, example, last_stage
from ilp_bench.recipes.spec import RecipeSpec


def phases(context: RecipeContext) -> list[Phase]:
    """Vanilla with repeated rows in the last stage."""
    last = context.data.manifest.stages
    rows = [row for row in context.data.train_rows() if row["stage"] == last]
    times = repetitions([row["messages"][0]["content"] for row in rows])
    context.notes["repeated_rows"] = sum(count > 1 for count in times)
    return last_stage(
        context.data, examples=[example(row) for row, count in zip(rows, times, strict=True) for _ in range(count)]
    )


SPEC = RecipeSpec(
    name="rare_upsampling",
    summary="rare patterns repeated until they are as frequent as common ones of their kind",
    phases=phases,
    cause="rare_patterns",
)
