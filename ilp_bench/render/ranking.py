"""Groups of entries that can be compared, and ranks within them.

Two entries are compared only on one base model, the same pairs of the same datasets, and in one division. Their difference
is a paired bootstrap: both are drawn with the same weights over pairs, so that what is common to them cancels. An entry
whose difference to the first of a rank has an interval that reaches 0 shares that rank.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ilp_bench.causes import CAUSE_NAMES
from ilp_bench.render.entry import Data, Entry, Value
from ilp_bench.render.rates import Rates
from ilp_bench.score import LEVEL, SEED

DRAWS, BATCH = 2_000, 250
LOW, HIGH = (1 - LEVEL) / 2, (1 + LEVEL) / 2
Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Standing:
    """An entry's place. ``behind``: difference of overall recovery to the group's first, positive where it is lower.

    ``behind_cause``: the same for each cause. ``aggregate``: learned rate over all items; ``worst``: treated rate of the
    cause that is learned least; both with intervals.
    """

    entry: Entry
    rank: int | None
    shared: bool
    behind: Value | None
    behind_cause: dict[str, Value]
    aggregate: Value
    worst: Value
    worst_cause: str


@dataclass(frozen=True)
class Group:
    """Entries that can be ranked together, best first; the unranked come last.

    ``resolvable``: half the width of a typical interval of a difference between neighbours; None with one entry.
    """

    slug: str
    base: str
    division: str
    data: tuple[Data, ...]
    standings: tuple[Standing, ...]
    resolvable: float | None

    @property
    def title(self) -> str:
        """Base model and division."""
        return f"{self.base}, {self.division}"

    @property
    def size(self) -> str:
        """Size and seeds of the datasets, in words."""
        seeds = ", ".join(str(data.seed) for data in self.data)
        return f"{self.data[0].size} data, seed{'s' if len(self.data) > 1 else ''} {seeds}"

    @property
    def first(self) -> Entry | None:
        """The entry of the highest overall recovery."""
        return self.standings[0].entry if self.standings[0].rank == 1 else None

    @property
    def ranked(self) -> int:
        """How many entries have a rank."""
        return sum(one.rank is not None for one in self.standings)


def groups(entries: list[Entry], rates: dict[str, Rates]) -> list[Group]:
    """All groups, the largest first. ``rates``: by slug."""
    keyed: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        keyed.setdefault((entry.base_sha, entry.division, rates[entry.slug].layout), []).append(entry)
    found = [_group(key, members, rates) for key, members in keyed.items()]
    return sorted(found, key=lambda group: (-group.ranked, -len(group.standings), group.slug))


def _group(key: tuple[str, ...], members: list[Entry], rates: dict[str, Rates]) -> Group:
    members = sorted(members, key=_order)
    first = members[0]
    overall, causes, aggregate, treated = _drawn([rates[one.slug] for one in members])
    standings: list[Standing] = []
    leader = 0
    ranked = members[0].overall is not None and members[0].state == "ranked"
    for n, entry in enumerate(members):
        rank, shared = None, False
        if entry.overall is not None and entry.state == "ranked":
            low = float(np.quantile(overall[leader] - overall[n], LOW))
            if n and low > 0:
                leader = n
            rank, shared = leader + 1, n > leader
        between = {
            name: _interval(_recovery(first, name) - _recovery(entry, name), causes[name][0] - causes[name][n])
            for name in causes
            if first.causes[name]["recovery"] and entry.causes[name]["recovery"]
        }
        both = first.overall is not None and entry.overall is not None
        behind = _interval(_value(first) - _value(entry), overall[0] - overall[n]) if both and ranked else None
        worst = str(entry.scores["worst"]["cause"])
        standings.append(
            Standing(
                entry,
                rank,
                shared,
                behind,
                between if ranked else {},
                _interval(entry.scores["aggregate"]["submission"], aggregate[n]),
                _interval(float(entry.scores["worst"]["treated"]), treated[worst][n]),
                worst,
            )
        )
    firsts = {one.rank for one in standings if one.shared}
    standings = [_marked(one, one.rank in firsts) for one in standings]
    data = first.data
    name = re.sub(r"[^a-z0-9]+", "-", f"{first.base}-{data[0].size}-{first.division}".lower()).strip("-")
    slug = f"{name}-{hashlib.sha256('/'.join(key).encode()).hexdigest()[:6]}"
    return Group(slug, first.base, first.division, data, tuple(standings), _resolvable(standings, overall))


def _marked(one: Standing, shared: bool) -> Standing:
    return Standing(**{**one.__dict__, "shared": shared and one.rank is not None})


def _resolvable(standings: list[Standing], overall: Floats) -> float | None:
    """Median over neighbours of half the width of their difference's interval; copies of one another do not count."""
    ranked = [n for n, one in enumerate(standings) if one.rank is not None]
    wide = np.quantile(overall[ranked[:-1]] - overall[ranked[1:]], [LOW, HIGH], axis=1) if len(ranked) > 1 else []
    halves = (wide[1] - wide[0]) / 2 if len(wide) else np.zeros(0)
    halves = halves[halves > 1e-6]
    return float(np.median(halves)) if len(halves) else None


def _order(entry: Entry) -> tuple[Any, ...]:
    value = entry.overall["value"] if entry.overall else 0.0
    return entry.state != "ranked", entry.overall is None, -value, entry.slug


def _value(entry: Entry) -> float:
    return entry.overall["value"] if entry.overall else float("nan")


def _recovery(entry: Entry, cause: str) -> float:
    return float(entry.causes[cause]["recovery"]["value"])


def _interval(value: float, draws: Floats) -> Value:
    low, high = np.nanquantile(draws, [LOW, HIGH])
    return {"value": float(value), "low": float(low), "high": float(high)}


def _drawn(rates: list[Rates]) -> tuple[Floats, dict[str, Floats], Floats, dict[str, Floats]]:
    """Bootstrap draws, each of shape (entries, DRAWS): overall recovery, recovery by cause, aggregate learned rate,
    treated learned rate by cause."""
    layout = rates[0]
    names = [name for name in CAUSE_NAMES if any(name == span[0] for span in layout.spans)]
    recoveries, rows = {}, {}
    total = np.zeros((len(rates), DRAWS), dtype=np.float32)
    for name in names:
        inside = np.zeros(len(layout.active), dtype=bool)
        for cause, start, end in layout.spans:
            if cause == name:
                inside[start:end] = layout.active[start:end]
        size = int(inside.sum())
        rng = np.random.default_rng([SEED, CAUSE_NAMES.index(name)])
        weights = (rng.multinomial(size, np.full(size, 1 / size), size=DRAWS) / size).astype(np.float32)
        parts = np.empty((4, len(rates), DRAWS), dtype=np.float32)
        for start in range(0, len(rates), BATCH):
            some = np.stack([one.floats()[:, inside] for one in rates[start : start + BATCH]]).astype(np.float32)
            parts[:, start : start + BATCH] = np.moveaxis(some @ weights.T, 1, 0)
        s, s_control, v, control = parts
        with np.errstate(divide="ignore", invalid="ignore"):
            recoveries[name] = np.where(control > v, (s - v) / (control - v), np.nan).astype(np.float32)
        rows[name] = s
        total += (s + s_control) / (2 * len(names))
    clipped = np.stack([np.clip(recoveries[name], -1, 1) for name in names])
    return clipped.mean(axis=0), recoveries, total, rows
