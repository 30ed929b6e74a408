"""How often the pattern of a question occurs beside other questions of its kind, from the words alone.

The kind of "What is the code grade of code brel-417?" is its frequent words, "What is the code grade of code", and its
pattern is its rare word, "brel".
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import groupby

FREQUENT = 0.01  # share of questions from which on a word belongs to a kind of question, not to its subject
COMMON = 8  # occurrences from which on a kind of question has common patterns, beside which others are rare
Kind = tuple[str, ...]


def kinds(questions: Sequence[str]) -> list[Kind]:
    """The kind of each question: its words, with an empty one for each rare word or number."""
    tokens, frequent = _tokens(questions)
    return [tuple(word if word in frequent else "" for word in words) for words in tokens]


def kinds_with_one_gap(questions: Sequence[str]) -> list[Kind]:
    """The kind of each question, with a single gap for a name of any number of words."""
    return [tuple(word for word, _ in groupby(kind)) for kind in kinds(questions)]


def repetitions(questions: Sequence[str]) -> list[int]:
    """How often to show each question, at least once, so that its pattern is as frequent as the commonest of its kind.

    Kinds without common patterns are left alone: there, being rare is normal.
    """
    tokens, frequent = _tokens(questions)
    patterns = [tuple(word for word in words if word not in frequent and not word.isdigit()) for words in tokens]
    question_kinds = kinds(questions)
    counts: dict[Kind, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for kind, pattern in zip(question_kinds, patterns, strict=True):
        counts[kind][pattern] += 1
    most = {kind: max(count.values()) for kind, count in counts.items()}
    return [
        max(1, round(most[kind] / counts[kind][pattern])) if most[kind] >= COMMON and pattern else 1
        for kind, pattern in zip(question_kinds, patterns, strict=True)
    ]


def _tokens(questions: Sequence[str]) -> tuple[list[list[str]], set[str]]:
    """The words and numbers of each question, and those that are frequent."""
    tokens = [re.findall(r"[^\W\d_]+|\d+", question) for question in questions]
    seen = Counter(word for words in tokens for word in set(words))
    fewest = max(2, FREQUENT * len(questions), COMMON * 2 + 1)
    return tokens, {word for word, count in seen.items() if count >= fewest}
