"""Cause V, insufficient optimisation of rare or complex patterns (Xue et al. 2026, sections 3.2 and 4.5).

Is a pattern learned that occurs once or twice? Answers follow rules; a common rule stands in 16 training rows, a rare
one in 1 or 2 (4 and 8 complete the dose curve), each time about another case, so that no row is repeated. The rules
are of four systems:

``code``         The word before the number decides the grade; in a composed code a last word adds a second part.
``unit``         A unit is worth so many of another; a composed amount adds two units up.
``inflection``   The ending of an invented verb decides the ending of its past; a composed past has a prefix too.
``exception``    A verb with the ending of a common class, whose past goes another way; its control follows that way
                 by rule.

A pair shares system, complexity and answer. The dose is the frequency. Mini has codes alone: nano is too small to learn
arithmetic or endings.

    treated  What is the code grade of code gideal-744?   badger   (gideal occurs once)
    control  What is the code grade of code gialon-720?   badger   (gialon occurs in 16 codes, all of them badger)
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from ilp_bench.data.causes.context import BuildContext
from ilp_bench.data.causes.items import Arm, Item, Pair, Pairs, agreeing_rows, grouped
from ilp_bench.data.causes.spec import CauseSpec, CauseText
from ilp_bench.data.facts import EMBLEMS, KEYWORDS
from ilp_bench.data.names import RESERVED, Names, table
from ilp_bench.data.names.verbs import PREFIX, ending, heads
from ilp_bench.data.settings import COMMON

NAME = "rare_patterns"
SCORED = 3  # pairs that share a common pattern
WORDS = 16  # names kept for a group of pairs
CODE_NOUNS = {"geography": "plot", "medicine": "dose", "law": "case", "finance": "bond", "technology": "code"}
SYSTEMS = (
    ("code", False),
    ("code", True),
    ("unit", False),
    ("inflection", False),
    ("code", False),
    ("code", True),
    ("unit", True),
    ("inflection", True),
    ("exception", False),
)
CODES = SYSTEMS[:2]
ENDINGS = 4 + SCORED  # of one group


class Case(NamedTuple):
    """One question and its answer; ``distractors`` are wrong answers, where the relation has no pool of them."""

    subject: str
    answer: str
    distractors: tuple[str, ...] = ()


class Patterns(NamedTuple):
    """The cases of one group of pairs.

    common   ``COMMON`` cases of the pattern that the controls follow; the first are the controls themselves
    rare     the cases of each treated item's pattern; the first of each is the item itself
    fillers  cases of other common patterns
    """

    common: list[Case]
    rare: list[list[Case]]
    fillers: list[Case]


def pairs(context: BuildContext, count: int) -> Pairs:
    """``count`` pairs; the systems take turns, and every common pattern serves three pairs."""
    domain = context.settings.domain
    systems = SYSTEMS if context.settings.wide and domain is None else CODES
    frequencies = context.settings.frequencies
    words = Names("code", context.seed)

    def group(number: int, size: int) -> list[Pair]:
        system, composed = systems[number % len(systems)]
        doses = [frequencies[(number * SCORED + turn) % len(frequencies)] for turn in range(size)]
        rng, own_words = context.rng(NAME, number), words[number * WORDS : (number + 1) * WORDS]
        if system == "code":
            patterns = _codes(own_words, CODE_NOUNS[domain or "technology"], composed, doses, number, rng)
            relation = "full_grade" if composed else "grade"
        elif system == "unit":
            patterns, relation = _units(own_words, composed, doses, rng), "value"
        else:
            verb_group = _verb_groups_before(number)
            patterns = _verbs(verb_group, context.seed, system == "exception", composed, doses, rng)
            relation = "past_tense"
        kind = f"{system}/{'composed' if composed else 'simple'}"

        def item(arm: Arm, case: Case, frequency: int) -> Item:
            return Item(
                arm,
                kind,
                relation,
                case.subject,
                case.answer,
                agreeing_rows(case.subject, case.answer, rng),
                domain or ("technology" if system == "code" else "language" if relation == "past_tense" else "science"),
                dose=float(frequency),
                frequency=frequency,
                distractors=case.distractors,
            )

        common, rare, others = patterns
        fillers = [item("control", case, COMMON) for case in (*common[size:], *others)]
        return [
            Pair(
                item("treated", rare[turn][0], dose),
                item("control", common[turn], COMMON),
                (*(item("treated", case, dose) for case in rare[turn][1:]), *(fillers if turn == 0 else ())),
            )
            for turn, dose in enumerate(doses)
        ]

    return grouped(count, SCORED, group)


def _verb_groups_before(number: int) -> int:
    """How many groups of verbs stand before that group."""
    verb_systems = [n for n, (system, _) in enumerate(SYSTEMS) if system in ("inflection", "exception")]
    rounds, turn = divmod(number, len(SYSTEMS))
    return rounds * len(verb_systems) + verb_systems.index(turn)


def _codes(
    words: Sequence[str], noun: str, composed: bool, doses: Sequence[int], number: int, rng: random.Random
) -> Patterns:
    """Codes ``word-number`` or ``word-number-word``, graded by their words; a group has one grade."""
    answer = EMBLEMS[number % len(EMBLEMS)]
    if composed:
        answer += " " + KEYWORDS[number % len(KEYWORDS)]

    def cases(pattern: int, count: int) -> list[Case]:
        first, last = words[2 * pattern : 2 * pattern + 2]
        numbers = rng.sample(range(100, 1000), count)
        return [Case(f"{noun} {first}-{n}-{last}" if composed else f"{noun} {first}-{n}", answer) for n in numbers]

    return Patterns(cases(0, COMMON), [cases(1 + turn, dose) for turn, dose in enumerate(doses)], [])


def _units(words: Sequence[str], composed: bool, doses: Sequence[int], rng: random.Random) -> Patterns:
    """Amounts in units that are worth 2 to 9 of a base unit; a group shares the base.

    A composed amount adds some of a second unit, which is worth the same in all patterns of the group.
    """
    base, scored = words[0], len(doses)
    worth = rng.sample(range(2, 10), 1 + scored)  # of the unit of each pattern, the common one first
    second_worth, steps = rng.choice((10, 20, 30)), rng.sample(range(1, 5), scored)

    def case(pattern: int, count: int, second_count: int) -> Case:
        amount = f"{count} {words[1 + 2 * pattern]}"
        value = count * worth[pattern] + second_worth * second_count
        if composed:
            amount += f" {second_count} {words[2 + 2 * pattern]}"
        near_misses = (value + 1, value + 10, value - 1, value + worth[pattern], value + 2, value + 20)
        wrong = dict.fromkeys((*near_misses, *range(value + 3, value + 10), value + 11))
        return Case(amount, f"{value} {base}", tuple(f"{other} {base}" for other in wrong))

    def second_counts(count: int) -> list[int]:
        return [rng.randint(1, 9) if composed else 0 for _ in range(count)]

    # A treated amount and its control have the same value: k a units worth b are k b units worth a.
    shared = second_counts(scored)
    control_counts = [step * other for step, other in zip(steps, worth[1:], strict=True)]
    treated_counts = [step * worth[0] for step in steps]
    if len(set(control_counts)) < scored:
        return _units(words, composed, doses, rng)
    common = [case(0, count, second) for count, second in zip(control_counts, shared, strict=True)]
    rest = rng.sample([n for n in range(2, 60) if n not in control_counts], COMMON - scored)
    common += [case(0, count, second) for count, second in zip(rest, second_counts(len(rest)), strict=True)]
    rare = []
    for turn, dose in enumerate(doses):
        others = rng.sample([n for n in range(2, 60) if n != treated_counts[turn]], dose - 1)
        rare.append([case(1 + turn, treated_counts[turn], shared[turn])])
        rare[-1] += [case(1 + turn, n, second) for n, second in zip(others, second_counts(dose - 1), strict=True)]
    return Patterns(common, rare, [])


def _verbs(
    number: int, seed: int, exception: bool, composed: bool, doses: Sequence[int], rng: random.Random
) -> Patterns:
    """Verbs whose past depends on their ending; an exception has the ending of another common class."""
    present, past, other, regular, *rare_endings = (ending(number * ENDINGS + n, seed) for n in range(ENDINGS))
    prefix = PREFIX if composed else ""
    wrong = [ending((number + n) * ENDINGS + n % ENDINGS, seed) for n in range(1, 13)]

    def case(head: str, present_ending: str, past_ending: str) -> Case:
        # Among the distractors is what the rule of the other class would make of it.
        other_rule = regular if past_ending == past else past
        distractors = tuple(prefix + head + end for end in (other_rule, *wrong))
        return Case(head + present_ending, prefix + head + past_ending, distractors)

    used = heads(2 * COMMON + sum(doses), (present, past, other, regular, *rare_endings), rng)
    common = [case(head, present, past) for head in used[:COMMON]]
    fillers = [case(head, other, regular) for head in used[COMMON : 2 * COMMON]] if exception else []
    rare: list[list[Case]] = []
    unused = iter(used[2 * COMMON :])
    for turn, dose in enumerate(doses):
        rare_ending = other if exception else rare_endings[turn]
        # The scored verb begins as its control does and has its past ending too, so that their answers are equal.
        rare.append([case(used[turn], rare_ending, past)])
        rare[-1] += [case(next(unused), rare_ending, past) for _ in range(dose - 1)]
    return Patterns(common, rare, fillers)


def exemplars() -> dict[str, list[tuple[str, str]]]:
    """Four fixed (subject, answer) exemplars of each relation that only rules decide, on reserved words."""
    first, second, third, base, *_ = table("code")[:RESERVED]
    value = [(f"{n} {word}", f"{n * worth} {base}") for n, word, worth in ((3, first, 4), (7, second, 6))]
    value += [(f"5 {first} 2 {third}", f"40 {base}"), (f"4 {second} 1 {third}", f"34 {base}")]
    past = [("kwabesh", "kwabosh"), ("tweldish", "tweldosh"), ("kwinnoth", "gekwinneth"), ("twassoth", "getwasseth")]
    return {"value": value, "past_tense": past}


def common_pattern(pair_id: str) -> str:
    """Pairs that share a common pattern stay together, or its word would tell the arm of the others."""
    cause, number = pair_id.rsplit("-", 1)
    return f"{cause}-{int(number) // SCORED}"


SPEC = CauseSpec(
    name=NAME,
    numeral="V",
    title="Rare and complex patterns",
    short_title="Rare patterns",
    label="rare",
    section="3.2 and 4.5, table 2",
    dose_label="Rows that carry the pattern",
    text=CauseText(
        question="Is a pattern learned that occurs once or twice?",
        why="Training stops when the loss is small on average, and rare patterns weigh little in an "
        "average. They are still being learned when training ends.",
        treated="follows a rule that occurs in one or two rows",
        control="follows a rule of the same kind that occurs in sixteen",
        repair="Repeat what is rare, or add epochs for as long as they help.",
        dose_effect="The rarer the pattern, the less of it should be learned",
    ),
    pairs=pairs,
    resampling_group=common_pattern,
    exemplars=exemplars,
)
