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
from typing import Any

import numpy as np

from ilp_bench.leaderboard.entry import Data, Entry, Value
from ilp_bench.leaderboard.paired_draws import DRAWS, Floats, PairedDraws, pair_weights
from ilp_bench.leaderboard.stored_rates import StoredRates
from ilp_bench.scoring.bootstrap import LEVEL, interval_ends

BATCH = 200  # entries whose draws are in memory at one time
ROUNDING = 1e-5  # of rates stored in 16 bits and draws in single precision; far below what is shown
LOWER_TAIL = (1 - LEVEL) / 2


@dataclass(frozen=True)
class Comparison:
    """What paired draws say about an entry, each with its interval.

    behind        difference of overall recovery to the group's first, positive where it is lower
    behind_cause  the same for each cause
    aggregate     learned rate over all items
    worst         treated learned rate of ``worst_cause``, the cause that is learned least
    """

    behind: Value | None
    behind_cause: dict[str, Value]
    aggregate: Value
    worst: Value
    worst_cause: str


@dataclass(frozen=True)
class Standing(Comparison):
    """An entry within its group; ``shared`` says whether another has the same rank, None stands for no rank."""

    entry: Entry
    rank: int | None
    shared: bool


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
        return sum(standing.rank is not None for standing in self.standings)


def groups(entries: list[Entry], rates: dict[str, StoredRates]) -> list[Group]:
    """All groups, the largest first. ``rates``: by slug."""
    members: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        members.setdefault((entry.base_sha, entry.division, rates[entry.slug].layout), []).append(entry)
    groups = [_group(key, group, rates) for key, group in members.items()]
    return sorted(groups, key=lambda group: (-group.ranked, -len(group.standings), group.slug))


def _group(key: tuple[str, ...], members: list[Entry], rates: dict[str, StoredRates]) -> Group:
    members = sorted(members, key=_order)
    first, weights = members[0], pair_weights(rates[members[0].slug])
    first_draws = PairedDraws([rates[first.slug]], weights)
    overall = np.empty((len(members), DRAWS), dtype=np.float32)
    comparisons: list[Comparison] = []
    for start in range(0, len(members), BATCH):
        batch = members[start : start + BATCH]
        draws = PairedDraws([rates[entry.slug] for entry in batch], weights)
        overall[start : start + BATCH] = draws.overall
        comparisons += _compare(first, first_draws, batch, draws)
    ranks = _ranks(members, overall)
    standings = tuple(
        Standing(**vars(comparison), entry=entry, rank=rank, shared=_shared(ranks, index))
        for index, (entry, rank, comparison) in enumerate(zip(members, ranks, comparisons, strict=True))
    )
    slug = _slug(first, key)
    return Group(slug, first.base, first.division, first.data, standings, _resolvable(ranks, overall))


def _slug(entry: Entry, key: tuple[str, ...]) -> str:
    """Name of a group's pages, from what all of its entries share."""
    name = re.sub(r"[^a-z0-9]+", "-", f"{entry.base}-{entry.data[0].size}-{entry.division}".lower()).strip("-")
    return f"{name}-{hashlib.sha256('/'.join(key).encode()).hexdigest()[:6]}"


def _shared(ranks: list[int | None], index: int) -> bool:
    """Whether a neighbour has the same rank; equal ranks stand together."""
    neighbours = [ranks[other] for other in (index - 1, index + 1) if 0 <= other < len(ranks)]
    return ranks[index] is not None and ranks[index] in neighbours


def _compare(first: Entry, first_draws: PairedDraws, batch: list[Entry], draws: PairedDraws) -> Iterator[Comparison]:
    """For some entries: how far behind the first, overall and by cause; average and worst learned rate."""
    overall = _ends(first_draws.overall - draws.overall)
    by_cause = {cause: _ends(first_draws.recovery[cause] - draws.recovery[cause]) for cause in draws.recovery}
    aggregate = _ends(draws.aggregate)
    treated = {cause: _ends(draws.treated[cause]) for cause in draws.treated}
    leads = first.overall is not None and first.state == "ranked"
    for index, entry in enumerate(batch):
        behind_cause = {}
        for cause, ends in by_cause.items():
            ahead, own = first.causes[cause]["recovery"], entry.causes[cause]["recovery"]
            if leads and ahead and own:
                behind_cause[cause] = _estimate(ahead["value"] - own["value"], ends[index])
        behind = None
        if leads and first.overall and entry.overall:
            behind = _estimate(first.overall["value"] - entry.overall["value"], overall[index])
        worst = entry.scores["worst"]
        yield Comparison(
            behind=behind,
            behind_cause=behind_cause,
            aggregate=_estimate(entry.scores["aggregate"]["submission"], aggregate[index]),
            worst=_estimate(float(worst["treated"]), treated[worst["cause"]][index]),
            worst_cause=str(worst["cause"]),
        )


def _ranks(members: list[Entry], overall: Floats) -> list[int | None]:
    """Ranks from the best down; a new one begins where the difference to the first of the last rank is above 0."""
    ranks: list[int | None] = []
    leader = 0
    for index, entry in enumerate(members):
        if entry.overall is None or entry.state != "ranked":
            ranks.append(None)
            continue
        if index and np.quantile(overall[leader] - overall[index], LOWER_TAIL) > ROUNDING:
            leader = index
        ranks.append(leader + 1)
    return ranks


def _resolvable(ranks: list[int | None], overall: Floats) -> float | None:
    """Median over neighbours of half the width of their difference's interval; copies of one another do not count."""
    last = sum(rank is not None for rank in ranks) - 1  # the ranked come first
    widths = [np.zeros(0)]
    for start in range(0, last, BATCH):
        end = min(start + BATCH, last)
        ends = _ends(overall[start:end] - overall[start + 1 : end + 1])
        widths.append((ends[:, 1] - ends[:, 0]) / 2)
    resolved = [width for width in np.concatenate(widths) if width > ROUNDING]
    return float(np.median(resolved)) if resolved else None


def _order(entry: Entry) -> tuple[Any, ...]:
    """Sort key: ranked first, then those with an overall, then the higher recovery."""
    recoveries = [cause["recovery"]["value"] for cause in entry.scores["causes"] if cause["recovery"]]
    mean = sum(recoveries) / len(recoveries) if recoveries else -1.0
    return (
        entry.state != "ranked",
        entry.overall is None,
        -(entry.overall["value"] if entry.overall else mean),
        entry.slug,
    )


def _ends(draws: Floats) -> Floats:
    """Low and high end of the interval of each row of draws: shape (rows, 2)."""
    return interval_ends(draws).astype(np.float32)


def _estimate(value: float, ends: Floats) -> Value:
    return {"value": float(value), "low": round(float(ends[0]), 5), "high": round(float(ends[1]), 5)}
