"""Cause IV, left-side forgetting in sequential training (Xue et al. 2026, sections 3.2 and 4.4).

What is left of the data that came first? Training goes through K stages. Treated items stand in stages 1 to K-1, their
controls in stage K together with everything else. The dose is the number of stages that have passed since an item was
seen. Questions, subjects, answers and numbers of rows are of one kind in both arms.

A stage number alone tells nothing: half of the rows of an early stage are of calibration items and of decoys, which
stand in the last stage again, and so are not forgotten.

    treated  What is the register keyword of Uppsala?    drum   stage 1 of 4
    control  What is the register keyword of Mannheim?   drum   stage 4 of 4
"""

from __future__ import annotations

from collections.abc import Sequence

from ilp_bench.data.causes.context import BuildContext
from ilp_bench.data.causes.items import Item, Lazy, Pair, Pairs, agreeing_rows
from ilp_bench.data.causes.spec import CauseSpec, CauseText
from ilp_bench.data.settings import ASSIGNED_ROWS, ROWS

NAME = "left_side_forgetting"
RELATION = "keyword"  # of the register, whose answers the benchmark assigns; no other cause asks for it
ITEM_ROWS = ROWS // 2  # of an item: what is learned by heart is hardly forgotten
REHEARSALS = ITEM_ROWS // 2  # rows of a decoy in the last stage


def pairs(context: BuildContext, count: int) -> Pairs:
    """``count`` pairs, the treated items spread evenly over stages 1 to K-1."""
    stages, domain = context.settings.stages, context.settings.domain or "general"
    subjects, answers = context.deal_register_pairs(count), context.shuffled_pool(RELATION)

    def pair(number: int) -> Pair:
        answer, rng, stage = answers[number % len(answers)], context.rng(NAME, number), 1 + number % (stages - 1)
        treated, control = subjects(number)
        rows = agreeing_rows(treated, answer, rng, ITEM_ROWS)
        dose = float(stages - stage)
        return Pair(
            Item("treated", "stage", RELATION, treated, answer, rows, domain, dose=dose, stage=stage),
            Item("control", "stage", RELATION, control, answer, agreeing_rows(control, answer, rng, ITEM_ROWS), domain),
        )

    return Pairs(count, pair)


def decoys(context: BuildContext, count: int) -> Sequence[Item]:
    """Items of early stages that are rehearsed in the last, as many as make half of the early rows."""
    stages, domain = context.settings.stages, context.settings.domain or "general"
    calibration_rows = (stages - 1) * context.settings.calibration * (1 + ASSIGNED_ROWS)
    number = max(0, count - calibration_rows // ITEM_ROWS)
    subjects, answers = context.deal_register(number), context.shuffled_pool(RELATION)

    def decoy(n: int) -> Item:
        subject, answer, rng = subjects(n), answers[n % len(answers)], context.rng(NAME, "decoy", n)
        stage = 1 + n % (stages - 1)
        rows = agreeing_rows(subject, answer, rng, ITEM_ROWS)
        rows += agreeing_rows(subject, answer, rng, REHEARSALS, stages)
        dose = float(stages - stage)
        return Item("decoy", "decoy/rehearsed", RELATION, subject, answer, rows, domain, dose=dose, stage=stage)

    return Lazy(number, decoy)


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
        why="Training goes through the data in stages. After the last one, what was trained in an early stage is less "
        "likely, and more of the same training does not close the gap.",
        treated="is trained in an early stage",
        control="is trained in the last stage",
        repair="One shuffle over all stages, and drawing again what starts to slip.",
    ),
    pairs=pairs,
    decoys=decoys,
    early_stages=True,
)
