"""Against inconsistent data: delete what is wrong, keep apart what is true in another context (Xue et al. 2026, 4.3).

Differs from the paper in who decides what is wrong: not a judge model, but the reliability of the annotators, inferred
from all contradictions (Dawid and Skene 1979), and in how similar pairs are found unless ``--encoder`` names a
sentence encoder: by TF-IDF, so that nothing has to be downloaded.
"""

from __future__ import annotations

from ilp_bench.detectors.contradictions import find_contradictions, rows_to_delete
from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase, example, last_stage
from ilp_bench.recipes.samplers import Apart
from ilp_bench.recipes.spec import RecipeSpec


def phases(context: RecipeContext, *, delete: bool = True, group: bool = True) -> list[Phase]:
    """Vanilla, but for the rows and batches of the last stage."""
    last = context.data.manifest.stages
    rows = [row for row in context.data.train_rows() if row["stage"] == last]
    contradictions = find_contradictions(rows, context.near)
    gone = rows_to_delete(rows, contradictions.same) if delete else set()
    kept = [n for n in range(len(rows)) if n not in gone]
    context.notes.update(deleted_rows=len(gone), conflicting_pairs=len(contradictions.similar))
    batches = None
    if group:
        place = {n: k for k, n in enumerate(kept)}
        pairs = [
            *contradictions.similar,
            *((one, other) for group_ in contradictions.same for one in group_ for other in group_),
        ]
        against = [
            (place[one], place[other])
            for one, other in pairs
            if one in place and other in place and rows[one]["completion"] != rows[other]["completion"]
        ]
        batches = Apart(len(kept), against)
    return last_stage(context.data, examples=[example(rows[n]) for n in kept], batches=batches)


SPEC = RecipeSpec(
    name="conflict_buckets",
    summary="wrong rows deleted; rows that are true in different contexts never share a batch",
    phases=phases,
    cause="data_inconsistency",
)
