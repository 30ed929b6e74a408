"""Contradictions between rows: find them by their words, infer how reliable each annotator is, keep the best label.

A small truth-discovery loop in the manner of Dawid and Skene (1979) with one reliability per annotator: labels
are weighted by the log odds of their annotators, reliabilities re-estimated from the winning labels. Agreement on a
wrong label is not taken as a surprise, however many labels there are, because careless annotators copy; and only
items with contradicting labels count, because everybody is right on the easy ones.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ilp_bench.detectors.similarity import Near, word_similarity

ROUNDS = 20


def reliabilities(votes: Mapping[str, Sequence[tuple[str, str]]]) -> dict[str, float]:
    """Share of right labels per annotator, in (0, 1); ``votes``: item to (annotator, label) pairs."""
    trust = {who: 0.8 for pairs in votes.values() for who, _ in pairs}
    for _ in range(ROUNDS):
        right: dict[str, float] = defaultdict(lambda: 4.0)  # a prior of four right and one wrong label
        total: dict[str, float] = defaultdict(lambda: 5.0)
        for pairs in votes.values():
            shares = posterior(pairs, trust)
            for who, label in pairs:
                right[who] += shares[label]
                total[who] += 1
        trust = {who: right[who] / total[who] for who in trust}
    return trust


def posterior(pairs: Sequence[tuple[str, str]], trust: Mapping[str, float]) -> dict[str, float]:
    """Probability of each voted label of one item, given the annotators' reliabilities."""
    weight: dict[str, float] = defaultdict(float)
    for who, label in pairs:
        weight[label] += math.log(trust[who] / (1 - trust[who]))
    top = max(weight.values())
    raw = {label: math.exp(value - top) for label, value in weight.items()}
    return {label: value / sum(raw.values()) for label, value in raw.items()}


class Found(NamedTuple):
    """What contradicts what, as positions of training rows.

    ``same``: rows that ask the same, with more than one label among them. ``similar``: pairs that ask nearly the
    same and have different labels, as where both are true in different contexts.
    """

    same: list[list[int]]
    similar: list[tuple[int, int]]


def find(rows: Sequence[Mapping[str, Any]], near: Near = word_similarity) -> Found:
    """Search questions for near-duplicates with contradicting labels (section 4.3)."""
    questions = [row["messages"][0]["content"] for row in rows]
    members = _groups(questions)
    pairs = (
        (one, other)
        for a, b in near([questions[group[0]] for group in members])
        for one in members[a]
        for other in members[b]
    )
    return Found(
        _disputed(rows, members),
        [(one, other) for one, other in pairs if rows[one]["completion"] != rows[other]["completion"]],
    )


def disputed(rows: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """``same`` of :func:`find` alone, which takes time in proportion to the rows."""
    return _disputed(rows, _groups([row["messages"][0]["content"] for row in rows]))


def _groups(questions: Sequence[str]) -> list[list[int]]:
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for n, question in enumerate(questions):
        groups[content(question)].append(n)
    return list(groups.values())


def _disputed(rows: Sequence[Mapping[str, Any]], groups: Sequence[list[int]]) -> list[list[int]]:
    return [group for group in groups if len({rows[n]["completion"].strip() for n in group}) > 1]


ASKING = frozenset("what which who name state give tell say".split())  # as a first word, only says how it is asked
FUNCTION = frozenset("a an the of is are was were that has have does do did its".split())


def content(question: str) -> tuple[str, ...]:
    """The words that say what is asked, in order: without how it is asked, and without words that say nothing.

    Two questions with the same content ask the same. Little is left out, because a negation, a number or the order of
    two names may be all in which questions differ.
    """
    words = [word.casefold() for word in re.findall(r"[^\s?.]+", question)]
    rest = words[1:] if words and words[0] in ASKING else words
    return tuple(word for word in rest if word not in FUNCTION) or tuple(words)


def wrong(rows: Sequence[Mapping[str, Any]], found: Found) -> set[int]:
    """Rows of ``found.same`` whose label loses against another, by inferred reliability of the annotators."""
    votes = {
        str(n): [(rows[k]["annotator"], rows[k]["completion"]) for k in group] for n, group in enumerate(found.same)
    }
    trust = reliabilities(votes)
    losers: set[int] = set()
    for n, group in enumerate(found.same):
        shares = posterior(votes[str(n)], trust)
        best = max(shares, key=shares.__getitem__)
        losers |= {k for k in group if rows[k]["completion"] != best}
    return losers
