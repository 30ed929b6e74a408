"""Against missing prerequisites: continued pre-training, then the same SFT (Xue et al. 2026, section 4.1).

As in the paper, 0.8 replay corpus and 0.2 documents about the entities, about twenty each, none of them a copy of
the training data. Here the documents come with the dataset; those are taken whose entity the base model is asked about
and does not know. Those about entities of which it knows something else are left to ``conflict_cpt``. The replay
corpus, unless another is given, says nothing of the facts on which retention is measured.
"""

from __future__ import annotations

from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase, stages
from ilp_bench.recipes.pretraining import PASSES, documents_about, doubts, pretraining, require_documents
from ilp_bench.recipes.spec import RecipeSpec


def phases(context: RecipeContext) -> list[Phase]:
    """Pre-training on what is missing, then vanilla."""
    require_documents(context)
    return [*pretraining(context, documents_about(context, doubts(context).missing), PASSES), *stages(context.data)]


SPEC = RecipeSpec(
    name="knowledge_cpt",
    summary="three passes of pre-training on documents about what is missing, 0.8 replay corpus to 0.2, then vanilla",
    phases=phases,
    cause="knowledge_gap",
)
