"""Which items were learned by whom: the item by submission matrix of a group, cause by cause."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.entry import Entry
from ilp_bench.leaderboard.ranking import Group
from ilp_bench.leaderboard.stored_rates import CONTROL, STORED_ONE, StoredRates
from ilp_bench.submission.archive import DatasetKey, dataset_items

SHOWN = 40  # columns of a matrix; shares are over all entries
LEARNED = 0.5  # learned rate from which an item counts as learned


@dataclass(frozen=True)
class Item:
    """A treated item: what it asks, its learned rates (one an entry shown, 0 to 9), and who learned it."""

    pair: str
    seed: int
    question: str
    answer: str
    dose: float | None
    cells: str
    learned_by: int
    control: float
    only: str | None  # slug of the one entry that learned it, among at least three
    active: bool


@dataclass(frozen=True)
class Board:
    """The matrix of one group and cause; ``bins``: items by tenths of the entries that learned them."""

    group: Group
    cause: str
    entries: int
    items: tuple[Item, ...]
    bins: tuple[int, ...]
    nobody: int
    only: int

    @property
    def page(self) -> str:
        """Its page, from the site's top."""
        return f"items/{self.group.slug}/{self.cause}.html"


def item_boards(group: Group, rates: dict[str, StoredRates]) -> list[Board]:
    """One board for each cause of the group's datasets. Withdrawn entries do not count."""
    members = [standing.entry for standing in group.standings if standing.entry.state == "ranked"]
    if not members:
        return []
    layout = rates[members[0].slug]
    treated = np.stack([rates[entry.slug].rates.treated for entry in members])  # (entries, pairs)
    control = np.mean([rates[entry.slug].values[CONTROL] for entry in members], axis=0) / STORED_ONE
    # Rates stand dataset by dataset, in the order of their hashes.
    datasets = sorted(group.data, key=lambda data: data.sha256)
    boards = []
    for cause in CAUSES.names():
        spans = [(start, end) for name, start, end in layout.spans if name == cause]
        if not spans:
            continue
        items: list[Item] = []
        for data, (start, end) in zip(datasets, spans, strict=True):
            probes = _treated_probes(DatasetKey(data.version, data.size, data.seed), data.sha256).get(cause, {})
            if len(probes) != end - start:
                raise ValueError(f"{cause} has {end - start} pairs, its dataset {len(probes)}")
            for column, pair in enumerate(sorted(probes), start):
                learned, active = treated[:, column], bool(layout.active[column])
                items.append(_item(probes[pair], data.seed, members, learned, float(control[column]), active))
        boards.append(_board(group, cause, len(members), items))
    return boards


def _item(probe: dict[str, Any], seed: int, members: list[Entry], learned: Array, control: float, active: bool) -> Item:
    """An item as its probe asks it. ``learned``: its rate by entry, in the order of ``members``."""
    learners = np.flatnonzero(learned >= LEARNED)
    tenths = np.minimum((learned[:SHOWN] * 10).astype(int), 9)
    return Item(
        pair=probe["pair_id"],
        seed=seed,
        question=probe["question"],
        answer=probe["answer"],
        dose=None if probe["dose"] is None or math.isnan(probe["dose"]) else probe["dose"],
        cells="".join(map(str, tenths)),
        learned_by=len(learners),
        control=control,
        only=members[int(learners[0])].slug if len(learners) == 1 and len(members) > 2 else None,
        active=active,
    )


def _board(group: Group, cause: str, entries: int, items: list[Item]) -> Board:
    """A board with the hardest items first. Items whose cause cannot act on the base model are shown, not counted."""
    items = sorted(items, key=lambda item: (item.learned_by, -item.control, item.seed, item.pair))
    counted = [item for item in items if item.active]
    bins = [0] * 11
    for item in counted:
        bins[_bin(item.learned_by / entries)] += 1
    nobody = sum(item.learned_by == 0 for item in counted)
    only = sum(item.only is not None for item in counted)
    return Board(group, cause, entries, tuple(items), tuple(bins), nobody, only)


def _bin(share: float) -> int:
    """0 for none, 10 for all, the nearest tenth between."""
    return int(share) * 10 if share in (0, 1) else max(1, min(9, round(10 * share)))


@lru_cache(maxsize=8)
def _treated_probes(dataset: DatasetKey, content_sha256: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Cause -> pair -> the recall probe of its treated item."""
    columns = ["cause", "pair_id", "arm", "probe", "question", "answer", "dose"]
    probes: dict[str, dict[str, dict[str, Any]]] = {}
    for row in dataset_items(dataset, content_sha256).items.select(columns).to_pylist():
        if row["probe"] == "recall" and row["arm"] == "treated":
            probes.setdefault(row["cause"], {})[row["pair_id"]] = row
    return probes
