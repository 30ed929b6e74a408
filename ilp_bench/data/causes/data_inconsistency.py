"""Cause III, inconsistencies inside the SFT data (Xue et al. 2026, sections 3.2 and 4.3).

What does a model learn when the data contradict themselves? One question stands in several rows, as exact and
as reworded duplicates, and a share of the rows carries another label. There are two kinds:

``annotators``   The true label is the one that the register assigned; wrong labels come from careless annotators,
                 who are right on every control item, so their reliability can be inferred from the whole. At dose
                 0.75 the majority is wrong and the reliable are right.
``contexts``     Both labels are true, one under the old act, one under the new; only these words distinguish them.
                 The item is one of the two, so half of the rows about its subject disagree with it.

Control items have the same number of rows, all in agreement.

    treated  What is the register emblem of Kaliro?   goat      annotator-03
    treated  What is the register emblem of Kaliro?   panther   annotator-09
    control  What is the register emblem of Mulugu?   goat      annotator-04
    control  What is the register emblem of Mulugu?   goat      annotator-08
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from ilp_bench.data.causes.context import BuildContext
from ilp_bench.data.causes.items import (
    ANNOTATORS,
    CARELESS,
    DUPLICATES,
    RELIABLE,
    Arm,
    Item,
    Lazy,
    Pair,
    Pairs,
    SupervisedRow,
    agreeing_rows,
    in_turn,
)
from ilp_bench.data.causes.spec import CauseSpec, CauseText
from ilp_bench.data.settings import ROWS, SHARES, share_of_rows

NAME = "data_inconsistency"
RELATION = "emblem"  # of the register, whose answers the benchmark assigns; no other cause asks for it
DECOY_SHARE = 4  # pairs a decoy
CONTEXTS = ("{subject} under the old act", "{subject} under the new act")


def pairs(context: BuildContext, count: int) -> Pairs:
    """``count`` pairs, in turn one for each share of contradicting rows and, with the default shares, of contexts."""
    shares = context.settings.shares
    kinds: tuple[float | None, ...] = (*shares, None) if shares == SHARES else shares  # None stands for contexts
    domain = context.settings.domain or "general"
    subjects, answers = context.deal_register_pairs(count), context.shuffled_pool(RELATION)

    def pair(number: int) -> Pair:
        answer, rng = answers[number % len(answers)], context.rng(NAME, number)
        round_number, kind = divmod(number, len(kinds))
        names = subjects(number)
        wrong_answers = [word for word in answers if word != answer]
        share = kinds[kind]
        if share is None:
            return _contexts_pair(names, answer, rng.choice(wrong_answers), domain, rng)
        fraction = share_of_rows(share)
        scale = -(-ROWS // fraction.denominator)
        total, contradicting = scale * fraction.denominator, scale * fraction.numerator
        # In every other round the wrong labels of an item differ from one another, else they are the same.
        scattered = round_number % 2 == 0
        wrong = [rng.choice(wrong_answers) for _ in range(total)] if scattered else [rng.choice(wrong_answers)] * total
        return Pair(
            _annotated("treated", names[0], answer, wrong, contradicting, domain, rng),
            _annotated("control", names[1], answer, wrong, 0, domain, rng),
        )

    return Pairs(count, pair)


def decoys(context: BuildContext, count: int) -> Sequence[Item]:
    """Items that are learned all the same, because a single row contradicts all others."""
    number, answers = count // DECOY_SHARE, context.shuffled_pool(RELATION)
    subjects, domain = context.deal_register(number), context.settings.domain or "general"

    def decoy(n: int) -> Item:
        rng, answer = context.rng(NAME, "decoy", n), answers[n % len(answers)]
        wrong = [rng.choice([word for word in answers if word != answer])] * ROWS
        return replace(_annotated("decoy", subjects(n), answer, wrong, 1, domain, rng), kind="decoy/outvoted")

    return Lazy(number, decoy)


def _annotated(
    arm: Arm, subject: str, answer: str, wrong: list[str], contradicting: int, domain: str, rng: random.Random
) -> Item:
    """An item with as many rows as ``wrong`` has labels, ``contradicting`` of which carry the wrong one."""
    total = len(wrong)
    contested = set(rng.sample(range(1, total), contradicting))  # the first row, in the recall template, is right
    careful = iter(in_turn(RELIABLE if contradicting else ANNOTATORS, total, rng))
    careless = iter(in_turn(CARELESS, total, rng))
    rows = tuple(
        SupervisedRow(DUPLICATES[n % len(DUPLICATES)], subject, wrong[n], next(careless))
        if n in contested
        else SupervisedRow(DUPLICATES[n % len(DUPLICATES)], subject, answer, next(careful))
        for n in range(total)
    )
    return Item(arm, "annotators", RELATION, subject, answer, rows, domain, dose=contradicting / total)


def _contexts_pair(names: tuple[str, str], answer: str, other: str, domain: str, rng: random.Random) -> Pair:
    """A pair in one context; the fillers are the other context, in which the treated subject has another answer."""
    asked = rng.randrange(2)
    items: list[Item] = []
    arms: tuple[tuple[Arm, str, str], ...] = (("treated", names[0], other), ("control", names[1], answer))
    for arm, name, answer_elsewhere in arms:
        for context, label in ((CONTEXTS[asked], answer), (CONTEXTS[1 - asked], answer_elsewhere)):
            subject, dose = context.format(subject=name), 0.5 if arm == "treated" else 0.0
            rows = agreeing_rows(subject, label, rng, ROWS // 2)
            items.append(Item(arm, "contexts", RELATION, subject, label, rows, domain, dose=dose, frequency=ROWS))
    return Pair(items[0], items[2], (items[1], items[3]))


SPEC = CauseSpec(
    name=NAME,
    numeral="III",
    title="Inconsistent training data",
    short_title="Inconsistency",
    label="inconsistent",
    section="3.2 and 4.3, table 8",
    dose_label="Share of contradicting rows",
    text=CauseText(
        question="Can a model learn a label that other rows contradict?",
        why="The same question appears in several rows with different labels. More of the same training repeats the "
        "contradiction, and does not close the gap.",
        treated="appears in rows that contradict one another",
        control="appears in as many rows, all agreeing",
        repair="Find the contradictions; delete the rows that are wrong, and keep rows that are true in "
        "different contexts out of one another's batches.",
    ),
    pairs=pairs,
    decoys=decoys,
)
