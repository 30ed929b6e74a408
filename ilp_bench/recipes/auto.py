"""Finds out what is wrong and applies what fits, without being told the causes (the future work of Xue et al. 2026).

It looks at training rows, documents and the base model, never at items, causes or arms:

- rows that ask the same with different labels: the losing ones are deleted; nearly the same: kept out of one batch
- rows whose label the base model contradicts with confidence, or whose subject it does not know, where there are
  documents about the subject: continued pre-training on those documents
- rows that come in stages: one shuffle over all, and during training whatever stage is forgotten is replayed
- kinds of questions with common and rare patterns: rare ones are repeated

What it found stands in ``training.json`` under ``found``. On user data, which have no budget, it stops when 95 % of
what it trains is learned.
"""

from __future__ import annotations

from ilp_bench.detectors.contradictions import find_contradictions, judged
from ilp_bench.detectors.rare_patterns import repetitions
from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase, converged, example, stages_of
from ilp_bench.recipes.pretraining import ask_base_model, documents_about, pretraining
from ilp_bench.recipes.samplers import ConflictFreeBatches, ReplaySampler, repeat_rows
from ilp_bench.recipes.spec import RecipeSpec


def phases(context: RecipeContext) -> list[Phase]:
    """Pre-training where documents help, then one phase over all rows that are kept."""
    rows = context.data.train_rows()
    contradicted, unknown = ask_base_model(context)
    helped = [row["prompt"] for row in (*(row for row, _ in contradicted), *unknown)]
    contradictions = find_contradictions(rows, context.near)
    deleted = judged(rows, contradictions.same).losing
    repeats = repetitions([row["messages"][0]["content"] for row in rows])
    order, conflicts = repeat_rows(repeats, deleted, contradictions.similar)
    examples = [example(rows[n]) for n in order]
    segments = [rows[n]["stage"] for n in order]
    sampler = ReplaySampler(examples, segments)
    context.notes.update(
        denied_rows=len(contradicted),
        unknown_rows=len(unknown),
        deleted_rows=len(deleted),
        conflicting_pairs=len(contradictions.similar),
        repeated_rows=sum(count > 1 for count in repeats),
        stages=len(set(segments)),
    )
    sft = Phase(
        "all stages",
        "sft",
        examples,
        stages_of(context.data),
        reference=list(dict.fromkeys(examples)) if context.data.is_user_data else (),
        stop=converged if context.data.is_user_data else None,
        batches=ConflictFreeBatches(len(examples), conflicts, queue=sampler.queue),
        watch=sampler.watch if len(set(segments)) > 1 else None,
        every=sampler.every,
        counted=sampler.replays,
    )
    return [*pretraining(context, documents_about(context, helped)), sft]


SPEC = RecipeSpec(
    name="auto",
    summary="finds out what is wrong from training rows, documents and the base model, and applies what fits",
    phases=phases,
    all_causes=True,
)
