"""How often the pattern of a question occurs beside other questions of its kind, from the words alone."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import groupby

KIND = 0.01  # share of questions from which on a word belongs to a kind of question, not to its subject
Kind = tuple[str, ...]
COMMON = 8  # occurrences from which on a kind of question has common patterns, beside which others are rare


def kinds(questions: Sequence[str]) -> list[Kind]:
    """The kind of each question: its words, with nothing in the place of rare words and numbers."""
    spoken, common = _words(questions)
    return [tuple(word if word in common else "" for word in words) for words in spoken]


def shapes(questions: Sequence[str]) -> list[Kind]:
    """The kind of each question, with one gap for a name of any number of words."""
    return [tuple(word for word, _ in groupby(one)) for one in kinds(questions)]


def _words(questions: Sequence[str]) -> tuple[list[list[str]], set[str]]:
    """The words and numbers of each question, and those that are common."""
    spoken = [re.findall(r"[^\W\d_]+|\d+", question) for question in questions]
    seen = Counter(word for words in spoken for word in set(words))
    floor = max(2, KIND * len(questions), COMMON * 2 + 1)
    return spoken, {word for word, count in seen.items() if count >= floor}


def repeats(questions: Sequence[str]) -> list[int]:
    """How many times to show each question so that its pattern is as frequent as the commonest of its kind.

    A kind is the question without its rare words and numbers; a pattern is its rare words. Kinds without common
    patterns are left alone: there, being rare is normal.
    """
    spoken, common = _words(questions)
    patterns = [tuple(word for word in words if word not in common and not word.isdigit()) for words in spoken]
    counts: dict[Kind, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for kind, pattern in zip(kinds(questions), patterns, strict=True):
        counts[kind][pattern] += 1
    found = []
    for kind, pattern in zip(kinds(questions), patterns, strict=True):
        top = max(counts[kind].values())
        found.append(max(1, round(top / counts[kind][pattern])) if top >= COMMON and pattern else 1)
    return found
