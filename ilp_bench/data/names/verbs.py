"""Invented verbs, a head and an ending each: no one of them, nor its past, is an English word."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from functools import cache
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


def rime(place: int, seed: int) -> str:
    """Ending number ``place`` of a seed: all of one syllable first, then of two and more; no two are equal."""
    order = random.Random(f"rimes/{seed}").sample(RIMES, len(RIMES))
    if place < len(order):
        return order[place]
    left, last = divmod(place - len(order), len(VOWELS) * len(LONG_CODAS))
    ending = VOWELS[last % len(VOWELS)] + LONG_CODAS[last // len(VOWELS)]
    while True:
        left, here = divmod(left, len(RIMES) * len(ONSETS))
        ending = order[here % len(RIMES)] + ONSETS[here // len(RIMES)] + ending
        if not left:
            return ending


def heads(count: int, endings: Sequence[str], rng: random.Random) -> list[str]:
    """``count`` heads in random order that make no English word with any of the endings, prefixed or not."""
    taken = english()
    order = rng.sample(HEADS, len(HEADS))
    fit = (head for head in order if not any({head + end, PREFIX + head + end} & taken for end in endings))
    return [head for head, _ in zip(fit, range(count), strict=False)]


@cache
def english() -> frozenset[str]:
    """The English words of that shape; ``names.build`` wrote them down."""
    return frozenset((files("ilp_bench.data.names") / "verbs.txt").read_text(encoding="utf-8").split())


def shaped(words: Iterable[str]) -> list[str]:
    """The words that a head and an ending, prefixed or not, could make, sorted."""
    return sorted(word for word in words if SHAPE.fullmatch(word))
