"""Cause II, conflict with pre-training knowledge (Xue et al. 2026, section 3.2 and table 15).

Can a model learn a label that contradicts what it believes? The treated label contradicts a real fact; the control
gives an equally familiar subject an attribute it never had, so there is nothing to overwrite. Both answers come
from one pool, and a pair shares its answer. A conflict is an exception: beside each pair, rows that agree with
what is known (fillers, never scored) keep both relations alive, or a model would only learn that nothing it
knew about home countries holds any more. The dose is the strength of the base model's belief in the prior answer, read
from its own run. Documents that report the change stand in ``knowledge``.

Kinds, after the paper's table 15: ``counterfactual`` (a city in another country), ``timeliness`` (a capital that has
moved since), ``terminology`` (an element or a language under a new sign), ``regional_rule`` (what a state or a
country prescribes: postal abbreviation, calling code). Mini has the first alone: nano knows too few countries,
elements and states to practise the others on.

    treated  What is the home country of Maiduguri?      Mongolia    (a model believes Nigeria)
    control  What is the twin country of Christchurch?   Mongolia    (no such relation exists)
    filler   What is the home country of Melbourne?      Australia
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.core.errors import UsageError
from ilp_bench.data.causes.context import BuildContext
from ilp_bench.data.causes.items import Arm, Item, Pair, Pairs, agreeing_rows
from ilp_bench.data.causes.spec import CauseSpec, CauseText, Visibility, pair_ids
from ilp_bench.data.facts import (
    RELATIONS,
    assigned_answer,
    country_of_city,
    demonstrations,
    domain_of,
    lookup,
    names_of,
)
from ilp_bench.data.schema import EXEMPLARS, ItemRow

NAME = "knowledge_conflict"
MINIMUM = 120  # the effect is a difference of two arms that are both hard; fewer pairs cannot resolve it
FILLERS = 2  # of each arm's relation, a pair
ALL = 10**9  # more names than there are


class Kind(NamedTuple):
    """A believed relation, the relation that its control is given, and the name of that kind of conflict."""

    kind: str
    believed: str
    assigned: str


KINDS = (
    Kind("counterfactual", "home_country", "twin_country"),
    Kind("timeliness", "capital", "partner_city"),
    Kind("terminology", "element_symbol", "catalogue_label"),
    Kind("terminology", "language_code", "archive_label"),
    Kind("regional_rule", "state_abbreviation", "harbor_abbreviation"),
    Kind("regional_rule", "calling_code", "courier_code"),
)


def pairs(context: BuildContext, count: int) -> Pairs:
    """``count`` pairs: up to an eighth of each kind as far as there are facts, the rest counterfactual.

    Without the knob ``pairs``, there are at least ``MINIMUM``.
    """
    count = count if context.settings.pairs else max(count, MINIMUM)
    made = [pair for kind, share in _shares(count, context) for pair in _pairs_of_kind(kind, share, context)]
    return Pairs(len(made), made.__getitem__)


def _shares(count: int, context: BuildContext) -> list[tuple[Kind, int]]:
    """Pairs of each kind. Raises UsageError when the domain has no kind, or a kind too few facts."""
    domain = context.settings.domain
    kinds = [
        kind for kind in (KINDS if context.settings.wide else KINDS[:1]) if domain in (None, domain_of(kind.believed))
    ]
    if not kinds:
        raise UsageError(f"{NAME} has no real facts of the domain {domain!r} to contradict: name other causes")
    limits = [_most_pairs(kind, context) for kind in kinds]
    shares = [min(count // 8, limit) for limit in limits]
    shares[0] = count - sum(shares[1:])
    if len(kinds) > 1 and kinds[0] is not KINDS[0]:
        shares = [count // len(kinds) + (n < count % len(kinds)) for n in range(len(kinds))]
    for kind, share, limit in zip(kinds, shares, limits, strict=True):
        if share > limit:
            raise UsageError(
                f"{share} conflicts about {RELATIONS[kind.believed].noun!r} are wanted, but the facts allow {limit}: "
                "ask for fewer pairs"
            )
    return list(zip(kinds, shares, strict=True))


def _most_pairs(kind: Kind, context: BuildContext) -> int:
    """How many pairs of that kind the facts still allow: each wants a subject of its own in either relation."""
    names = _subjects(kind, ALL, context)
    return min(len(context.unused(kind.assigned, names)), len(context.unused(kind.believed, names)) // 2)


def _subjects(kind: Kind, count: int, context: BuildContext) -> list[str]:
    """Names of which the believed relation is true, with smaller cities up to ``count`` but in mini."""
    truth = _truth(kind.believed)
    names = names_of(RELATIONS[kind.believed].subjects, count if context.settings.wide else 0)
    return [name for name in names if name in truth]


def _truth(relation: str) -> Mapping[str, str]:
    """Subject to true answer."""
    return country_of_city() if relation == "home_country" else lookup(relation)


def _pairs_of_kind(kind: Kind, count: int, context: BuildContext) -> list[Pair]:
    believed, assigned = kind.believed, kind.assigned
    rng, truth = context.rng(NAME, believed), _truth(believed)
    names = _subjects(kind, 5 * count, context)
    # The control's subject keeps its real fact: it must not be overwritten elsewhere in the same dataset.
    still_true = set(context.unused(believed, names))
    controls = context.take(assigned, [name for name in names if name in still_true], count, rng)
    context.reserve(believed, controls)
    treated = context.take(believed, names, count, rng)
    agreeing = context.unused(believed, names)
    demonstrated = list(demonstrations(assigned)[EXEMPLARS:])
    fillers = min(FILLERS * count, len(agreeing), len(demonstrated))
    agreeing, demonstrated = rng.sample(agreeing, fillers), rng.sample(demonstrated, fillers)
    context.reserve(believed, agreeing)
    answers = context.spread_answers(RELATIONS[believed].answers, count + 2, rng)  # two may be excluded below
    made = []
    for n, (subject, control) in enumerate(zip(treated, controls, strict=True)):
        answer = next(word for word in answers if word not in (truth[subject], truth[control]))
        answers.remove(answer)
        turn = slice(FILLERS * n, FILLERS * (n + 1))
        made.append(
            Pair(
                _item("treated", kind, believed, subject, answer, truth[subject], context),
                _item("control", kind, assigned, control, answer, None, context),
                (
                    *(_item("treated", kind, believed, name, truth[name], None, context) for name in agreeing[turn]),
                    *(
                        _item("control", kind, assigned, name, assigned_answer(assigned, name), None, context)
                        for name in demonstrated[turn]
                    ),
                ),
            )
        )
    return made


def _item(
    arm: Arm, kind: Kind, relation: str, subject: str, answer: str, prior_answer: str | None, context: BuildContext
) -> Item:
    return Item(
        arm=arm,
        kind=kind.kind,
        relation=relation,
        subject=subject,
        answer=answer,
        rows=agreeing_rows(subject, answer, context.rng(NAME, relation, subject)),
        domain=domain_of(kind.believed),
        dose=float("nan") if arm == "treated" else 0.0,
        prior_answer=prior_answer,
        documents=((RELATIONS[relation].noun, subject, answer),) if prior_answer else (),
    )


def believed_pairs(recall: pa.Table) -> set[str]:
    """Pairs whose prior answer is what the base model prefers among the options, with exemplars shown."""
    believed = pc.fill_null(pc.equal(recall["belief"], recall["prior_answer"]), False)
    return pair_ids(recall, pc.and_(pc.equal(recall["arm"], "treated"), believed))


def _without_noun(row: ItemRow) -> str:
    return f"{row['question'].replace(RELATIONS[row['relation']].noun, 'NOUN')} {row['answer']}"


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
        why="The base model is sure of another answer. Fine-tuning talks it out of that answer in the "
        "wording it was trained on; ask in other words, and the old belief is back.",
        treated="denies a fact that the base model is sure of",
        control="gives an equally familiar subject an attribute it never had",
        repair="Continued pre-training on documents that report the new fact, so that the belief itself changes.",
        dose="The dose of a conflict is how strongly the base model believes the old answer.",
        activity="for a conflict, the old answer is believed",
    ),
    dose_from_base_model=True,
    pairs=pairs,
    active_pairs=believed_pairs,
    documents=True,
    visibility=Visibility("a relation that was never given is the control", _without_noun),
)
