"""Cause III, inconsistencies inside the SFT data (Xue et al. 2026, sections 3.2 and 4.3).

What does a model learn when the data contradict themselves? One question stands in several rows, as exact and
as reworded duplicates, and a share of the rows carries another label. There are two kinds:

``annotators``   The true label is the one that the register assigned; wrong labels come from careless annotators,
                 who are right on every control item, so their reliability can be inferred from the whole. At dose
                 0.75 the majority is wrong and the reliable are right.
``contexts``     Both labels are true, one under the old act, one under the new; only these words distinguish them.
                 The item is one of the two, so half of the rows about its subject disagree with it.

Control items have the same number of rows, all in agreement.

    treated  What is the register emblem of Sevastopol?   raccoon   annotator-06
    treated  What is the register emblem of Sevastopol?   walrus    annotator-08
    control  What is the register emblem of Homs?         raccoon   annotator-05
    control  What is the register emblem of Homs?         raccoon   annotator-01
"""

from __future__ import annotations

import random

from ilp_bench.data.causes.context import BuildContext, RegisterEntry
from ilp_bench.data.causes.items import ANNOTATORS, CARELESS, RELIABLE, Arm, Item, Pair, Pairs, SupervisedRow
from ilp_bench.data.causes.spec import CauseSpec, CauseText
from ilp_bench.data.facts import RELATIONS, pool
from ilp_bench.data.settings import SHARES, share_of_rows
from ilp_bench.data.templates import RECALL, REWORDED

NAME = "data_inconsistency"
FEWEST_ROWS = 4  # of one item
TEMPLATES = (RECALL, RECALL, *REWORDED)
CONTEXTS = ("{subject} under the old act", "{subject} under the new act")


def pairs(context: BuildContext, count: int) -> Pairs:
    """``count`` pairs, in turn one for each share of contradicting rows and, with the default shares, of contexts."""
    shares = context.settings.shares
    kinds: tuple[float | None, ...] = (*shares, None) if shares == SHARES else shares  # None stands for contexts
    domain = context.settings.domain or "general"
    entries = context.register_entries(NAME, count, half=0, seed=context.seed)

    def pair(number: int) -> Pair:
        entry, rng = entries(number), context.rng(NAME, number)
        round_number, kind = divmod(number // 2, len(kinds))
        wrong_answers = [word for word in pool(RELATIONS[entry.relation].answers) if word != entry.answer]
        share = kinds[kind]
        if share is None:
            return _contexts_pair(entry, rng.choice(wrong_answers), domain, rng)
        fraction = share_of_rows(share)
        scale = max(1, -(-FEWEST_ROWS // fraction.denominator))
        total, contradicting = scale * fraction.denominator, scale * fraction.numerator
        # In every other round the wrong labels of an item differ from one another, else they are the same.
        scattered = round_number % 2 == 0
        wrong = [rng.choice(wrong_answers) for _ in range(total)] if scattered else [rng.choice(wrong_answers)] * total
        return Pair(
            _annotated("treated", entry, wrong, contradicting, domain, rng),
            _annotated("control", entry, wrong, 0, domain, rng),
        )

    return Pairs(count, pair)


def _annotated(
    arm: Arm, entry: RegisterEntry, wrong: list[str], contradicting: int, domain: str, rng: random.Random
) -> Item:
    """An item with as many rows as ``wrong`` has labels, ``contradicting`` of which carry the wrong one."""
    subject, total = entry.first if arm == "treated" else entry.second, len(wrong)
    contested = set(rng.sample(range(1, total), contradicting))  # the first row, in the recall template, is right
    careful = iter(_annotators(RELIABLE if contradicting else ANNOTATORS, total, rng))
    careless = iter(_annotators(CARELESS, total, rng))
    rows = tuple(
        SupervisedRow(TEMPLATES[n % len(TEMPLATES)], subject, wrong[n], next(careless))
        if n in contested
        else SupervisedRow(TEMPLATES[n % len(TEMPLATES)], subject, entry.answer, next(careful))
        for n in range(total)
    )
    return Item(arm, "annotators", entry.relation, subject, entry.answer, rows, domain, dose=contradicting / total)


def _annotators(names: tuple[str, ...], count: int, rng: random.Random) -> list[str]:
    """``count`` annotators, each again only after all others."""
    return [name for _ in range(0, count, len(names)) for name in rng.sample(names, len(names))][:count]


def _contexts_pair(entry: RegisterEntry, other: str, domain: str, rng: random.Random) -> Pair:
    """A pair in one context; the fillers are the other context, in which the treated subject has another answer."""
    asked = rng.randrange(2)
    items: list[Item] = []
    arms: tuple[tuple[Arm, str, str], ...] = (
        ("treated", entry.first, other),
        ("control", entry.second, entry.answer),
    )
    for arm, name, answer_elsewhere in arms:
        for context, answer in ((CONTEXTS[asked], entry.answer), (CONTEXTS[1 - asked], answer_elsewhere)):
            subject = context.format(subject=name)
            rows = tuple(
                SupervisedRow(TEMPLATES[2 * n], subject, answer, annotator)
                for n, annotator in enumerate(_annotators(ANNOTATORS, 2, rng))
            )
            dose = 0.5 if arm == "treated" else 0.0
            items.append(
                Item(arm, "contexts", entry.relation, subject, answer, rows, domain, dose=dose, frequency=FEWEST_ROWS)
            )
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
