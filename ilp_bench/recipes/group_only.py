"""Second ablation of ``conflict_buckets`` (claim C3): contradicting rows never share a batch, none is deleted."""

from __future__ import annotations

from ilp_bench.recipes import conflict_buckets
from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase
from ilp_bench.recipes.spec import RecipeSpec


def phases(context: RecipeContext) -> list[Phase]:
    """Vanilla in other batches."""
    return conflict_buckets.phases(context, delete=False)


SPEC = RecipeSpec(
    name="group_only",
    summary="its second half (claim C3): contradicting rows never share a batch",
    phases=phases,
    cause="data_inconsistency",
)
