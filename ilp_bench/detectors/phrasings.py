"""What differs between two questions that may ask the same in other words.

Names, numbers and negations cannot be reworded: where they differ, or stand in another order, another thing is asked.
The rest of what differs may be phrasing alone ("capital" and "capital city") or may not ("capital" and "former
capital"), which the words themselves do not tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from sys import intern
from typing import NamedTuple

from ilp_bench.detectors.words import IDENTIFIER, before_object, words

SHORT = 4  # characters, with its full stop, of an abbreviation
LONGEST = 500  # characters: in a longer question, such as a conversation, phrasing is the least that differs
QUOTES = ",:;\"'`()[]{}*«»“”‘’"
ASKING = frozenset("what which name state give tell say find please could can would you me please".split())
ARTICLES = frozenset("a an the".split())
LIGHT = ARTICLES | frozenset("is are that have has do does its it this there what which".split())
SAYING_NOTHING = ASKING | LIGHT
SMALL = frozenset("of for as in at on with".split())  # say nothing where other words say what is asked
NEGATIONS = frozenset("not no never none neither nor without except cannot".split())
# Of two things, the order says which is which beside these, whatever their names.
DIRECTIONS = frozenset("than to into from by before after minus over under per many much".split())


class Token(NamedTuple):
    """A word without capital letters but in names of code.

    capital     whether it is written with one; None at the start of a sentence, where that says nothing
    of_code     whether it belongs to a name of code
    of_object   whether it belongs to a text that something is asked about, see :func:`before_object`
    """

    word: str
    capital: bool | None
    of_code: bool
    of_object: bool


class Phrasing(NamedTuple):
    """A question taken apart.

    terms   the words that say what is asked, in order, without capital letters but in names of code, and in singular
    fixed   those of them that cannot be reworded: names, numbers and negations
    plain   whether the order of the terms is free: it has English words that say nothing, none of direction, and no
            text that something is asked about
    """

    terms: tuple[str, ...]
    fixed: frozenset[str]
    plain: bool


class Difference(NamedTuple):
    """The terms that only the one or only the other of two questions has, the smaller tuple first.

    turned   whether the tuples are those of the second question and the first
    """

    terms: tuple[tuple[str, ...], tuple[str, ...]]
    turned: bool


def phrasings(questions: Sequence[str]) -> list[Phrasing]:
    """The questions taken apart, those longer than ``LONGEST`` without terms.

    Words that are written with a capital letter more often than not are names.
    """
    capital: Counter[str] = Counter()
    for token in chain.from_iterable(map(_tokens, questions)):
        if token.capital is not None and token.word not in SAYING_NOTHING:
            capital[token.word] += 1 if token.capital else -1
    names = {word for word, surplus in capital.items() if surplus > 0}
    return [_phrasing(_tokens(question), names) for question in questions]  # a second time: kept, they fill memory


def _tokens(question: str) -> list[Token]:
    """The words of a question; none of one longer than ``LONGEST``."""
    found: list[Token] = []
    starts = True
    parts = question.split() if len(question) <= LONGEST else []
    asking = len(before_object(question.strip())[0].split())
    for n, part in enumerate(parts):
        of_code = IDENTIFIER.search(part) is not None
        for written in words(part):
            if bare := written.strip(QUOTES).removesuffix("'s").removesuffix("’s"):
                capital = None if starts else bare[0].isupper()
                found.append(Token(bare if of_code else bare.casefold(), capital, of_code, n >= asking))
                starts = False
        # Behind a short word, such as "St.", a full stop ends no sentence.
        starts = starts or part.endswith((":", "?", "!")) or (part.endswith(".") and len(part) > SHORT)
    return found


def _phrasing(tokens: Iterable[Token], names: set[str]) -> Phrasing:
    terms, fixed, kept, asking, dropped = [], set[str](), set[str](), True, False
    for word, capital, of_code, of_object in tokens:
        is_name = of_code or word in names or any(sign.isdigit() for sign in word) or (capital and word in ARTICLES)
        if not (is_name or of_object) and ((asking and word in ASKING) or word in LIGHT):
            dropped = True
            continue
        asking = False
        said = intern(word if is_name or of_object else _singular(word))
        if is_name or word in NEGATIONS or word.endswith(("n't", "n’t")):
            said = intern(word)
            fixed.add(said)
        if of_object:
            kept.add(said)
        terms.append(said)
    directed = not DIRECTIONS.isdisjoint(terms)
    without = [word for word in terms if word in kept or word not in SMALL]
    if any(word not in fixed for word in without):
        terms, dropped = without, dropped or len(without) < len(terms)
    return Phrasing(tuple(terms), frozenset(fixed), dropped and not directed and not kept)


def _singular(word: str) -> str:
    """An English word without the ending -s of plurals and verbs."""
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    return word[:-3] + "y" if word.endswith("ies") else word[:-1]


def difference(one: Phrasing, other: Phrasing, rare: frozenset[str] | set[str]) -> Difference | None:
    """What differs between two questions; None where it cannot be phrasing alone.

    rare   terms of few questions, which say what is asked about: their order counts too
    """
    first, second = Counter(one.terms), Counter(other.terms)
    only_first, only_second = tuple(sorted((first - second).elements())), tuple(sorted((second - first).elements()))
    fixed = one.fixed | other.fixed
    if not fixed.isdisjoint((*only_first, *only_second)):
        return None
    shared = first & second
    orders = [[term for term in each.terms if term in shared] for each in (one, other)]
    if orders[0] != orders[1]:
        subjects = [[term for term in order if term in fixed or term in rare] for order in orders]
        if subjects[0] != subjects[1] or not (one.plain and other.plain):
            return None
    turned = only_second < only_first
    return Difference((only_second, only_first) if turned else (only_first, only_second), turned)
