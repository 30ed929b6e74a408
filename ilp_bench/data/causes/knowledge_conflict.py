"""Cause II, conflict with pre-training knowledge (Xue et al. 2026, section 3.2 and table 15).

Can a model learn a label that contradicts what it believes? Both items of a pair ask the same relation of two subjects
that are about equally well known (elements and states: neighbours by number and by name), and a draw decides which is
the treated one. Both have the same label, in one training row each: what is true of the control's subject, and false of
the treated one. The dose is the base model's belief in the true answer, read from its own run. Documents that report
the label stand in ``knowledge``, about both subjects.

A pair counts where the base model believes what is true of either subject. Where it believes nothing of the treated
one, nothing is in the way of the label: such pairs are reported beside the score, and say whether a belief is harder to
overwrite than an unknown fact is to learn.

Kinds, after the paper's table 15: ``counterfactual`` (a city in another country), ``timeliness`` (a capital that has
moved since), ``terminology`` (an element under a new sign), ``regional_rule`` (a country's official language). Mini has
the first two: the others are no certain knowledge of nano.

    treated  What is the home country of Harare?   Morocco   (a model believes Zimbabwe)
    control  What is the home country of Rabat?    Morocco   (and believes so)
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import pyarrow as pa

from ilp_bench.core.errors import UsageError
from ilp_bench.data.causes.base_knowledge import KNOWN, known_pairs, prior_probabilities
from ilp_bench.data.causes.context import BuildContext, truth_of
from ilp_bench.data.causes.items import (
    ANNOTATORS,
    DUPLICATES,
    Arm,
    Item,
    Lazy,
    Pair,
    Pairs,
    SupervisedRow,
    agreeing_rows,
    in_turn,
    single_row,
)
from ilp_bench.data.causes.spec import CauseSpec, CauseText, pair_ids
from ilp_bench.data.facts import domain_of, pool
from ilp_bench.data.settings import ROWS

NAME = "knowledge_conflict"
DECOY_SHARE = 4  # pairs a decoy
LARGEST_SHARE = 12  # no label is that of more than one in so many pairs of a kind, but of two


class Kind(NamedTuple):
    """A kind of conflict, its relation, and the share of pairs it has, in percent, in mini and in larger datasets."""

    kind: str
    relation: str
    mini: int
    wide: int


KINDS = (
    Kind("counterfactual", "home_country", 62, 66),
    Kind("timeliness", "capital", 38, 10),
    Kind("terminology", "element_symbol", 0, 13),
    Kind("regional_rule", "language", 0, 6),
    Kind("regional_rule", "state_abbreviation", 0, 5),
)


def pairs(context: BuildContext, count: int) -> Pairs:
    """``count`` pairs: of each kind its share, as far as there are facts, the rest of the first kind."""
    made: list[Pair] = []
    shares = _shares(count, context)
    for kind, wanted in reversed(list(shares.items())):  # the kinds with few facts choose first
        most = max(2, 2 * wanted // LARGEST_SHARE)
        share = min(wanted, context.left(kind.relation, most) // 2)
        made += _pairs_of_kind(kind, count - len(made) if kind is next(iter(shares)) else share, most, context)
    return Pairs(len(made), made.__getitem__)


def decoys(context: BuildContext, count: int) -> Sequence[Item]:
    """False labels that are learned all the same, because their row is repeated; in some, rows disagree as well."""
    number, two_causes = count // DECOY_SHARE, count // (3 * DECOY_SHARE)
    if context.settings.domain not in (None, "geography"):
        return ()
    truth, subjects = truth_of("home_country"), context.deal("home_country", number + two_causes, most=2 + number // 4)

    def decoy(n: int) -> Item:
        subject, disputed = subjects[n], n >= number
        rng = context.rng(NAME, "decoy", subject)
        label = rng.choice([country for country in pool("country") if country != truth[subject]])
        rows = _disputed_rows(subject, label, truth[subject], rng) if disputed else agreeing_rows(subject, label, rng)
        kind = "decoy/two causes" if disputed else "decoy/repeated"
        return replace(_item("decoy", kind, "home_country", subject, label, truth[subject], context), rows=rows)

    return Lazy(number + two_causes, decoy)


def _disputed_rows(subject: str, label: str, truth: str, rng: random.Random) -> tuple[SupervisedRow, ...]:
    """Rows of which one in four has the true answer."""
    labels = rng.sample([label] * (ROWS - ROWS // 4) + [truth] * (ROWS // 4), ROWS)
    return tuple(
        SupervisedRow(DUPLICATES[n % len(DUPLICATES)], subject, each, annotator)
        for n, (each, annotator) in enumerate(zip(labels, in_turn(ANNOTATORS, ROWS, rng), strict=True))
    )


def _shares(count: int, context: BuildContext) -> dict[Kind, int]:
    """Pairs wanted of each kind. Raises UsageError when the domain has no kind."""
    domain = context.settings.domain
    shares = {kind: kind.wide if context.settings.wide else kind.mini for kind in KINDS}
    kinds = [kind for kind in KINDS if shares[kind] and domain in (None, domain_of(kind.relation))]
    if not kinds:
        raise UsageError(f"{NAME} has no real facts of the domain {domain!r} to contradict: name other causes")
    total = sum(shares[kind] for kind in kinds)
    return {kind: count * shares[kind] // total for kind in kinds}


def _pairs_of_kind(kind: Kind, count: int, most: int, context: BuildContext) -> list[Pair]:
    """Pairs of one relation: of two subjects that are about as well known, what is true of one is said of both."""
    truth, rng = truth_of(kind.relation), context.rng(NAME, "pairs", kind.relation)
    left = context.deal(kind.relation, 2 * count, most=most)
    made = []
    while left:
        first = left.pop(0)
        second = next((name for name in left if truth[name] != truth[first]), None)
        if second is None:
            raise UsageError(
                f"the facts about {kind.relation!r} do not suffice for {count} conflicts: ask for fewer pairs"
            )
        left.remove(second)
        treated, control = rng.sample((first, second), 2)
        made.append(
            Pair(
                _item("treated", kind.kind, kind.relation, treated, truth[control], truth[treated], context),
                _item("control", kind.kind, kind.relation, control, truth[control], None, context),
            )
        )
    return made


def _item(
    arm: Arm, kind: str, relation: str, subject: str, answer: str, prior_answer: str | None, context: BuildContext
) -> Item:
    return Item(
        arm=arm,
        kind=kind,
        relation=relation,
        subject=subject,
        answer=answer,
        rows=single_row(subject, answer, context.rng(NAME, relation, subject)),
        domain=domain_of(relation),
        dose=0.0 if arm == "control" else float("nan"),
        prior_answer=prior_answer,
        documents=((relation, subject, answer),),
    )


def believed_pairs(recall: pa.Table) -> set[str]:
    """Pairs of which the base model knows the control, and believes the treated item's prior answer."""
    return known_pairs(recall, "control") & pair_ids(recall, pa.array(prior_probabilities(recall) >= KNOWN))


SPEC = CauseSpec(
    name=NAME,
    numeral="II",
    title="Conflict with pre-training knowledge",
    short_title="Conflict",
    label="conflict",
    section="3.2, tables 6 and 15",
    dose_label="Strength of the old belief",
    text=CauseText(
        question="Can a model learn a label that contradicts what it believes?",
        why="The base model is sure of another answer. Training that teaches a label where it is true leaves it less "
        "likely where the base model believes otherwise.",
        treated="denies a true fact (scored where the base model is sure of it)",
        control="states a true fact of the same kind (scored alike)",
        repair="Continued pre-training on documents that report the new fact, so that the belief itself changes.",
        dose="The dose of a conflict is how strongly the base model believes the old answer.",
        activity="for a conflict, both true answers are believed",
    ),
    dose_from_base_model=True,
    pairs=pairs,
    decoys=decoys,
    active_pairs=believed_pairs,
    documents=True,
)
