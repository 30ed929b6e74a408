"""Against inconsistent data: delete what is wrong, keep apart what is true in another context (Xue et al. 2026, 4.3).

Differs from the paper in who decides what is wrong: not a judge model, but the reliability of the annotators, inferred
from all contradictions (Dawid and Skene 1979), and in how similar pairs are found unless ``--encoder`` names a
sentence encoder: by TF-IDF, so that nothing has to be downloaded.
"""

from __future__ import annotations

from ilp_bench.detectors.contradictions import find_contradictions, judged
from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase, example, last_stage
from ilp_bench.recipes.samplers import ConflictFreeBatches
from ilp_bench.recipes.spec import RecipeSpec


def phases(context: RecipeContext, *, delete: bool = True, group: bool = True) -> list[Phase]:
    """Vanilla, but for the rows and batches of the last stage."""
    last = context.data.manifest.stages
    rows = [row for row in context.data.train_rows() if row["stage"] == last]
    contradictions = find_contradictions(rows, context.near)
    deleted = judged(rows, contradictions.same).losing if delete else set()
    kept = [n for n in range(len(rows)) if n not in deleted]
    context.notes.update(deleted_rows=len(deleted), conflicting_pairs=len(contradictions.similar))
    batches = None
    if group:
        position = {row: index for index, row in enumerate(kept)}
        same = ((first, second) for rows_ in contradictions.same for first in rows_ for second in rows_)
        conflicts = [
            (position[first], position[second])
            for first, second in (*contradictions.similar, *same)
            if first in position and second in position and rows[first]["completion"] != rows[second]["completion"]
        ]
        batches = ConflictFreeBatches(len(kept), conflicts)
    return last_stage(context.data, examples=[example(rows[n]) for n in kept], batches=batches)


SPEC = RecipeSpec(
    name="conflict_buckets",
    summary="wrong rows deleted; rows that are true in different contexts never share a batch",
    phases=phases,
    cause="data_inconsistency",
)
