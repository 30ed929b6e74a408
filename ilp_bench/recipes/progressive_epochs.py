"""Against rare and complex patterns: add epochs while they help (Xue et al. 2026, section 4.5).

After vanilla's stages, epochs are added to the last one while the loss on its rows falls by at least delta = 0.01
nats a token, and stop where it rises. The paper's rule (stop when validation loss rises by more than delta) never
ends on the training rows themselves, on which incomplete learning is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import CONVERGED, Epoch, Phase, last_stage
from ilp_bench.recipes.spec import RecipeSpec

DELTA = 0.01


def phases(context: RecipeContext) -> list[Phase]:
    """Vanilla with an open end."""
    *early, last = last_stage(context.data)
    # The reference is what is trained, so that the loss is that of all rows and not of the easy ones.
    return [*early, replace(last, reference=last.examples, stop=no_longer_falling)]


def no_longer_falling(history: Sequence[Epoch]) -> bool:
    """Stop when the last epoch raised the loss by more than ``DELTA``; or lowered it by less, once most is learned."""
    if len(history) < 2:
        return False
    fallen = history[-2].loss - history[-1].loss
    return fallen < -DELTA or (fallen < DELTA and history[-1].learned >= CONVERGED - 0.1)


SPEC = RecipeSpec(
    name="progressive_epochs",
    summary="epochs are added while the loss falls by at least 0.01 nats a token",
    phases=phases,
    cause="rare_patterns",
)
