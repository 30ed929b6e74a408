"""First ablation of ``conflict_buckets`` (claim C3): wrong rows are deleted, batches are as always."""

from __future__ import annotations

from ilp_bench.recipes import conflict_buckets
from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase
from ilp_bench.recipes.spec import RecipeSpec


def phases(context: RecipeContext) -> list[Phase]:
    """Vanilla without the rows that lose."""
    return conflict_buckets.phases(context, group=False)


SPEC = RecipeSpec(
    name="delete_only",
    summary="the first half of `conflict_buckets` (claim C3): wrong rows deleted",
    phases=phases,
    cause="data_inconsistency",
)
