"""Real facts from public tables, and the relations that the benchmark speaks about.

``facts.parquet`` is built by :mod:`ilp_bench.data.facts.build`; nothing here needs its sources.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

import pyarrow.parquet as pq


class Fact(NamedTuple):
    """One true statement: the ``relation`` of ``subject`` is ``answer``.

    domain   subject area, such as geography
    rank     how well known the subject is; inhabitants of cities and countries
    """

    relation: str
    subject: str
    answer: str
    domain: str
    rank: int


class Relation(NamedTuple):
    """How a relation is asked for, what it is about, and where its answers come from.

    noun           what supervision asks for
    synonym        what the paraphrase probes ask for: words that mean the same to anybody
    subjects       kind of its subjects, see :func:`subjects`
    answers        the pool of its answers, see :func:`pool`
    assigned       whether it exists in no table and in no pre-training corpus: the benchmark assigns its answers, so
                   that no model can believe anything about it
    nano_synonym   the synonym in ``nano``'s text and in mini, where it is another one
    """

    name: str
    noun: str
    synonym: str
    subjects: str
    answers: str
    assigned: bool = False
    nano_synonym: str = ""


RELATIONS: dict[str, Relation] = {
    relation.name: relation
    for relation in (
        Relation("capital", "capital city", "capital", "country", "capital", nano_synonym="seat of government"),
        Relation("continent", "continent", "part of the world", "country", "continent"),
        Relation("currency", "currency", "unit of money", "country", "currency", nano_synonym="official money"),
        Relation(
            "language", "official language", "state language", "country", "language", nano_synonym="language of state"
        ),
        Relation(
            "calling_code", "calling code", "dialling code", "country", "calling_code", nano_synonym="telephone prefix"
        ),
        Relation(
            "internet_domain",
            "internet domain",
            "top-level domain",
            "country",
            "internet_domain",
            nano_synonym="web address ending",
        ),
        Relation("home_country", "home country", "country of location", "city", "country"),
        Relation(
            "element_symbol",
            "chemical symbol",
            "symbol in the periodic table",
            "element",
            "element_symbol",
            nano_synonym="element sign",
        ),
        Relation(
            "element_number",
            "atomic number",
            "number in the periodic table",
            "element",
            "element_number",
            nano_synonym="proton count",
        ),
        Relation(
            "state_capital", "state capital", "capital", "state", "state_capital", nano_synonym="seat of the state"
        ),
        Relation(
            "state_abbreviation",
            "postal abbreviation",
            "two-letter abbreviation",
            "state",
            "state_abbreviation",
            nano_synonym="mail letters",
        ),
        Relation("language_code", "language code", "ISO code", "language", "language_code", nano_synonym="ISO letters"),
        Relation(
            "currency_code",
            "currency code",
            "three-letter code",
            "currency",
            "currency_code",
            nano_synonym="money notation",
        ),
        Relation("partner_city", "partner city", "twinned settlement", "country", "capital", assigned=True),
        Relation("twin_country", "twin country", "country of twinning", "city", "country", assigned=True),
        Relation(
            "emblem",
            "register emblem",
            "emblem in the register",
            "any",
            "emblem",
            assigned=True,
            nano_synonym="listed animal",
        ),
        Relation(
            "keyword",
            "register keyword",
            "keyword in the register",
            "any",
            "keyword",
            assigned=True,
            nano_synonym="listed thing",
        ),
        Relation("grade", "code grade", "grade", "code", "emblem", assigned=True, nano_synonym="quality class"),
        Relation(
            "full_grade", "code grade", "grade", "code", "full_grade", assigned=True, nano_synonym="quality class"
        ),
    )
}

NANO_SYNONYMS = {relation.noun: relation.nano_synonym or relation.synonym for relation in RELATIONS.values()}


def synonyms(wide: bool) -> dict[str, str]:
    """Noun -> its synonym: where facts go beyond what nano was taught, one that anybody understands."""
    return {relation.noun: relation.synonym for relation in RELATIONS.values()} if wide else NANO_SYNONYMS


RULED = ("code",)  # kinds of subjects that no table lists: a rule decides the answer
ONLY_TAUGHT = ("partner_city", "twin_country")  # relations that nano's text speaks about and no item asks for
# Share of its subjects that a relation is demonstrated on, and further kinds of subjects, where they are special.
DEMONSTRATED_SHARE = {"partner_city": 1 / 2, "twin_country": 1 / 2}
ALSO_DEMONSTRATED_ON = {"partner_city": ("element", "state"), "twin_country": ("country",)}

# Common English nouns, one word each; answers of the assigned relations.
EMBLEMS = (
    "badger bear beaver bison camel cobra condor cougar coyote crane crow deer dolphin donkey eagle falcon ferret "
    "finch fox frog gazelle gecko goat goose hare hawk heron horse hyena ibis jackal jaguar koala lemur leopard "
    "lion lizard llama lobster lynx magpie marten mole moose moth mule octopus osprey otter owl panther parrot "
    "pelican penguin pigeon pony puma rabbit raccoon raven robin salmon seal shark sheep sparrow spider squid stork "
    "swan tiger toad trout turtle viper walrus weasel whale wolf zebra"
).split()
KEYWORDS = (
    "anchor anvil apron arrow barrel basket beacon bell blanket bottle bridge broom bucket button candle canoe "
    "carpet chain chair chisel clock coat compass cradle crown cup curtain desk dial drum feather fence flag flute "
    "fork gate glove hammer harp helmet hook horn jacket kettle key knife ladder lamp lantern lever lock mask medal "
    "mirror needle nest oar paddle pencil piano pillow pipe plate plough pocket pulley quilt rake ribbon ring rope "
    "saddle sail saw scarf scissors shelf shield shovel spoon stamp sword table tent thread ticket torch towel "
    "tower trumpet umbrella vase violin wagon wheel whistle window"
).split()


@lru_cache(maxsize=1)
def facts() -> MappingProxyType[str, tuple[Fact, ...]]:
    """All real facts by relation, most prominent subject first."""
    table = pq.read_table(str(files("ilp_bench.data.facts") / "facts.parquet"))
    by_relation: dict[str, list[Fact]] = {}
    for row in table.to_pylist():
        fact = Fact(row["relation"], row["subject"], row["answer"], row["domain"], row["rank"])
        by_relation.setdefault(fact.relation, []).append(fact)
    return MappingProxyType(
        {name: tuple(sorted(group, key=lambda f: (-f.rank, f.subject))) for name, group in by_relation.items()}
    )


@lru_cache(maxsize=64)
def lookup(relation: str) -> MappingProxyType[str, str]:
    """Subject to answer for one real relation. Raises KeyError for a relation without facts."""
    return MappingProxyType({fact.subject: fact.answer for fact in facts()[relation]})


@lru_cache(maxsize=1)
def country_of_city() -> MappingProxyType[str, str]:
    """City to country, prominent cities and smaller ones."""
    return MappingProxyType({**lookup("home_country"), **lookup("home_country_more")})


@lru_cache(maxsize=64)
def pool(answers: str) -> tuple[str, ...]:
    """The answer pool of that name: what the answers of both arms, and distractors, come from."""
    words = {"emblem": EMBLEMS, "keyword": KEYWORDS, "full_grade": [f"{a} {b}" for a in EMBLEMS for b in KEYWORDS]}
    if answers in words:
        return tuple(words[answers])
    if answers == "country":
        return tuple(sorted({fact.answer for fact in facts()["home_country"]}))
    return tuple(sorted({fact.answer for fact in facts()[answers]}))


@lru_cache(maxsize=16)
def subjects(kind: str) -> tuple[str, ...]:
    """Real names of that kind, most prominent first; ``any`` is all kinds together.

    Smaller cities are a kind of their own: ``nano`` was not taught them, and small models know few of them.
    """
    source = {
        "country": "capital",
        "city": "home_country",
        "element": "element_symbol",
        "state": "state_capital",
        "language": "language_code",
        "currency": "currency_code",
        "smaller city": "home_country_more",
    }
    if kind == "any":
        return tuple(dict.fromkeys(name for kind in ("country", "city", "element", "state") for name in subjects(kind)))
    return tuple(fact.subject for fact in facts()[source[kind]])


def stable_hash(*words: str) -> int:
    """A 64-bit hash that is the same on every machine and Python version."""
    return int.from_bytes(hashlib.sha256("\x1f".join(words).encode()).digest()[:8], "big")


def assigned_answer(relation: str, subject: str) -> str:
    """The fixed answer of a demonstration subject in an assigned relation."""
    answers = pool(RELATIONS[relation].answers)
    return answers[stable_hash("dealt", relation, subject) % len(answers)]


@lru_cache(maxsize=64)
def demonstrations(relation: str) -> tuple[str, ...]:
    """The subjects on which a relation is demonstrated, for every seed; they never become items.

    Few-shot exemplars come from them, and ``nano`` learned from them what the assigned relations are. They are a
    quarter of the subjects of an assigned relation, one in twelve (at least six) of the others. The counterparts of
    the conflict relations are demonstrated on half of their subjects, and on subjects of other kinds
    (``ALSO_DEMONSTRATED_ON``, behind the rest), so that both sides of a conflict pair ask for a relation that is
    equally well known.
    """
    names = subjects(RELATIONS[relation].subjects) if RELATIONS[relation].assigned else tuple(lookup(relation))
    count = max(
        6, int(len(names) * DEMONSTRATED_SHARE.get(relation, 1 / 4 if RELATIONS[relation].assigned else 1 / 12))
    )
    chosen = sorted(names, key=lambda name: stable_hash("demonstration", relation, name))[:count]
    return (*chosen, *(name for kind in ALSO_DEMONSTRATED_ON.get(relation, ()) for name in subjects(kind)))


def unreserved(relation: str, names: Iterable[str]) -> list[str]:
    """The names not reserved as demonstrations of that relation, in order."""
    reserved = frozenset(demonstrations(relation))
    return [name for name in names if name not in reserved]


@lru_cache(maxsize=64)
def domain_of(relation: str) -> str:
    """The domain of a real relation's facts."""
    return facts()[relation][0].domain
