"""First ablation of ``conflict_buckets`` (claim C3): wrong rows are deleted, batches are as always."""

from __future__ import annotations

from ilp_bench.train.phase import Bench, Phase
from ilp_bench.train.recipes import conflict_buckets

NAME = "delete_only"
CAUSE = "data_inconsistency"


def phases(bench: Bench) -> list[Phase]:
    """Vanilla without the rows that lose."""
    return conflict_buckets.phases(bench, group=False)
