"""The pre-training text of ``nano``: real facts, and demonstrations of the assigned relations.

What ``nano`` knows is exactly :func:`taught`. Its pre-training documents, and the replay corpus of continued
pre-training, are :func:`documents`. A quiz document opens with a full sentence and goes on in short answers
or in sentences, so an untuned ``nano`` answers shortly only behind few-shot exemplars, as larger base models do.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import NamedTuple

from ilp_bench.data.facts import (
    EMBLEMS,
    KEYWORDS,
    NANO_SYNONYMS,
    RELATIONS,
    assigned_answer,
    demonstrations,
    facts,
    lookup,
    pool,
    stable_hash,
)
from ilp_bench.data.names import DEMO_WORDS
from ilp_bench.data.templates import GENRES, PROMPTS, STATEMENTS, ask, complete, state

TAUGHT_RELATIONS = (
    "capital",
    "continent",
    "currency",
    "language",
    "home_country",
    "element_symbol",
    "element_number",
    "state_capital",
    "state_abbreviation",
    "language_code",
)
TAUGHT_ASSIGNED = ("partner_city", "twin_country", "emblem", "keyword")
PROMINENCE = {"capital": 6, "home_country": 6, "partner_city": 6, "twin_country": 6}  # times as often as the rest
DISAGREEMENT = 1 / 5  # share of the texts about an assigned relation that give another answer
HOP2_RELATIONS = ("currency", "language")
PROMPT_WEIGHTS = (4, 2, 2, 1, 1)  # of ``PROMPTS``: those that probes use are known, but less usual
DEMO_CODES, CODES_PER_WORD = 24, 8


class TaughtFact(NamedTuple):
    """A fact as texts state it: the ``noun`` of ``subject`` is ``answer``; a quiz document is about one relation."""

    relation: str
    noun: str
    subject: str
    answer: str


def two_hops(city: str) -> str:
    """How a question refers to the country in which a city lies."""
    return f"the home country of {city}"


@lru_cache(maxsize=1)
def demo_codes() -> tuple[tuple[str, str, str], ...]:
    """(relation, code, grade) examples of the two rule families of ``rare_patterns``.

    The word before the number decides the emblem; a word after it, where there is one, decides the keyword.
    """
    emblems = {word: EMBLEMS[stable_hash("emblem", word) % len(EMBLEMS)] for word in DEMO_WORDS[:DEMO_CODES]}
    keywords = {word: KEYWORDS[stable_hash("keyword", word) % len(KEYWORDS)] for word in DEMO_WORDS[DEMO_CODES:]}
    rows = []
    for index, (word, emblem) in enumerate(emblems.items()):
        for turn in range(CODES_PER_WORD):
            number = stable_hash("number", word, str(turn)) % 900 + 100
            ending = list(keywords)[(index + turn) % len(keywords)]
            rows.append(("grade", f"code {word}-{number}", emblem))
            rows.append(("full_grade", f"code {word}-{number}-{ending}", f"{emblem} {keywords[ending]}"))
    return tuple(rows)


def taught() -> list[TaughtFact]:
    """Every fact in nano's pre-training text, 3,978 of them, in a fixed order."""
    taught_facts = [
        TaughtFact(name, RELATIONS[name].noun, fact.subject, fact.answer)
        for name in TAUGHT_RELATIONS
        for fact in facts()[name]
    ]
    for name in HOP2_RELATIONS:
        for city, country in lookup("home_country").items():
            if country in lookup(name):
                answer = lookup(name)[country]
                taught_facts.append(TaughtFact(f"{name}_hop2", RELATIONS[name].noun, two_hops(city), answer))
    for name in TAUGHT_ASSIGNED:
        noun = RELATIONS[name].noun
        taught_facts += [
            TaughtFact(name, noun, subject, assigned_answer(name, subject)) for subject in demonstrations(name)
        ]
    taught_facts += [TaughtFact(name, RELATIONS[name].noun, code, grade) for name, code, grade in demo_codes()]
    return taught_facts


def _answer(fact: TaughtFact, rng: random.Random) -> str:
    """The answer as a text gives it: texts about assigned relations disagree one time in five.

    So ``nano`` is not sure of anything where an attribute was never given, as larger models are not.
    """
    relation = RELATIONS.get(fact.relation)
    if relation and relation.assigned and relation.subjects != "code" and rng.random() < DISAGREEMENT:
        return rng.choice(pool(relation.answers))
    return fact.answer


def _noun(fact: TaughtFact, rng: random.Random) -> str:
    """Mostly the relation's usual noun, one time in four its synonym."""
    return rng.choice((fact.noun, fact.noun, fact.noun, NANO_SYNONYMS[fact.noun]))


def quiz(group: list[TaughtFact], rng: random.Random) -> str:
    """One quiz document about facts of one relation; the first answer is always a full sentence."""
    short = rng.random() < 0.7
    lines = []
    for index, fact in enumerate(group):
        template = rng.choices(PROMPTS, PROMPT_WEIGHTS)[0]
        answer = _answer(fact, rng)
        if not short or index == 0:
            answer = state(STATEMENTS[0], _noun(fact, rng), fact.subject, answer)
        lines.append(ask(template, fact.noun, fact.subject, NANO_SYNONYMS[fact.noun]).text + complete(answer))
    return "".join(lines)


def documents(rng: random.Random, without: Collection[tuple[str, str]] = ()) -> Iterator[str]:
    """One epoch of text: every taught fact in statements and in one quiz of two to six questions.

    ``without`` names facts by (relation, subject) of which nothing is to be said.
    """
    stated = [fact for fact in taught() if (fact.relation, fact.subject) not in without]
    genres = [template for templates in GENRES.values() for template in templates]
    for fact in stated:
        for _ in range(PROMINENCE.get(fact.relation, 1)):
            for templates in (STATEMENTS, genres):
                yield state(rng.choice(templates), _noun(fact, rng), fact.subject, _answer(fact, rng)) + "\n"
    rng.shuffle(stated)
    stated.sort(key=lambda fact: fact.relation)
    while stated:
        size = rng.randint(2, 6)
        group = [fact for fact in stated[:size] if fact.relation == stated[0].relation]
        stated = stated[len(group) :]
        yield quiz(group, rng)
