"""The recipes, in one visible tuple: from a bench to phases. ``CAUSE`` is what a recipe is meant to repair."""

from __future__ import annotations

from types import ModuleType

from ilp_bench.core.errors import UsageError, near
from ilp_bench.recipes import (
    auto,
    combined,
    conflict_buckets,
    conflict_cpt,
    delete_only,
    group_only,
    knowledge_cpt,
    more_epochs,
    progressive_epochs,
    rare_upsampling,
    resampling,
    vanilla,
)

RECIPES: tuple[ModuleType, ...] = (
    vanilla,
    more_epochs,
    knowledge_cpt,
    conflict_cpt,
    conflict_buckets,
    delete_only,
    group_only,
    resampling,
    progressive_epochs,
    rare_upsampling,
    combined,
    auto,
)
RECIPE_NAMES = tuple(recipe.NAME for recipe in RECIPES)


def recipe(name: str) -> ModuleType:
    """The recipe of that name; raises UsageError, with the nearest known name, for an unknown one."""
    for found in RECIPES:
        if name == found.NAME:
            return found
    raise UsageError(f"unknown recipe {name!r}.{near(name, RECIPE_NAMES)}")
