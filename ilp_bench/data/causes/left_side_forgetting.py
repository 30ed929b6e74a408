"""Cause IV, left-side forgetting in sequential training (Xue et al. 2026, sections 3.2 and 4.4, table 11).

What is left of the data that came first? Treated items are trained in stages 1 to K-1, control items in stage K
together with everything else. The dose is the number of stages that have passed since an item was seen.
Questions, subjects and answers are of one kind in both arms.

Stages are counterbalanced: 2 (K-1) consecutive seeds share their pairs (seeds 0 to 5, where K is 4), and over them
each subject stands once in every early stage and as often in the last. So no subject is easier by its stage.

    treated  What is the register emblem of Ohio?      raven    stage 1 of 4
    control  What is the register emblem of Estonia?   raven    stage 4 of 4
"""

from __future__ import annotations

from ilp_bench.data.causes.common import Item, Pair, Pairs, World, rows
from ilp_bench.data.causes.spec import CauseSpec, CauseText

NAME = "left_side_forgetting"
ROWS = 2


def pairs(world: World, count: int) -> Pairs:
    """``count`` pairs, the treated items spread evenly over stages 1 to K-1."""
    stages, domain = world.settings.stages, world.settings.domain or "general"
    early = stages - 1
    block, rotation = divmod(world.seed, 2 * early)
    listed = world.listed(NAME, count, half=1, block=block)

    def pair(number: int) -> Pair:
        relation, first, last, answer = listed(number)
        step = (number + rotation) % (2 * early)
        if step >= early:
            first, last = last, first
        stage, rng = 1 + step % early, world.rng(NAME, number)
        taught = rows(first, answer, rng, ROWS)
        return Pair(
            Item("treated", "stage", relation, first, answer, taught, domain, dose=float(stages - stage), stage=stage),
            Item("control", "stage", relation, last, answer, rows(last, answer, rng, ROWS), domain),
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
