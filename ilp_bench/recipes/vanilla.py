"""Plain SFT, the reference of every score: the rows as they stand, stage by stage (Xue et al. 2026, section 3).

Differs from the paper in when it stops: not after a fixed number of epochs, but when the calibration items of a stage
are learned, so that "unlearned" never means "stopped too early" on a model of any size. The supervised tokens that
this took are the budget of all other recipes.
"""

from __future__ import annotations

from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase, stages
from ilp_bench.recipes.spec import RecipeSpec


def phases(context: RecipeContext) -> list[Phase]:
    """One phase a stage."""
    return stages(context.data)


SPEC = RecipeSpec(
    name="vanilla",
    summary="the rows as they stand, stage by stage; the reference of every score",
    phases=phases,
)
