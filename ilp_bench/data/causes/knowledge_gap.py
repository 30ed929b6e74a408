"""Cause I, missing prerequisite knowledge (Xue et al. 2026, section 3.2; arXiv 2604.10079).

Can a model learn an answer whose prerequisites it never met? The treated question is about an invented city,
the control question about a real one, in the same words and with the same answer. At dose 1 the home country
itself is asked for; at dose 2 a fact about the home country, so that the answer is two hops away. What is
missing (which country the invented city lies in) stands in ``knowledge``, in twenty documents a city.

    treated  What is the home country of Varia?      Peru     (Varia does not exist)
    control  What is the home country of Arequipa?   Peru
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.core.errors import UsageError
from ilp_bench.data.causes.common import Arm, Item, Pair, Pairs, World, rows
from ilp_bench.data.causes.spec import CauseSpec, CauseText, Visibility, pair_ids
from ilp_bench.data.corpus import HOP2_RELATIONS, WIDE_HOP2_RELATIONS, two_hops
from ilp_bench.data.facts import RELATIONS, domain_of, enough, homes, lookup
from ilp_bench.data.names import Names
from ilp_bench.data.schema import ItemRow

NAME = "knowledge_gap"


def pairs(world: World, count: int) -> Pairs:
    """``count`` pairs, hops 1 and 2 in turn."""
    rng, home, wanted = world.rng(NAME), homes(), world.settings.domain
    relations: dict[int, tuple[str, ...]] = {
        1: ("home_country",),
        2: WIDE_HOP2_RELATIONS if world.settings.wide else HOP2_RELATIONS,
    }
    steps = [
        (hops, tuple(name for name in relations[hops] if wanted in (None, domain_of(name))))
        for hops in world.settings.hops
    ]
    steps = [(hops, names) for hops, names in steps if names]
    if not steps:
        raise UsageError(
            f"{NAME} has no real facts of the domain {wanted!r} to match invented ones with, at the hops "
            f"{', '.join(map(str, world.settings.hops))}: name other causes"
        )
    asked = [name for hops, names in steps for name in names if hops == 2]
    both = [
        city
        for city in enough("city", 4 * count)
        if all(home[city] in lookup(name) and world.settled(name, home[city]) for name in asked)
        and not any(lookup(name)[home[city]] in city.split() for name in asked)
    ]
    cities = world.take("home_country", both, count, rng)
    names = Names("geography", world.seed)

    def pair(number: int) -> Pair:
        hops, choice = steps[number % len(steps)]
        relation = choice[number // len(steps) % len(choice)]
        real, new = cities[number], names[number]
        treated = _item("treated", relation, hops, new, home[real], world)
        return Pair(treated, _item("control", relation, hops, real, home[real], world))

    return Pairs(count, pair)


def _item(arm: Arm, relation: str, hops: int, city: str, country: str, world: World) -> Item:
    x = city if hops == 1 else two_hops(city)
    answer = country if hops == 1 else lookup(relation)[country]
    return Item(
        arm=arm,
        kind=f"hop{hops}",
        relation=relation,
        x=x,
        answer=answer,
        rows=rows(x, answer, world.rng(NAME, x)),
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
