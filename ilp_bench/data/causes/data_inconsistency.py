"""Cause III, inconsistencies inside the SFT data (Xue et al. 2026, sections 3.2 and 4.3).

What does a model learn when the data contradict themselves? One question stands in several rows, as exact and
as reworded duplicates, and a share of the rows carries another label. There are two kinds:

``annotators``   The true label is the one that the register assigned; wrong labels come from careless annotators,
                 who are right on every control item, so their reliability can be inferred from the whole. At dose
                 0.75 the majority is wrong and the reliable are right.
``contexts``     Both labels are true, one under the old act, one under the new; only these words tell them apart.
                 The item is one of the two, so half of the rows about its subject disagree with it.

Control items have the same number of rows, all in agreement.

    treated  What is the register emblem of Texas?   otter   annotator-03
             Name the register emblem of Texas.      crane   annotator-08
    control  What is the register emblem of Neon?    otter   annotator-01
             Name the register emblem of Neon.       otter   annotator-09
"""

from __future__ import annotations

import random

from ilp_bench.data.causes.common import ANNOTATORS, CARELESS, RELIABLE, Arm, Item, Pair, Pairs, Row, World
from ilp_bench.data.causes.spec import CauseSpec, CauseText
from ilp_bench.data.facts import RELATIONS, pool
from ilp_bench.data.settings import SHARES, share_of_rows
from ilp_bench.data.templates import RECALL, REWORDED

NAME = "data_inconsistency"
ROWS = 4
FRAMES = (RECALL, RECALL, *REWORDED)
CONTEXTS = ("{x} under the old act", "{x} under the new act")


def pairs(world: World, count: int) -> Pairs:
    """``count`` pairs, in turn one for each share of contradicting rows and, with the default shares, of contexts."""
    shares = world.settings.shares
    kinds: tuple[float | None, ...] = (*shares, None) if shares == SHARES else shares
    domain = world.settings.domain or "general"
    listed = world.listed(NAME, count, half=0, block=world.seed)

    def pair(number: int) -> Pair:
        relation, first, last, answer = listed(number)
        turn, share = number // 2, kinds[number // 2 % len(kinds)]
        rng = world.rng(NAME, number)
        others = [word for word in pool(RELATIONS[relation].answers) if word != answer]
        if share is None:
            return _contexts(relation, first, last, answer, rng.choice(others), domain, rng)
        wanted = share_of_rows(share)
        scale = max(1, -(-ROWS // wanted.denominator))
        total, bad = scale * wanted.denominator, scale * wanted.numerator
        # Half of the wrong labels of one item agree with one another, half are scattered.
        scattered = turn // len(kinds) % 2 == 0
        wrong = [rng.choice(others) for _ in range(total)] if scattered else [rng.choice(others)] * total
        return Pair(
            _annotated("treated", relation, first, answer, wrong, bad, total, domain, rng),
            _annotated("control", relation, last, answer, wrong, 0, total, domain, rng),
        )

    return Pairs(count, pair)


def _staff(who: tuple[str, ...], count: int, rng: random.Random) -> list[str]:
    """``count`` annotators, each again only after all others."""
    return [name for _ in range(0, count, len(who)) for name in rng.sample(who, len(who))][:count]


def _annotated(
    arm: Arm,
    relation: str,
    x: str,
    answer: str,
    wrong: list[str],
    bad: int,
    total: int,
    domain: str,
    rng: random.Random,
) -> Item:
    contested = set(rng.sample(range(1, total), bad))  # the first row, in the training wording, is always right
    good = iter(_staff(RELIABLE if bad else ANNOTATORS, total, rng))
    careless = iter(_staff(CARELESS, total, rng))
    found = tuple(
        Row(FRAMES[n % len(FRAMES)], x, *((wrong[n], next(careless)) if n in contested else (answer, next(good))))
        for n in range(total)
    )
    return Item(arm, "annotators", relation, x, answer, found, domain, dose=bad / total)


def _contexts(relation: str, first: str, last: str, answer: str, other: str, domain: str, rng: random.Random) -> Pair:
    asked = rng.randrange(2)
    found: list[Item] = []
    for x, label in ((first, other), (last, answer)):
        arm: Arm = "treated" if x == first else "control"
        for frame, said in ((CONTEXTS[asked], answer), (CONTEXTS[1 - asked], label)):
            subject, staff = frame.format(x=x), _staff(ANNOTATORS, 2, rng)
            taught = tuple(Row(FRAMES[2 * n], subject, said, who) for n, who in enumerate(staff))
            dose = 0.5 if arm == "treated" else 0.0
            found.append(Item(arm, "contexts", relation, subject, said, taught, domain, dose=dose, frequency=ROWS))
    return Pair(found[0], found[2], (found[1], found[3]))


SPEC = CauseSpec(
    name=NAME,
    numeral="III",
    title="Inconsistent training data",
    short_title="Inconsistency",
    label="inconsistent",
    section="3.2 and 4.3, table 8",
    dose_label="Share of contradicting rows",
    text=CauseText(
        question="What is left of a label that other rows contradict?",
        why="The same question stands in several rows with different labels. Their gradients pull in "
        "different directions and part of each label is undone by the next.",
        treated="stands in rows that contradict one another",
        control="stands in as many rows, all agreeing",
        repair="Find the contradictions; delete the rows that are wrong, and keep rows that are true in "
        "different contexts out of one another's batches.",
    ),
    pairs=pairs,
)
