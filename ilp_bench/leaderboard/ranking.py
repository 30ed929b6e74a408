"""Groups of entries that can be compared, and ranks within them.

Two entries are compared only on one base model, the same pairs of the same datasets, and in one division. Their
difference is a paired bootstrap: both are drawn with the same weights over pairs, so that what they share cancels. An
entry whose difference to the first of a rank has an interval that reaches 0 shares that rank.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.entry import Data, Entry, Value
from ilp_bench.leaderboard.pair_rates import SCALE, Rates
from ilp_bench.scoring.bootstrap import LEVEL, SEED, interval_ends, stream_number
from ilp_bench.scoring.recovery import recovery

DRAWS, BATCH = 2_000, 200
ROUNDING = 1e-5  # of rates stored in 16 bits and draws in single precision; far below what is shown
LOW = (1 - LEVEL) / 2
Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Standing:
    """An entry's place. ``behind``: difference of overall recovery to the group's first, positive where it is lower.

    ``behind_cause``: the same for each cause. ``aggregate``: learned rate over all items; ``worst``: treated rate of
    the cause that is learned least; both with intervals.
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
    first, weights = members[0], _weights(rates[members[0].slug])
    ahead = _Drawn([rates[first.slug]], weights)
    overall = np.empty((len(members), DRAWS), dtype=np.float32)
    measured: list[tuple[Value | None, dict[str, Value], Value, Value, str]] = []
    for start in range(0, len(members), BATCH):
        some = members[start : start + BATCH]
        drawn = _Drawn([rates[one.slug] for one in some], weights)
        overall[start : start + BATCH] = drawn.overall
        measured += _measured(first, ahead, some, drawn)
    ranks = _ranks(members, overall)
    data = first.data
    name = re.sub(r"[^a-z0-9]+", "-", f"{first.base}-{data[0].size}-{first.division}".lower()).strip("-")
    slug = f"{name}-{hashlib.sha256('/'.join(key).encode()).hexdigest()[:6]}"
    standings = tuple(
        Standing(entry, rank, _shared(ranks, n), *rest)
        for n, (entry, rank, rest) in enumerate(zip(members, ranks, measured, strict=True))
    )
    return Group(slug, first.base, first.division, data, standings, _resolvable(ranks, overall))


def _shared(ranks: list[int | None], n: int) -> bool:
    """Whether a neighbour has the same rank; equal ranks stand together."""
    return ranks[n] is not None and ranks[n] in (
        ranks[n - 1] if n else None,
        ranks[n + 1] if n + 1 < len(ranks) else None,
    )


def _measured(
    first: Entry, ahead: _Drawn, some: list[Entry], drawn: _Drawn
) -> Iterator[tuple[Value | None, dict[str, Value], Value, Value, str]]:
    """For some entries: how far behind the first, overall and by cause; average and worst learned rate."""
    overall = _ends(ahead.overall - drawn.overall)
    causes = {name: _ends(ahead.recovery[name] - drawn.recovery[name]) for name in drawn.recovery}
    average = _ends(drawn.aggregate)
    treated = {name: _ends(drawn.treated[name]) for name in drawn.treated}
    ranked = first.overall is not None and first.state == "ranked"
    for n, entry in enumerate(some):
        behind, by_cause = None, {}
        if ranked and first.overall and entry.overall:
            behind = _interval(first.overall["value"] - entry.overall["value"], overall[n])
        for name in causes:
            here, there = first.causes[name]["recovery"], entry.causes[name]["recovery"]
            if ranked and here and there:
                by_cause[name] = _interval(here["value"] - there["value"], causes[name][n])
        worst = str(entry.scores["worst"]["cause"])
        aggregate = _interval(entry.scores["aggregate"]["submission"], average[n])
        yield behind, by_cause, aggregate, _interval(float(entry.scores["worst"]["treated"]), treated[worst][n]), worst


def _ranks(members: list[Entry], overall: Floats) -> list[int | None]:
    """Ranks from the best down; a new one begins where the difference to the first of the last rank is above 0."""
    ranks: list[int | None] = []
    leader = 0
    for n, entry in enumerate(members):
        if entry.overall is None or entry.state != "ranked":
            ranks.append(None)
            continue
        if n and np.quantile(overall[leader] - overall[n], LOW) > ROUNDING:
            leader = n
        ranks.append(leader + 1)
    return ranks


def _resolvable(ranks: list[int | None], overall: Floats) -> float | None:
    """Median over neighbours of half the width of their difference's interval; copies of one another do not count."""
    count = sum(rank is not None for rank in ranks)  # the ranked come first
    halves = [
        (ends[:, 1] - ends[:, 0]) / 2
        for start in range(0, count - 1, BATCH)
        for end in [min(start + BATCH, count - 1)]
        for ends in [_ends(overall[start:end] - overall[start + 1 : end + 1])]
    ]
    found = np.concatenate(halves) if halves else np.zeros(0)
    found = found[found > ROUNDING]
    return float(np.median(found)) if len(found) else None


def _order(entry: Entry) -> tuple[Any, ...]:
    scored = [found["recovery"]["value"] for found in entry.scores["causes"] if found["recovery"]]
    value = entry.overall["value"] if entry.overall else sum(scored) / len(scored) if scored else -1.0
    return entry.state != "ranked", entry.overall is None, -value, entry.slug


def _ends(draws: Floats) -> Floats:
    """Low and high end of the interval of each row of draws: shape (rows, 2)."""
    return interval_ends(draws).astype(np.float32)


def _interval(value: float, ends: Floats) -> Value:
    return {"value": float(value), "low": round(float(ends[0]), 5), "high": round(float(ends[1]), 5)}


def _weights(layout: Rates) -> dict[str, tuple[Any, Floats]]:
    """By cause: which pairs count, and the weights of DRAWS resamplings of them, shape (pairs, DRAWS)."""
    found = {}
    for name in CAUSES.names():
        at = [n for cause, start, end in layout.spans if cause == name for n in range(start, end) if layout.active[n]]
        if at:
            found[name] = np.array(at), _resampling(name, len(at))
    return found


@lru_cache(maxsize=64)
def _resampling(cause: str, pairs: int) -> Floats:
    """Weights of DRAWS resamplings, shape (pairs, DRAWS): each cause has draws of its own."""
    rng = np.random.default_rng([SEED, stream_number(cause)])
    weights = rng.multinomial(pairs, np.full(pairs, 1 / pairs), size=DRAWS) / pairs
    return np.asarray(weights.T, dtype=np.float32)


class _Drawn:
    """Bootstrap draws of some entries, each of shape (entries, DRAWS): overall recovery, recovery and treated learned
    rate by cause, learned rate over all items."""

    def __init__(self, rates: list[Rates], weights: dict[str, tuple[Any, Floats]]) -> None:
        values = (np.stack([one.values for one in rates]) / np.float32(SCALE)).astype(np.float32)
        self.recovery: dict[str, Floats] = {}
        self.treated: dict[str, Floats] = {}
        self.aggregate: Floats = np.zeros((len(rates), DRAWS), dtype=np.float32)
        for name, (at, weight) in weights.items():
            s, s_control, v, control = np.moveaxis(values[:, :, at] @ weight, 1, 0)
            self.recovery[name] = recovery(s, v, control)
            self.treated[name] = s
            self.aggregate += (s + s_control) / np.float32(2 * len(weights))
        self.overall: Floats = np.mean([np.clip(one, -1, 1) for one in self.recovery.values()], axis=0)
