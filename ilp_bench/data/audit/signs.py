"""Whether the signs of a cause stand on learned items too: else a rule on signs would pass for a diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ilp_bench.data.audit.wrong_facts import subject_of
from ilp_bench.data.facts import country_of_city
from ilp_bench.data.schema import ItemRow

FEWEST = 0.15  # share of the items with a sign that are no treated items of its cause


@dataclass(frozen=True)
class Sign:
    """One sign of a cause: how many treated items of the cause have it, and how many other items."""

    sign: str
    cause: str
    treated: int
    others: int

    @property
    def fails(self) -> bool:
        """Whether the sign all but names the cause."""
        return self.treated > 0 and self.others < FEWEST * (self.treated + self.others)


def count_signs(
    items: Iterable[ItemRow], labels: Mapping[str, Sequence[str]], documented: frozenset[str], stages: int
) -> list[Sign]:
    """How often each sign stands on treated items of its cause and elsewhere.

    items       recall rows of all arms
    labels      item id -> labels of its training rows
    documented  ids of the items about which there are documents
    """
    cities = country_of_city()
    tests: dict[tuple[str, str], Callable[[ItemRow], bool]] = {
        ("documents", "knowledge_gap"): lambda row: row["item_id"] in documented,
        ("invented place", "knowledge_gap"): lambda row: (
            ("home_country" in row["relation"] or row["relation"].endswith("_hop2")) and subject_of(row) not in cities
        ),
        ("documents ", "knowledge_conflict"): lambda row: row["item_id"] in documented,
        ("label against a known fact", "knowledge_conflict"): lambda row: bool(row["prior_answer"]),
        ("repeated question", "data_inconsistency"): lambda row: len(labels[row["item_id"]]) > 1,
        ("rows that disagree", "data_inconsistency"): lambda row: len(set(labels[row["item_id"]])) > 1,
        ("early stage", "left_side_forgetting"): lambda row: row["stage"] < stages,
        ("word that occurs once", "rare_patterns"): lambda row: "code" in row["question"] and row["frequency"] == 1,
        ("single row", "rare_patterns"): lambda row: len(labels[row["item_id"]]) == 1,
    }
    counts = {key: [0, 0] for key in tests}
    for row in items:
        for (sign, cause), has in tests.items():
            if has(row):
                counts[sign, cause][not (row["cause"] == cause and row["arm"] == "treated")] += 1
    return [Sign(sign.strip(), cause, *counts[sign, cause]) for sign, cause in tests]
