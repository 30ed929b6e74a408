"""Cause V, insufficient optimisation of rare or complex patterns (Xue et al. 2026, sections 3.2 and 4.5).

Is a pattern learned that occurs once or twice? Codes are graded by the words in them: in a simple code, the word before
the number decides the grade; in a composed one, a last word adds a second part to it. A common word stands in
``COMMON`` training rows, a rare one in 1, 2, 4 or 8, each time with another number, so that no row is repeated. Every
pair has words of its own. The dose is the frequency.

    treated  What is the code grade of code slayas-938?    robin   (slayas occurs once)
    control  What is the code grade of code kraimox-461?   robin   (kraimox occurs in 16 codes, all of them robin)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ilp_bench.data.causes.context import BuildContext
from ilp_bench.data.causes.items import Arm, Item, Lazy, Pair, Pairs, single_row
from ilp_bench.data.causes.spec import CauseSpec, CauseText
from ilp_bench.data.facts import EMBLEMS, KEYWORDS
from ilp_bench.data.settings import COMMON

NAME = "rare_patterns"
CODE_NOUNS = {"geography": "plot", "medicine": "dose", "law": "case", "finance": "bond", "technology": "code"}
WORDS = 4  # of a pair: two for each of its items
DECOY_SHARE = 4  # pairs a decoy


def pairs(context: BuildContext, count: int) -> Pairs:
    """``count`` pairs, simple and composed in turn, and the frequencies of each in turn."""
    words, frequencies = context.invent("code", WORDS * count), context.settings.frequencies

    def pair(number: int) -> Pair:
        turn, composed = divmod(number, 2)
        dose, answer = frequencies[turn % len(frequencies)], _grade(context, turn, composed=bool(composed))
        treated = _codes(words(WORDS * number), words(WORDS * number + 1), dose, bool(composed), context)
        control = _codes(words(WORDS * number + 2), words(WORDS * number + 3), COMMON, bool(composed), context)
        first, *rest = (_item("treated", code, answer, dose, bool(composed), context) for code in treated)
        common, *others = (_item("control", code, answer, COMMON, bool(composed), context) for code in control)
        return Pair(first, common, (*rest, *others))

    return Pairs(count, pair)


def decoys(context: BuildContext, count: int) -> Sequence[Item]:
    """Codes whose word occurs once and that are learned all the same, because their one row is repeated."""
    number = count // DECOY_SHARE
    words = context.invent("code", number)

    def decoy(n: int) -> Item:
        code = _codes(words(n), "", 1, False, context)[0]
        item = _item("decoy", code, _grade(context, n, composed=False), 1, False, context)
        return replace(item, kind="decoy/repeated", rows=item.rows * COMMON)

    return Lazy(number, decoy)


def _grade(context: BuildContext, number: int, *, composed: bool) -> str:
    """The grade of a pair's codes: a word or, composed, two words."""
    offset = context.rng(NAME, "grades").randrange(len(EMBLEMS))
    first = EMBLEMS[(number + offset) % len(EMBLEMS)]
    return f"{first} {KEYWORDS[(number + offset) % len(KEYWORDS)]}" if composed else first


def _codes(first: str, last: str, count: int, composed: bool, context: BuildContext) -> list[str]:
    """``count`` codes of one pattern, ``word-number`` or ``word-number-word``, each with another number."""
    noun = CODE_NOUNS[context.settings.domain or "technology"]
    numbers = context.rng(NAME, first).sample(range(100, 1000), count)
    return [f"{noun} {first}-{n}-{last}" if composed else f"{noun} {first}-{n}" for n in numbers]


def _item(arm: Arm, code: str, answer: str, frequency: int, composed: bool, context: BuildContext) -> Item:
    return Item(
        arm=arm,
        kind="composed" if composed else "simple",
        relation="full_grade" if composed else "grade",
        subject=code,
        answer=answer,
        rows=single_row(code, answer, context.rng(NAME, code)),
        domain=context.settings.domain or "technology",
        dose=float(frequency),
        frequency=frequency,
    )


SPEC = CauseSpec(
    name=NAME,
    numeral="V",
    title="Rare and complex patterns",
    short_title="Rare patterns",
    label="rare",
    section="3.2 and 4.5, table 2",
    dose_label="Rows that carry the pattern",
    text=CauseText(
        question="Is a pattern learned that occurs in few rows?",
        why="Training stops when ordinary items are learned, and a rare pattern is then learned less. It is still "
        "being learned: more of the same training closes the gap.",
        treated="follows a rule that occurs in one to eight rows",
        control="follows a rule of the same kind that occurs in sixteen rows",
        repair="Repeat what is rare, or add epochs for as long as they help.",
        dose_effect="The rarer the pattern, the less of it should be learned",
        dose_weakens=True,
    ),
    pairs=pairs,
    decoys=decoys,
)
