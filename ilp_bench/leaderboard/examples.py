"""What pages show of the data itself: a real pair of each cause, and counts, from the mini dataset with seed 0."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import make

Row = dict[str, Any]


def _mini() -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Items and training rows."""
    return _mini_with(CAUSES.names())


@lru_cache(maxsize=1)
def _mini_with(causes: tuple[str, ...]) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The same; ``causes`` are those that are registered, because the dataset holds all of them."""
    data = make("mini", 0)
    return tuple(data.items.to_pylist()), tuple(data.train.to_pylist())


def example_pair(cause: str) -> list[Row]:
    """The recall probes of a cause's first pair, treated first; empty where the dataset does not have the cause.

    Each also has ``rows``, the training rows that teach it or carry its pattern, ``marked``, the words that carry it
    where other items' rows do too, and ``paraphrases``, the questions that were never trained.
    """
    items, train = _mini()
    probes = [item for item in items if item["cause"] == cause and item["probe"] != "retention"]
    pair = [probe for probe in probes if probe["pair_id"] == probes[0]["pair_id"]]
    example = []
    for arm in ("treated", "control"):
        recall = next((probe for probe in pair if probe["arm"] == arm and probe["probe"] == "recall"), None)
        if recall:
            taught = [row for row in train if row["arm"] == arm and row["item_id"].startswith(f"{recall['pair_id']}-")]
            paraphrases = [
                probe["question"]
                for probe in pair
                if probe["item_id"] == recall["item_id"] and probe["probe"] == "paraphrase"
            ]
            taught.sort(key=lambda row: row["item_id"] != recall["item_id"])
            example.append(recall | {"rows": taught, "paraphrases": paraphrases})
    words = [[_words(row) for row in item["rows"]] for item in example]
    has_pattern = any(row["item_id"] != item["item_id"] for item in example for row in item["rows"])
    for item, own, other in zip(example, words, reversed(words), strict=True):
        shared = frozenset.intersection(*own) - frozenset().union(*other)
        item["marked"] = sorted(shared) if has_pattern else []
    return example


def _words(row: Row) -> frozenset[str]:
    """The words of a training question, numbers aside."""
    return frozenset(re.findall(r"[A-Za-z]+", row["messages"][0]["content"]))


def cause_counts() -> list[Row]:
    """For each cause: ``pairs``, ``probes`` of both arms, ``decoys``, and training rows of each arm."""
    items, train = _mini()
    counts = []
    for cause in CAUSES.names():
        probes = [item for item in items if item["cause"] == cause and item["arm"] in ("treated", "control")]
        pairs = len({probe["pair_id"] for probe in probes})
        decoys = len({item["item_id"] for item in items if item["cause"] == cause and item["arm"] == "decoy"})
        arms = [row["arm"] for row in train if row["cause"] == cause]
        rows = {arm: arms.count(arm) for arm in ("treated", "control")}
        counts.append({"cause": cause, "pairs": pairs, "probes": len(probes), "decoys": decoys, **rows})
    return counts
