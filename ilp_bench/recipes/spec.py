"""What a recipe *is*: one typed object, which command line, site and documentation read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase


@dataclass(frozen=True)
class RecipeSpec:
    """One way of training on a dataset.

    name        identifier, on the command line and in records
    summary     what it does, in one line
    phases      from what a recipe may look at to the phases of training
    cause       the cause that it is meant to repair; None for a reference, and for one against all causes
    all_causes  whether it is meant to repair every cause
    """

    name: str
    summary: str
    phases: Callable[[RecipeContext], list[Phase]]
    cause: str | None = None
    all_causes: bool = False

    def repairs(self, cause: str) -> bool:
        """Whether it is meant to repair that cause."""
        return self.all_causes or self.cause == cause
