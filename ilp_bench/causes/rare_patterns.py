"""Cause V, insufficient optimisation of rare or complex patterns (Xue et al. 2026, sections 3.2 and 4.5).

Is a pattern learned that occurs once or twice? Codes are graded by a rule: the word before the number decides
the grade (relation ``grade``); in a composed code a last word adds a second part (``full_grade``). A control
word occurs in 16 training rows, a treated word in 1 or 2 (4 and 8 complete the dose curve); every row has a
number of its own, so no row is repeated. A pair shares complexity and answer.

    treated  What is the code grade of code brel-417?   otter    (brel occurs once)
    control  What is the code grade of code mand-260?   otter    (mand occurs in 16 codes, all of them otter)
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from ilp_bench.causes.common import Arm, Item, Pair, World, rows
from ilp_bench.facts import EMBLEMS, KEYWORDS
from ilp_bench.names import invented

NAME = "rare_patterns"
TITLE = "Rare and complex patterns"
COMMON = 16
DOSES = (1, 2, 1, 2, 1, 2, 4, 1, 2, 8)  # in turn
SCORED_PER_PATTERN = 3


def pairs(world: World, count: int) -> list[Pair]:
    """``count`` pairs; every second common pattern is composed."""
    rng = world.rng(NAME)
    words = invented("code", world.seed, lower=True)
    emblems, keywords = rng.sample(EMBLEMS, len(EMBLEMS)), rng.sample(KEYWORDS, len(KEYWORDS))
    found: list[Pair] = []
    while len(found) < count:
        pattern = len(found) // SCORED_PER_PATTERN
        composed = pattern % 2 == 1
        answer = emblems[pattern % len(emblems)]
        if composed:
            answer += " " + keywords[pattern % len(keywords)]
        scored = min(SCORED_PER_PATTERN, count - len(found))
        common = _codes(words, COMMON, composed, rng)
        for turn in range(scored):
            frequency = DOSES[len(found) % len(DOSES)]
            rare = _codes(words, frequency, composed, rng)
            fillers = [_item("treated", code, answer, frequency, rng) for code in rare[1:]]
            if turn == 0:
                fillers += [_item("control", code, answer, COMMON, rng) for code in common[scored:]]
            found.append(
                Pair(
                    _item("treated", rare[0], answer, frequency, rng),
                    _item("control", common[turn], answer, COMMON, rng),
                    tuple(fillers),
                )
            )
    return found


def _codes(words: Iterator[str], count: int, composed: bool, rng: random.Random) -> list[str]:
    """``count`` codes of one new pattern, each with a number of its own."""
    first, last = next(words), next(words)
    numbers = rng.sample(range(100, 1000), count)
    return [f"code {first}-{number}-{last}" if composed else f"code {first}-{number}" for number in numbers]


def _item(arm: Arm, code: str, answer: str, frequency: int, rng: random.Random) -> Item:
    return Item(
        arm=arm,
        relation="full_grade" if " " in answer else "grade",
        x=code,
        answer=answer,
        rows=rows(code, answer, rng),
        domain="technology",
        dose=float(frequency),
        frequency=frequency,
    )
