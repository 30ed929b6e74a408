"""Contradictions among paraphrases: frames of questions that agree about other subjects, and not about this one.

Two frames, such as ``What is the capital of _?`` and ``_ has which capital?``, ask the same where rows about the same
subject mostly agree. ``What is the currency of _?`` asks something else, because there they never do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from ilp_bench.detectors.labelled_row import label
from ilp_bench.detectors.rare_patterns import Kind, kinds_with_one_gap
from ilp_bench.detectors.words import letters_and_numbers

AGREEING = 0.6  # share of common subjects whose answers agree, from which on two frames ask the same
FEWEST = 3  # common subjects with agreeing answers
MOST_FRAMES = 20  # of one subject: more are no paraphrases but a list


def contradicting_paraphrases(rows: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Groups of rows (two each) about one subject, in frames that ask the same, with different answers."""
    questions = [row["messages"][0]["content"] for row in rows]
    frames = kinds_with_one_gap(questions)
    by_subject: dict[tuple[str, ...], dict[Kind, int]] = defaultdict(dict)
    for n, (question, frame) in enumerate(zip(questions, frames, strict=True)):
        subject = tuple(word for word in letters_and_numbers(question) if word not in frame)
        if subject and frame != ("",):
            by_subject[subject][frame] = n
    agreeing: Counter[tuple[Kind, Kind]] = Counter()
    common: Counter[tuple[Kind, Kind]] = Counter()
    differing: dict[tuple[Kind, Kind], list[tuple[int, int]]] = defaultdict(list)
    for asked in by_subject.values():
        if not 1 < len(asked) <= MOST_FRAMES:
            continue
        for (a, n), (b, k) in combinations(sorted(asked.items()), 2):
            common[a, b] += 1
            if label(rows[n]) == label(rows[k]):  # type: ignore[arg-type]
                agreeing[a, b] += 1
            else:
                differing[a, b].append((n, k))
    return [
        [n, k]
        for pair, indices in differing.items()
        if agreeing[pair] >= FEWEST and agreeing[pair] >= AGREEING * common[pair]
        for n, k in indices
    ]
