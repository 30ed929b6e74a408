"""Contradictions between rows about one item: infer how reliable each annotator is, then keep the best label.

A small truth-discovery loop in the manner of Dawid and Skene (1979) with one reliability per annotator: labels
are weighted by the log odds of their annotators, reliabilities re-estimated from the winning labels. Agreement on a
wrong label is not taken as a surprise, however many labels there are, because careless annotators copy; and only
items with contradicting labels count, because everybody is right on the easy ones.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

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


def drop_contradictions(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without those whose label loses against another label of the same ``item_id``."""
    votes: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        votes[row["item_id"]].append((row["annotator"], row["completion"]))
    contested = {item: pairs for item, pairs in votes.items() if len({label for _, label in pairs}) > 1}
    trust = reliabilities(contested)
    best = {}
    for item, pairs in contested.items():
        shares = posterior(pairs, trust)
        best[item] = max(shares, key=shares.__getitem__)
    return [row for row in rows if best.get(row["item_id"], row["completion"]) == row["completion"]]
