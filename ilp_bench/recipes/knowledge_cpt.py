"""Against missing prerequisites: continued pre-training, then the same SFT (Xue et al. 2026, section 4.1).

As in the paper, 0.8 general text and 0.2 documents about the entities, about twenty each, none of them a copy of
the training data. Here the documents come with the dataset; those about entities of which the base model knows
something else are left to ``conflict_cpt``. The general text, unless ``--general`` gives another, says nothing of the
facts on which retention is measured.
"""

from __future__ import annotations

from ilp_bench.recipes.phase import Bench, Phase, stages
from ilp_bench.recipes.pretraining import contradicted, documents_about, pretraining, wanted

NAME = "knowledge_cpt"
CAUSE = "knowledge_gap"


def phases(bench: Bench) -> list[Phase]:
    """Pre-training on what is missing, then vanilla."""
    wanted(bench)
    denied = [row["prompt"] for row in contradicted(bench)]
    return [*pretraining(bench, documents_about(bench, denied, others=True)), *stages(bench)]
