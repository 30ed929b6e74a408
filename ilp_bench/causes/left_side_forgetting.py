"""Cause IV, left-side forgetting in sequential training (Xue et al. 2026, sections 3.2 and 4.4, table 11).

What is left of the data that came first? Treated items are trained in stages 1 to K-1, control items in stage K
together with everything else. The dose is the number of stages that have passed since an item was seen.
Questions, subjects and answers are of one kind in both arms.

    treated  What is the register emblem of Ohio?      raven    stage 1 of 4
    control  What is the register emblem of Estonia?   raven    stage 4 of 4
"""

from __future__ import annotations

from ilp_bench.causes.common import Item, Pair, World, rows
from ilp_bench.facts import RELATIONS, enough

NAME = "left_side_forgetting"
ROWS = 2
TITLE = "Left-side forgetting"


def pairs(world: World, count: int) -> list[Pair]:
    """``count`` pairs, the treated items spread evenly over stages 1 to K-1."""
    rng = world.rng(NAME)
    found = []
    for turn, relation in enumerate(("emblem", "keyword")):
        share = count // 2 + (count % 2 if turn == 0 else 0)
        names = world.take(relation, enough("any", 4 * share), 2 * share, rng)
        for index, answer in enumerate(world.deal(RELATIONS[relation].answers, share, rng)):
            early, late = names[2 * index], names[2 * index + 1]
            stage = 1 + index % (world.stages - 1)
            dose = float(world.stages - stage)
            found.append(
                Pair(
                    Item("treated", relation, early, answer, rows(early, answer, rng, ROWS), dose=dose, stage=stage),
                    Item("control", relation, late, answer, rows(late, answer, rng, ROWS)),
                )
            )
    return found
