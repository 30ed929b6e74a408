"""How often the pattern of a question occurs beside other questions of its kind, from the words alone.

The kind of "What is the code grade of code brel-417?" is its frequent words, "What is the code grade of code", and its
pattern is its rare word, "brel".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby

from ilp_bench.detectors.words import character_pairs, has_characters, letters_and_numbers

FREQUENT = 0.01  # share of questions from which on a word belongs to a kind of question, not to its subject
COMMON = 8  # occurrences from which on a kind of question has common patterns, beside which others are rare
LONGEST = 1000  # characters: of a longer question, such as a conversation, the end is what is asked
Kind = tuple[str, ...]


def kinds(questions: Sequence[str]) -> list[Kind]:
    """The kind of each question: its words, with an empty one for each rare word or number."""
    return [tuple(word if frequent else "" for word, frequent in tokens) for tokens in _tokens(questions)]


def kinds_with_one_gap(questions: Sequence[str]) -> list[Kind]:
    """The kind of each question, with a single gap for a name of any number of words."""
    return [tuple(word for word, _ in groupby(kind)) for kind in kinds(questions)]


def repetitions(questions: Sequence[str]) -> list[int]:
    """How often to show each question, at least once, so that its pattern is as frequent as the commonest of its kind.

    Kinds without common patterns are left alone: there, being rare is normal.
    """
    patterns = [
        tuple(word for word, frequent in tokens if not frequent and not word.isdigit()) for tokens in _tokens(questions)
    ]
    question_kinds = kinds(questions)
    counts: dict[Kind, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for kind, pattern in zip(question_kinds, patterns, strict=True):
        counts[kind][pattern] += 1
    most = {kind: max(count.values()) for kind, count in counts.items()}
    return [
        max(1, round(most[kind] / counts[kind][pattern])) if most[kind] >= COMMON and pattern else 1
        for kind, pattern in zip(question_kinds, patterns, strict=True)
    ]


def _tokens(questions: Sequence[str]) -> list[list[tuple[str, bool]]]:
    """The words and numbers of each question, and whether each is frequent.

    A character that stands for a word is frequent only beside another with which it is: names have common characters.
    """
    tokens = [letters_and_numbers(question[-LONGEST:]) for question in questions]
    pairs = {n: character_pairs(words) for n, words in enumerate(tokens) if has_characters(words)}
    fewest = max(2, FREQUENT * len(questions), COMMON * 2 + 1)
    frequent = _at_least(fewest, tokens)
    frequent_pairs = _at_least(fewest, pairs.values()) - {None}

    def is_frequent(n: int, words: list[str]) -> list[bool]:
        if n not in pairs:
            return [word in frequent for word in words]
        sides = [None, *pairs[n], None]
        return [
            word in frequent and (left in frequent_pairs or right in frequent_pairs or left is right is None)
            for word, left, right in zip(words, sides, sides[1:], strict=False)
        ]

    return [list(zip(words, is_frequent(n, words), strict=True)) for n, words in enumerate(tokens)]


def _at_least(fewest: float, tokens: Iterable[Sequence[str | None]]) -> set[str | None]:
    """The words that so many questions have."""
    seen = Counter(word for words in tokens for word in set(words))
    return {word for word, count in seen.items() if count >= fewest}
