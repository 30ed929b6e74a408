"""Against every cause at once, each told to be there: what can be had when all is known.

Knowledge and conflicts: pre-training on the documents about what the base model does not know or contradicts.
Inconsistency: wrong rows deleted, incompatible ones kept apart. Forgetting: one shuffle over all stages, without
resampling. Rare patterns: repeated until they are common, without progressive epochs. It spends the budget of all
stages.
"""

from __future__ import annotations

from ilp_bench.detectors.contradictions import find_contradictions, judged
from ilp_bench.detectors.rare_patterns import repetitions
from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase, example, stages_of
from ilp_bench.recipes.pretraining import documents_about, doubts, pretraining
from ilp_bench.recipes.samplers import ConflictFreeBatches, repeat_rows
from ilp_bench.recipes.spec import RecipeSpec


def phases(context: RecipeContext) -> list[Phase]:
    """Pre-training, then one phase over all stages."""
    rows = context.data.train_rows()
    contradictions = find_contradictions(rows, context.near)
    deleted = judged(rows, contradictions.same).losing
    repeats = repetitions([row["messages"][0]["content"] for row in rows])
    order, conflicts = repeat_rows(repeats, deleted, contradictions.similar)
    examples = [example(rows[n]) for n in order]
    context.notes.update(deleted_rows=len(deleted), conflicting_pairs=len(contradictions.similar))
    context.notes["repeated_rows"] = sum(count > 1 for count in repeats)
    sft = Phase(
        "all stages",
        "sft",
        examples,
        stages_of(context.data),
        batches=ConflictFreeBatches(len(examples), conflicts),
    )
    doubted = doubts(context)
    documents = documents_about(context, [*doubted.contradicted, *doubted.missing])
    return [*pretraining(context, documents), sft]


SPEC = RecipeSpec(
    name="combined",
    summary="pre-training on what is unknown or contradicted, wrong rows deleted and incompatible ones kept apart, "
    "one shuffle, rare patterns repeated",
    phases=phases,
    all_causes=True,
)
