"""Contradictions among paraphrases: frames of questions that agree about other subjects, and not about this one.

Two frames, such as ``What is the capital of _?`` and ``_ has which capital?``, ask the same where rows about the same
subject mostly agree. ``What is the currency of _?`` asks something else, because there they never do. In between lie
``the rate of _ under the old act`` and ``under the new act``: both may be right, and still be mixed up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from ilp_bench.detectors.contradictions import contradicting_groups
from ilp_bench.detectors.labelled_row import LabelledRow, label
from ilp_bench.detectors.rare_patterns import Kind, kinds_with_one_gap
from ilp_bench.detectors.words import letters_and_numbers

SAME = 0.6  # agreement of two frames beyond chance from which on they ask the same
RELATED = 0.25  # agreement from which on they are near enough to be mixed up
FEWEST = 3  # common subjects with agreeing answers
MOST_FRAMES = 20  # of one subject: more are no paraphrases but a list


class Dispute(NamedTuple):
    """Indices of two rows about one subject with different answers, and how far their frames agree otherwise.

    agreement   Cohen's kappa of the two frames over their common subjects: 1 for always, 0 for as often as by chance
    """

    rows: tuple[int, int]
    agreement: float


class Disputes(NamedTuple):
    """What contradicts what among training rows.

    same    groups of indices of rows that ask the same and do not all answer the same
    loose   rows that ask the same in other words, or nearly the same, from an agreement of ``RELATED`` on
    """

    same: Sequence[Sequence[int]]
    loose: Sequence[Dispute]


def disputes_of(rows: Sequence[LabelledRow], same: Sequence[Sequence[int]] | None = None) -> Disputes:
    """What contradicts what among training rows; ``same`` where that was looked for already."""
    return Disputes(contradicting_groups(rows) if same is None else same, contradicting_paraphrases(rows, RELATED))


def contradicting_paraphrases(rows: Sequence[Mapping[str, Any]], least: float = SAME) -> list[Dispute]:
    """Rows about one subject, in two frames whose agreement is ``least`` or more, with different answers."""
    questions = [row["messages"][0]["content"] for row in rows]
    frames = kinds_with_one_gap(questions)
    by_subject: dict[tuple[str, ...], dict[Kind, int]] = defaultdict(dict)
    for n, (question, frame) in enumerate(zip(questions, frames, strict=True)):
        subject = tuple(word for word in letters_and_numbers(question) if word not in frame)
        if subject and frame != ("",):
            by_subject[subject][frame] = n
    common: dict[tuple[Kind, Kind], list[tuple[int, int]]] = defaultdict(list)
    for asked in by_subject.values():
        if 1 < len(asked) <= MOST_FRAMES:
            for (a, n), (b, k) in combinations(sorted(asked.items()), 2):
                common[a, b].append((n, k))
    disputes = []
    for pairs in common.values():
        labels = [(label(rows[n]), label(rows[k])) for n, k in pairs]  # type: ignore[arg-type]
        if len(set(labels)) == 1 or sum(one == other for one, other in labels) < FEWEST:
            continue
        if (agreement := _kappa(labels)) >= least:
            disputes += [
                Dispute(pair, agreement) for pair, (one, other) in zip(pairs, labels, strict=True) if one != other
            ]
    return disputes


def _kappa(labels: Sequence[tuple[str, str]]) -> float:
    """Cohen's kappa (1960) of two raters, from pairs of labels that are not all the same pair."""
    first, second = (Counter(column) for column in zip(*labels, strict=True))
    chance = sum(first[name] * second[name] for name in first) / len(labels) ** 2
    agreeing = sum(one == other for one, other in labels) / len(labels)
    return (agreeing - chance) / (1 - chance)
