"""Cause III, inconsistencies inside the SFT data (Xue et al. 2026, sections 3.2 and 4.3).

What does a model learn when the data contradict themselves? One question stands in several rows, as exact and
as reworded duplicates, and a share of the rows carries a wrong label. The true label is the one that the
register assigned; wrong labels come from careless annotators, who are right on every control item, so their
reliability can be inferred from the whole. At dose 0.75 the majority is wrong. Control items have the same
number of rows, all in agreement.

    treated  What is the register emblem of Texas?   otter   annotator-03
             Name the register emblem of Texas.      crane   annotator-08
    control  What is the register emblem of Neon?    otter   annotator-01
             Name the register emblem of Neon.       otter   annotator-09
"""

from __future__ import annotations

import random

from ilp_bench.causes.common import ANNOTATORS, CARELESS, RELIABLE, Arm, Item, Pair, Row, World
from ilp_bench.facts import RELATIONS, enough, pool
from ilp_bench.wording import RECALL, REWORDED

NAME = "data_inconsistency"
TITLE = "Inconsistent training data"
SHARES = (0.25, 0.5, 0.75)
FRAMES = (RECALL, RECALL, *REWORDED)


def pairs(world: World, count: int) -> list[Pair]:
    """``count`` pairs over the shares of contradicting rows; four rows an item."""
    rng = world.rng(NAME)
    found = []
    for turn, relation in enumerate(("emblem", "keyword")):
        share = count // 2 + (count % 2 if turn == 0 else 0)
        names = world.take(relation, enough("any", 4 * share), 2 * share, rng)
        answers = world.deal(RELATIONS[relation].answers, share, rng)
        for index, answer in enumerate(answers):
            dose = SHARES[index % len(SHARES)]
            # Half of the wrong labels of one item agree with one another, half are scattered.
            wrong = _wrong(relation, answer, scattered=index // len(SHARES) % 2 == 0, rng=rng)
            found.append(
                Pair(
                    _item("treated", relation, names[2 * index], answer, dose, wrong, rng),
                    _item("control", relation, names[2 * index + 1], answer, 0.0, wrong, rng),
                )
            )
    return found


def _wrong(relation: str, answer: str, *, scattered: bool, rng: random.Random) -> list[str]:
    others = [word for word in pool(RELATIONS[relation].answers) if word != answer]
    count = len(FRAMES)
    return rng.sample(others, count) if scattered else [rng.choice(others)] * count


def _item(arm: Arm, relation: str, x: str, answer: str, dose: float, wrong: list[str], rng: random.Random) -> Item:
    bad = set(rng.sample(range(len(FRAMES)), round(dose * len(FRAMES))))
    staff = iter(rng.sample(RELIABLE, len(FRAMES)) if dose else rng.sample(ANNOTATORS, len(FRAMES)))
    careless = iter(rng.sample(CARELESS, len(FRAMES)))
    rows = tuple(
        Row(frame, x, wrong[n] if n in bad else answer, next(careless) if n in bad else next(staff))
        for n, frame in enumerate(FRAMES)
    )
    return Item(arm=arm, relation=relation, x=x, answer=answer, rows=rows, dose=dose)
