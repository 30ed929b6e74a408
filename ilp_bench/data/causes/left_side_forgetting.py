"""Cause IV, left-side forgetting in sequential training (Xue et al. 2026, sections 3.2 and 4.4, table 11).

What is left of the data that came first? Treated items are trained in stages 1 to K-1, control items in stage K
together with everything else. The dose is the number of stages that have passed since an item was seen.
Questions, subjects and answers are of one kind in both arms.

Stages are counterbalanced: 2 (K-1) consecutive seeds share their pairs (seeds 0 to 5, where K is 4), and over them
each subject stands once in every early stage and as often in the last. So no subject is easier by its stage.

    treated  What is the register emblem of New York?    shark   stage 1 of 4
    control  What is the register emblem of Abu Dhabi?   shark   stage 4 of 4
"""

from __future__ import annotations

from ilp_bench.data.causes.context import BuildContext
from ilp_bench.data.causes.items import Item, Pair, Pairs, agreeing_rows
from ilp_bench.data.causes.spec import CauseSpec, CauseText

NAME = "left_side_forgetting"
ROWS = 2  # of one item


def pairs(context: BuildContext, count: int) -> Pairs:
    """``count`` pairs, the treated items spread evenly over stages 1 to K-1."""
    stages, domain = context.settings.stages, context.settings.domain or "general"
    early = stages - 1
    block, rotation = divmod(context.seed, 2 * early)
    entries = context.register_entries(NAME, count, half=1, seed=block)

    def pair(number: int) -> Pair:
        relation, treated, control, answer = entries(number)
        swapped, stage_index = divmod((number + rotation) % (2 * early), early)
        if swapped:
            treated, control = control, treated
        stage, rng = 1 + stage_index, context.rng(NAME, number)
        rows = agreeing_rows(treated, answer, rng, ROWS)
        dose = float(stages - stage)
        return Pair(
            Item("treated", "stage", relation, treated, answer, rows, domain, dose=dose, stage=stage),
            Item("control", "stage", relation, control, answer, agreeing_rows(control, answer, rng, ROWS), domain),
        )

    return Pairs(count, pair)


SPEC = CauseSpec(
    name=NAME,
    numeral="IV",
    title="Left-side forgetting",
    short_title="Forgetting",
    label="forgotten",
    section="3.2 and 4.4, table 11",
    dose_label="Stages since it was trained",
    text=CauseText(
        question="What is left of the data that came first?",
        why="Training goes through the data in stages. What was learned in an early stage is "
        "overwritten by the later ones, although it was learned once.",
        treated="is trained in an early stage",
        control="is trained in the last stage",
        repair="One shuffle over all stages, and drawing again what starts to slip.",
    ),
    pairs=pairs,
    early_stages=True,
)
