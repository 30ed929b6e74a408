"""Against conflicts with pre-training: pre-training on text about them, then the same SFT (Xue et al. 2026, 4.2).

High-confidence errors are found as in the paper: the base model, shown the format, gives another answer than the
supervision with a probability above one half. (The paper also asks for a divergence between the base and a tuned
model, which needs a tuned model first.) Here that answer must also be true, by the tables of facts: a confident guess
about a name that the model never met is a gap in its knowledge, and ``knowledge_cpt`` is for that.
"""

from __future__ import annotations

from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase, stages
from ilp_bench.recipes.pretraining import PASSES, documents_about, doubts, pretraining, require_documents
from ilp_bench.recipes.spec import RecipeSpec


def phases(context: RecipeContext) -> list[Phase]:
    """Pre-training on what is contradicted, then vanilla."""
    require_documents(context)
    return [
        *pretraining(context, documents_about(context, doubts(context).contradicted), PASSES),
        *stages(context.data),
    ]


SPEC = RecipeSpec(
    name="conflict_cpt",
    summary="the same on documents about facts that the base model contradicts with confidence",
    phases=phases,
    cause="knowledge_conflict",
)
