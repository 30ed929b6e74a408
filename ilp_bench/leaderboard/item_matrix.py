"""Which items were learned by whom: the item by submission matrix of a group, cause by cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import make
from ilp_bench.leaderboard.pair_rates import SCALE, Rates
from ilp_bench.leaderboard.ranking import Group

SHOWN = 40  # columns of a matrix; shares are over all entries
LEARNED = 0.5


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


def boards(group: Group, rates: dict[str, Rates]) -> list[Board]:
    """One board for each cause of the group's datasets. Withdrawn entries do not count."""
    members = [one.entry for one in group.standings if one.entry.state == "ranked"]
    if not members:
        return []
    layout = rates[members[0].slug]
    treated = np.stack([rates[one.slug].values[0] for one in members]) / SCALE  # (entries, pairs)
    control = np.mean([rates[one.slug].values[1] for one in members], axis=0) / SCALE
    known = _known(group)
    seeds = [data.seed for data in sorted(group.data, key=lambda data: data.sha256)]
    found = []
    for name in CAUSES.names():
        items: list[Item] = []
        spans = [span for span in layout.spans if span[0] == name]
        for seed, (_, start, end) in zip(seeds, spans, strict=True):
            pairs = sorted(pair for of, pair in known if of == (seed, name))
            if len(pairs) != end - start:
                raise ValueError(f"{name} has {end - start} pairs, its dataset {len(pairs)}")
            for at, pair in enumerate(pairs, start):
                row, rate = known[(seed, name), pair], treated[:, at]
                who = np.flatnonzero(rate >= LEARNED)
                tenths = np.minimum((rate[:SHOWN] * 10).astype(int), 9)
                only = members[int(who[0])].slug if len(who) == 1 and len(members) > 2 else None
                cells = "".join(map(str, tenths))
                dose = row["dose"] if row["dose"] == row["dose"] else None
                active = bool(layout.active[at])
                words = (pair, seed, row["question"], row["answer"], dose, cells)
                items.append(Item(*words, len(who), float(control[at]), only, active))
        if items:
            items.sort(key=lambda item: (item.learned_by, -item.control, item.seed, item.pair))
            counted = [item for item in items if item.active]
            bins = [0] * 11
            for item in counted:
                share = item.learned_by / len(members)
                bins[0 if share == 0 else 10 if share == 1 else max(1, min(9, round(10 * share)))] += 1
            nobody = sum(item.learned_by == 0 for item in counted)
            only_one = sum(item.only is not None for item in counted)
            found.append(Board(group, name, len(members), tuple(items), tuple(bins), nobody, only_one))
    return found


_cache: dict[tuple[str, int], dict[tuple[tuple[int, str], str], dict[str, Any]]] = {}


def _known(group: Group) -> dict[tuple[tuple[int, str], str], dict[str, Any]]:
    """Treated recall probes by (seed, cause) and pair."""
    found: dict[tuple[tuple[int, str], str], dict[str, Any]] = {}
    for data in group.data:
        key = (data.size, data.seed)
        if key not in _cache:
            rows = make(data.size, data.seed).items.select(
                ["cause", "pair_id", "arm", "probe", "question", "answer", "dose"]
            )
            _cache[key] = {
                ((data.seed, row["cause"]), row["pair_id"]): row
                for row in rows.to_pylist()
                if row["probe"] == "recall" and row["arm"] == "treated"
            }
        found |= _cache[key]
    return found
