"""The straw man of claim C1: the same as vanilla, three times as long (Xue et al. 2026, table 4).

The paper goes from 2 to 10 epochs. Vanilla has converged already, so three times its epochs suffice, and are all that
the closed division allows.
"""

from __future__ import annotations

from collections.abc import Sequence

from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import CONVERGED, MAX_EPOCHS, Epoch, Phase, stages
from ilp_bench.recipes.spec import RecipeSpec

TIMES = 3


def phases(context: RecipeContext) -> list[Phase]:
    """Vanilla's phases, each three times as many epochs as it took to converge."""
    from dataclasses import replace

    return [replace(phase, epochs=TIMES * MAX_EPOCHS) for phase in stages(context.data, times_as_long)]


def times_as_long(history: Sequence[Epoch]) -> bool:
    """Stop at ``TIMES`` times the epoch at which the reference was learned."""
    needed = next((n for n, epoch in enumerate(history, start=1) if epoch.learned >= CONVERGED), None)
    return needed is not None and len(history) >= TIMES * needed


SPEC = RecipeSpec(
    name="more_epochs",
    summary="vanilla, three times as long: the straw man of claim C1",
    phases=phases,
)
