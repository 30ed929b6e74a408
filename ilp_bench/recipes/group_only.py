"""Second ablation of ``conflict_buckets`` (claim C3): contradicting rows never share a batch, none is deleted."""

from __future__ import annotations

from ilp_bench.recipes import conflict_buckets
from ilp_bench.recipes.phase import Bench, Phase

NAME = "group_only"
CAUSE = "data_inconsistency"


def phases(bench: Bench) -> list[Phase]:
    """Vanilla in other batches."""
    return conflict_buckets.phases(bench, delete=False)
