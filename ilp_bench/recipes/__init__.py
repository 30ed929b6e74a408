"""Recipes: what to train on, and in which order. A recipe is a function from a dataset to phases."""

from __future__ import annotations

from ilp_bench.core.registry import Registry
from ilp_bench.recipes import (
    auto,
    combined,
    conflict_buckets,
    conflict_cpt,
    delete_only,
    group_only,
    knowledge_cpt,
    progressive_epochs,
    rare_upsampling,
    resampling,
    vanilla,
)
from ilp_bench.recipes.spec import RecipeSpec

RECIPES: Registry[RecipeSpec] = Registry(
    "recipe",
    "ilp_bench.recipes",
    (
        vanilla.SPEC,
        knowledge_cpt.SPEC,
        conflict_cpt.SPEC,
        conflict_buckets.SPEC,
        delete_only.SPEC,
        group_only.SPEC,
        resampling.SPEC,
        rare_upsampling.SPEC,
        progressive_epochs.SPEC,
        combined.SPEC,
        auto.SPEC,
    ),
    retired={"more_epochs": "it was vanilla, three times as long; train vanilla in the division 3x instead"},
)
