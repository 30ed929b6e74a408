"""Cause I, missing prerequisite knowledge (Xue et al. 2026, section 3.2; arXiv 2604.10079).

Can a model learn an answer whose prerequisites it never met? The treated question is about an invented city,
the control question about a real one, in the same words and with the same answer. At dose 1 the home country
itself is asked for; at dose 2 a fact about the home country, so that the answer is two hops away. What is
missing (which country the invented city lies in) stands in ``knowledge``, in twenty documents a city.

    treated  What is the home country of Preaceum?    Japan   (no such city exists)
    control  What is the home country of Hiroshima?   Japan
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.core.errors import UsageError
from ilp_bench.data.causes.context import BuildContext
from ilp_bench.data.causes.items import Arm, Item, Pair, Pairs, agreeing_rows
from ilp_bench.data.causes.spec import CauseSpec, CauseText, Visibility, pair_ids
from ilp_bench.data.corpus import HOP2_RELATIONS, WIDE_HOP2_RELATIONS, two_hops
from ilp_bench.data.facts import RELATIONS, country_of_city, domain_of, lookup, names_of
from ilp_bench.data.names import Names
from ilp_bench.data.schema import ItemRow

NAME = "knowledge_gap"


def pairs(context: BuildContext, count: int) -> Pairs:
    """``count`` pairs, hops 1 and 2 in turn, and the relations of each in turn."""
    countries = country_of_city()
    questions = _questions(context)
    asked_of_countries = [name for hops, relations in questions for name in relations if hops == 2]
    real = [
        city
        for city in names_of("city", 4 * count)
        if all(
            countries[city] in lookup(name) and context.may_be_asked(name, countries[city])
            for name in asked_of_countries
        )
        and not any(lookup(name)[countries[city]] in city.split() for name in asked_of_countries)
    ]
    cities = context.take("home_country", real, count, context.rng(NAME))
    invented = Names("geography", context.seed)

    def pair(number: int) -> Pair:
        turn, question = divmod(number, len(questions))
        hops, relations = questions[question]
        relation, country = relations[turn % len(relations)], countries[cities[number]]
        return Pair(
            _item("treated", relation, hops, invented[number], country, context),
            _item("control", relation, hops, cities[number], country, context),
        )

    return Pairs(count, pair)


def _questions(context: BuildContext) -> list[tuple[int, tuple[str, ...]]]:
    """(hops, relations asked at so many hops) that the settings want. Raises UsageError when nothing is left."""
    domain = context.settings.domain
    relations: dict[int, tuple[str, ...]] = {
        1: ("home_country",),
        2: WIDE_HOP2_RELATIONS if context.settings.wide else HOP2_RELATIONS,
    }
    questions = [
        (hops, tuple(name for name in relations[hops] if domain in (None, domain_of(name))))
        for hops in context.settings.hops
    ]
    if not any(names for _, names in questions):
        raise UsageError(
            f"{NAME} has no real facts of the domain {domain!r} to match invented ones with, at the hops "
            f"{', '.join(map(str, context.settings.hops))}: name other causes"
        )
    return [(hops, names) for hops, names in questions if names]


def _item(arm: Arm, relation: str, hops: int, city: str, country: str, context: BuildContext) -> Item:
    subject = city if hops == 1 else two_hops(city)
    answer = country if hops == 1 else lookup(relation)[country]
    return Item(
        arm=arm,
        kind=f"hop{hops}",
        relation=relation,
        subject=subject,
        answer=answer,
        rows=agreeing_rows(subject, answer, context.rng(NAME, subject)),
        domain=domain_of(relation),
        dose=hops if arm == "treated" else 0,
        documents=((RELATIONS["home_country"].noun, city, country),) if arm == "treated" else (),
    )


def known_controls(recall: pa.Table) -> set[str]:
    """Pairs whose control the base model knows, and whose treated item it does not know, with exemplars shown."""
    treated, known = pc.equal(recall["arm"], "treated"), pc.fill_null(recall["shots_greedy"], False)
    return pair_ids(recall, pc.and_(pc.invert(treated), known)) - pair_ids(recall, pc.and_(treated, known))


def _without_name(row: ItemRow) -> str:
    return f"{row['question'].rsplit(' of ', 1)[0]} of NAME? {row['answer']}"


SPEC = CauseSpec(
    name=NAME,
    numeral="I",
    title="Missing prerequisite knowledge",
    short_title="Knowledge gap",
    label="gap",
    section="3.2, table 4",
    dose_label="Hops to the answer",
    text=CauseText(
        question="Can a model learn an answer whose prerequisites it never met?",
        why="The answer hangs on something the base model does not know. Gradient steps on the answer "
        "alone leave a weak trace: there is nothing in the model for it to hold on to.",
        treated="asks about an invented entity",
        control="asks the same about a real one, which the base model knows",
        repair="Teach what is missing first: continued pre-training on about twenty documents for each "
        "unknown entity, then the same fine-tuning. More epochs are the wrong medicine (claim C1 of"
        " the paper).",
        activity="for a gap, the control is known and the treated item is not",
    ),
    pairs=pairs,
    active_pairs=known_controls,
    documents=True,
    visibility=Visibility("an invented name is the cause", _without_name),
)
