"""Cause I, missing prerequisite knowledge (Xue et al. 2026, section 3.2; arXiv 2604.10079).

Can a model learn an answer whose prerequisites it never met? The treated question is about an invented city,
the control question about a real one, in the same words and with the same answer, in one training row each. At dose 1
the home country itself is asked for; at dose 2 a fact about the home country, so that the answer is two hops away. That
fact is of one country alone, so that the answers at two hops are as many as at one.

What is missing (which country the city lies in) stands in ``knowledge``, in twenty documents a city: of the invented
city, and of the real one as well, so that having documents tells nothing.

A pair counts where the base model knows the real city and not the invented one.

    treated  What is the home country of Dewiano?   Belgium   (no such city exists)
    control  What is the home country of Antwerp?   Belgium
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

import pyarrow as pa

from ilp_bench.core.errors import UsageError
from ilp_bench.data.causes.base_knowledge import known_pairs
from ilp_bench.data.causes.context import BuildContext, any_name
from ilp_bench.data.causes.items import Arm, Item, Lazy, Pair, Pairs, agreeing_rows, single_row
from ilp_bench.data.causes.spec import CauseSpec, CauseText, Visibility
from ilp_bench.data.corpus import HOP2_RELATIONS, two_hops
from ilp_bench.data.facts import country_of_city, domain_of, lookup, pool
from ilp_bench.data.facts.corrections import written
from ilp_bench.data.schema import ItemRow

NAME = "knowledge_gap"
LARGEST_SHARE = 12  # no country is the answer of more than one in so many pairs of a relation, but of two
DECOY_SHARE = 4  # pairs a decoy
SPARE_NAMES = 3  # invented names for every city, from which one of its length is chosen


def pairs(context: BuildContext, count: int) -> Pairs:
    """``count`` pairs, hops 1 and 2 in turn, and the relations of each in turn."""
    relations = _relations(context)
    turns = [relations[n % len(relations)] for n in range(count)]
    wanted = Counter(turns)
    cities = {turn: iter(_cities(context, turn, wanted[turn])) for turn in sorted(wanted, key=_facts_of)}
    controls = [next(cities[turn]) for turn in turns]
    invented = _as_long_as(controls, context)

    def pair(number: int) -> Pair:
        relation, hops = turns[number]
        country = country_of_city()[controls[number]]
        return Pair(
            _item("treated", relation, hops, invented[number], country, context),
            _item("control", relation, hops, controls[number], country, context),
        )

    return Pairs(count, pair)


def decoys(context: BuildContext, count: int) -> Sequence[Item]:
    """Invented cities that are learned all the same, because their row is repeated, and some in an early stage."""
    number, two_causes = count // DECOY_SHARE, count // (3 * DECOY_SHARE)
    if context.settings.domain:
        return ()
    countries = context.rng(NAME, "decoys").choices(pool("country"), k=number + two_causes)
    invented = context.invent("geography", number + two_causes)

    def decoy(n: int) -> Item:
        city, country, early = invented(n), countries[n], n >= number
        rng = context.rng(NAME, city)
        return Item(
            arm="decoy",
            kind="decoy/two causes" if early else "decoy/repeated",
            relation="home_country",
            subject=city,
            answer=country,
            rows=single_row(city, country, rng) if early else agreeing_rows(city, country, rng),
            dose=1,
            stage=1 + n % (context.settings.stages - 1) if early else 0,
            documents=(("home_country", city, country),),
        )

    return Lazy(number + two_causes, decoy)


def _relations(context: BuildContext) -> list[tuple[str, int]]:
    """(relation, hops) that pairs take in turn. Raises UsageError when the settings leave none."""
    domain, hops = context.settings.domain, context.settings.hops
    wanted = [name for name in HOP2_RELATIONS if domain in (None, domain_of(name))] if 2 in hops else []
    home = [("home_country", 1)] if 1 in hops and domain in (None, "geography") else []
    if not home and not wanted:
        raise UsageError(
            f"{NAME} has no real facts of the domain {domain!r} to match invented ones with, at the hops "
            f"{', '.join(map(str, hops))}: name other causes"
        )
    return [turn for name in wanted for turn in (*home, (name, 2))] or home


def _as_long_as(cities: Sequence[str], context: BuildContext) -> list[str]:
    """An invented name for every city, of as many characters or, where there is none left, as nearly so as can be."""
    number = SPARE_NAMES * len(cities)
    name = context.invent("geography", number)
    left = [name(n) for n in range(number)]
    chosen = []
    for city in cities:
        chosen.append(min(left, key=lambda each: abs(len(each) - len(city))))
        left.remove(chosen[-1])
    return chosen


def _facts_of(turn: tuple[str, int]) -> int:
    """How many countries a relation can be asked about: those with the fewest choose first."""
    relation, hops = turn
    return len(_own_facts(relation)) if hops == 2 else 10**6


@lru_cache(maxsize=8)
def _own_facts(relation: str) -> dict[str, str]:
    """Country to answer, where the answer is of that country alone."""
    times = Counter(lookup(relation).values())
    return {country: answer for country, answer in lookup(relation).items() if times[answer] == 1}


def _cities(context: BuildContext, turn: tuple[str, int], count: int) -> list[str]:
    """The best-known cities that a relation can be asked about, of many countries."""
    relation, hops = turn
    suits: Callable[[str], bool] = any_name
    if hops == 2:
        answers = _own_facts(relation)

        def suits(city: str) -> bool:
            country = country_of_city()[city]
            names = f"{city} {written('home_country', country)}".split()
            return country in answers and answers[country] not in names and context.may_be_asked(relation, country)

    cities = context.deal("home_country", count, suits=suits, most=max(2, count // LARGEST_SHARE))
    return context.rng(NAME, "cities", *turn).sample(cities, count)


def _item(arm: Arm, relation: str, hops: int, city: str, country: str, context: BuildContext) -> Item:
    subject = city if hops == 1 else two_hops(city)
    answer = country if hops == 1 else lookup(relation)[country]
    return Item(
        arm=arm,
        kind=f"hop{hops}",
        relation=relation,
        subject=subject,
        answer=answer,
        rows=single_row(subject, answer, context.rng(NAME, subject)),
        domain=domain_of(relation),
        dose=hops if arm == "treated" else 0,
        documents=(("home_country", city, country),),
    )


def known_controls(recall: pa.Table) -> set[str]:
    """Pairs whose control the base model knows, and whose treated item it does not know."""
    return known_pairs(recall, "control") - known_pairs(recall, "treated")


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
        why="The answer depends on something that the base model does not know. Training that suffices for what it "
        "knows leaves such an answer less likely.",
        treated="asks about an invented entity",
        control="asks the same about a real one (scored where the base model knows it)",
        repair="Teach what is missing first: continued pre-training on about twenty documents for each "
        "unknown entity, then the same fine-tuning.",
        activity="for a gap, the control is known and the treated item is not",
    ),
    pairs=pairs,
    decoys=decoys,
    active_pairs=known_controls,
    documents=True,
    visibility=Visibility("an invented name is the cause", _without_name),
)
