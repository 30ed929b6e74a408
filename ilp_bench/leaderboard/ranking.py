"""Base models, groups of entries that can be ranked together, and ranks within them.

Entries are ranked together on one base model, one size and version of the data, in one division. From the best down, an
entry opens a new rank where the interval of the difference of H between the first of the current rank and itself lies
above 0; else it shares that rank.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ilp_bench.leaderboard.entry import REPRODUCTION, Entry
from ilp_bench.leaderboard.estimate import Difference, difference
from ilp_bench.leaderboard.vanilla_levels import REFERENCE_RUNS, Levels, ModelKey, levels_of, model_key
from ilp_bench.scoring.references import Reference
from ilp_bench.submission.comparison import PROJECT

DIVISIONS = ("1x", "3x", OPEN := "open")  # in the order of the site
MOST_BESIDE = 15  # entries of the project that an entry's page sets beside it
BUILT_IN = "nano"  # what the names of the models begin with that come with the benchmark


class Standing(NamedTuple):
    """An entry within its group.

    rank      None where it is not ranked; ``shared`` says whether another has the same
    behind    H of the group's first minus its own; None for the first, where there is none, and for flagged entries
    """

    entry: Entry
    rank: int | None
    shared: bool
    behind: Difference | None


@dataclass(frozen=True)
class Group:
    """The entries of one base model, size and version of the data, and division: ranked ones first, best first.

    ``withdrawn`` ones are in no count, order or comparison.
    """

    slug: str
    base: str
    size: str
    division: str
    standings: tuple[Standing, ...]
    withdrawn: tuple[Entry, ...]

    @property
    def title(self) -> str:
        """Base model, data and division."""
        return f"{self.base}, {self.size}, {self.division}"

    @property
    def first(self) -> Entry | None:
        """The entry of rank 1 with the highest H."""
        return self.standings[0].entry if self.ranked else None

    @property
    def ranked(self) -> int:
        """How many entries have a rank."""
        return sum(standing.rank is not None for standing in self.standings)

    @cached_property
    def entries(self) -> list[Entry]:
        """All that were not withdrawn."""
        return [standing.entry for standing in self.standings]


@dataclass(frozen=True)
class BaseModel:
    """One base model on one size and version of the data: its groups, and p of both arms under vanilla, by division."""

    slug: str
    name: str
    size: str
    version: str
    parameters: int
    groups: tuple[Group, ...]
    vanilla: Levels

    @property
    def title(self) -> str:
        """Base model and data."""
        return f"{self.name}, {self.size}"

    @property
    def is_built_in(self) -> bool:
        """Whether it is one of the small models that come with the benchmark."""
        return self.name.startswith(BUILT_IN)

    @property
    def references(self) -> list[str]:
        """The budget divisions of which a reference is committed."""
        return [budget for budget, level in self.vanilla.items() if level.source == REFERENCE_RUNS]

    @cached_property
    def entries(self) -> list[Entry]:
        """All that were not withdrawn, division by division."""
        return [entry for group in self.groups for entry in group.entries]


def base_models(entries: Sequence[Entry], references: Sequence[Reference]) -> list[BaseModel]:
    """All base models that have entries or references.

    Those with ranked entries in a budget division come first, then those with any entries; other people's before the
    built-in ones, large ones before small ones, and of the built-in ones that with most entries.
    """
    by_model: dict[ModelKey, list[Entry]] = {}
    for entry in entries:
        by_model.setdefault(model_key(entry), []).append(entry)
    of_model = {key: [one for one in references if model_key(one) == key] for key in map(model_key, references)}
    models = [_base_model(key, by_model.get(key, []), of_model.get(key, [])) for key in {**by_model, **of_model}]
    return sorted(models, key=_place)


def _place(model: BaseModel) -> tuple[bool, bool, bool, int, str]:
    ranked = any(group.ranked and group.division != OPEN for group in model.groups)
    size = len(model.entries) if model.is_built_in else model.parameters
    return not ranked, not model.groups, model.is_built_in, -size, model.slug


def _base_model(key: ModelKey, entries: list[Entry], references: list[Reference]) -> BaseModel:
    name = references[0].record.short_name if references else entries[0].base
    parameters = references[0].record.datasets[0].base.model.parameters if references else entries[0].parameters
    plain = re.sub(r"[^a-z0-9]+", "-", f"{name}-{key.size}".lower()).strip("-")
    parts = [part for part in key if part != "plain"]
    slug = f"{plain}-{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:6]}"
    groups = []
    for division in DIVISIONS:
        if members := [entry for entry in entries if entry.division == division]:
            standings = ranked([entry for entry in members if entry.state != "withdrawn"])
            withdrawn = tuple(entry for entry in members if entry.state == "withdrawn")
            groups.append(Group(f"{slug}-{division}", name, key.size, division, standings, withdrawn))
    return BaseModel(slug, name, key.size, key.version, parameters, tuple(groups), levels_of(entries, references))


def ranked(entries: Iterable[Entry]) -> tuple[Standing, ...]:
    """Entries of one group in order, with their ranks."""
    standings: list[Standing] = []
    leader: Entry | None = None
    rank = 0
    for index, entry in enumerate(sorted(entries, key=_order)):
        behind = h_difference(standings[0].entry, entry) if leader and entry.state == "accepted" else None
        if entry.is_ranked and (leader is None or _is_behind(entry, leader)):
            leader, rank = entry, index + 1
        standings.append(Standing(entry, rank if entry.is_ranked else None, shared=False, behind=behind))
    sizes = Counter(standing.rank for standing in standings)
    return tuple(one._replace(shared=one.rank is not None and sizes[one.rank] > 1) for one in standings)


def h_difference(first: Entry, second: Entry, kind: str = REPRODUCTION) -> Difference | None:
    """Difference of H; None where one of them has none, or where they are over other causes."""
    left, right = first.results[kind], second.results[kind]
    if left.share is None or right.share is None or set(left.counted) != set(right.counted):
        return None
    return difference(left.share, right.share, left.by_dataset, right.by_dataset)


class Beside(NamedTuple):
    """An entry of the project beside another one: its H, and the other's H minus it."""

    method: str
    slug: str
    page: str
    division: str
    share: float
    difference: Difference


def beside_project(of_project: Sequence[Entry], entry: Entry) -> list[Beside]:
    """The first of the project's entries of the same base model, data and budget, whatever the division."""
    rows = []
    for other in of_project[:MOST_BESIDE]:
        share, between = other.share(), h_difference(entry, other)
        if share and between and other.run_id != entry.run_id:
            rows.append(Beside(other.method, other.slug, other.page, other.division, share.value, between))
    return rows


def project_entries(model: BaseModel, budget: str | None) -> list[Entry]:
    """The project's entries of one budget division that count, best first."""
    entries = [
        entry
        for entry in model.entries
        if entry.org == PROJECT and entry.state == "accepted" and budget and entry.budget_division == budget
    ]
    return sorted(entries, key=_order)


def _is_behind(entry: Entry, leader: Entry) -> bool:
    """Whether the difference to the first of a rank is resolved, or they cannot share it, being over other causes."""
    behind = h_difference(leader, entry)
    return behind is None or behind.estimate.low > 0


def _order(entry: Entry) -> tuple[bool, bool, float, str]:
    """Sort key: the ranked first, then those with an H, then the higher H."""
    share = entry.share()
    return not entry.is_ranked, share is None, -share.value if share else 0.0, entry.slug
