"""Invented verbs, each of a head and an ending: neither they nor their pasts are English words."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files

ONSETS = "b bl br d dr f fl fr g gl gr k kl kr l m n p pl pr r s sk sl sm sn sp st str t tr v w z".split()
VOWELS = "a e i o u".split()
CODAS = "b ck d g k l lk lm lp lt m mp n nd nk nt p r rb rd rk rm rn rp rt sk sp st t x z".split()
LONG_CODAS = "ch ff ng sh ss th".split()
RIMES = [vowel + coda for vowel in VOWELS for coda in CODAS]
LASTS = "bdfgklmnprstvz"
HEADS = [onset + vowel + last for onset in ONSETS for vowel in VOWELS for last in LASTS]
PREFIX = "ge"
_VOWEL, _ONSET = f"[{''.join(VOWELS)}]", f"(?:{'|'.join(ONSETS)})"
_RIME = f"{_VOWEL}(?:{'|'.join(CODAS)})"
SHAPE = re.compile(
    f"(?:{PREFIX})?{_ONSET}{_VOWEL}[{LASTS}](?:{_RIME}|(?:{_RIME}{_ONSET})+{_VOWEL}(?:{'|'.join(LONG_CODAS)}))"
)


def ending(number: int, seed: int) -> str:
    """Ending ``number`` of a seed: all of one syllable first, then of two and more; no two are equal."""
    order = random.Random(f"rimes/{seed}").sample(RIMES, len(RIMES))
    if number < len(order):
        return order[number]
    left, last = divmod(number - len(order), len(VOWELS) * len(LONG_CODAS))
    letters = VOWELS[last % len(VOWELS)] + LONG_CODAS[last // len(VOWELS)]
    while True:
        left, syllable = divmod(left, len(RIMES) * len(ONSETS))
        letters = order[syllable % len(RIMES)] + ONSETS[syllable // len(RIMES)] + letters
        if not left:
            return letters


def heads(count: int, endings: Sequence[str], rng: random.Random) -> list[str]:
    """``count`` heads in random order that make no English word with any of the endings, prefixed or not."""
    taken = english()
    order = rng.sample(HEADS, len(HEADS))
    usable = (head for head in order if not any({head + end, PREFIX + head + end} & taken for end in endings))
    return list(itertools.islice(usable, count))


@lru_cache(maxsize=1)
def english() -> frozenset[str]:
    """The English words that a head and an ending could make, as ``names.build`` wrote them down."""
    return frozenset((files("ilp_bench.data.names") / "verbs.txt").read_text(encoding="utf-8").split())


def shaped(words: Iterable[str]) -> list[str]:
    """The words that a head and an ending, prefixed or not, could make, sorted."""
    return sorted(word for word in words if SHAPE.fullmatch(word))
