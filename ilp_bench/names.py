"""Invented names: pronounceable, shaped like a domain, deterministic, and unlike any real name of the tables."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

from ilp_bench.facts import facts

ONSETS = "b br c ch cl d dr f g gl gr h j k kr l m n p pl pr qu r s sh sk sl st t th tr v w y z".split()
VOWELS = "a e i o u ai ea ei ia io ou".split()
CODAS = "l ll m n nd ng nt r rd rn rt s sh st x".split()
ENDINGS = {
    "geography": "a aba an ara ava burg dale en ford grad ia in ka mar mouth o ona polis port stad ton um".split(),
    "medicine": "afen amab azole cillin idone ine itis mycin olol oma osis pril statin ulin vir".split(),
    "law": "act bill clause code edict lex pact rule statute writ".split(),
    "finance": "bond coin fund gilt mark note penny share stock trust".split(),
    "technology": "byte chip core dyne flux net node soft tron ware".split(),
    "code": [""],
}


@cache
def real_words(*, towns: bool = True) -> frozenset[str]:
    """Every word of every real name and answer, in lower case; with or without the names of smaller cities."""
    tables = [rows for name, rows in facts().items() if towns or name != "home_country_more"]
    texts = (text for rows in tables for fact in rows for text in (fact.subject, fact.answer))
    return frozenset(word for text in texts for word in text.lower().replace("-", " ").split())


def invented(domain: str, seed: int, *, lower: bool = False) -> Iterator[str]:
    """An endless stream of distinct names of that domain.

    ``lower`` gives bare lower-case words (used for code prefixes). Raises KeyError for an unknown domain.
    """
    # A word in a code cannot be taken for a town.
    endings, taken = ENDINGS[domain], real_words(towns=domain != "code")
    rng = random.Random(f"{domain}/{seed}")
    seen: set[str] = set()
    while True:
        stem = rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS)
        if rng.random() < 0.5:
            stem = rng.choice(ONSETS) + rng.choice(VOWELS) + stem
        name = stem + rng.choice(endings)
        if name not in seen and name not in taken:
            seen.add(name)
            yield name if lower else name.capitalize()
