"""Entries on one base model and the same data, of both divisions: for pictures of recipes, never for ranks."""

from __future__ import annotations

from dataclasses import dataclass

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.entry import Data, Entry, Value
from ilp_bench.leaderboard.ranking import Group, Standing
from ilp_bench.recipes import RECIPES

MOST_RECIPES = 24  # rows of a heat map


@dataclass(frozen=True)
class RecipeMeans:
    """A row of the heat map: means of values and of interval ends over the entries of a recipe; None for no value."""

    name: str
    entries: tuple[Entry, ...]
    overall: Value | None
    causes: dict[str, Value | None]


@dataclass(frozen=True)
class Family:
    """One base model on the same data."""

    base: str
    size: str
    data: tuple[Data, ...]
    standings: tuple[Standing, ...]
    recipes: tuple[RecipeMeans, ...]

    @property
    def title(self) -> str:
        """Base model and data."""
        return f"{self.base}, {self.size}"

    @property
    def entries(self) -> list[Entry]:
        """All that have not been withdrawn."""
        return [standing.entry for standing in self.standings if standing.entry.state == "ranked"]

    @property
    def any(self) -> Entry:
        """One entry, for what all of them share: vanilla's rates."""
        return self.standings[0].entry


def families(groups: list[Group]) -> list[Family]:
    """All families, in the order of their first groups."""
    by_data: dict[tuple[str, tuple[Data, ...]], list[Group]] = {}
    for group in groups:
        by_data.setdefault((group.standings[0].entry.base_sha, group.data), []).append(group)
    return [_family(data, members) for (_, data), members in by_data.items()]


def _family(data: tuple[Data, ...], groups: list[Group]) -> Family:
    standings = tuple(standing for group in groups for standing in group.standings)
    entries = [standing.entry for standing in standings if standing.entry.state == "ranked"]
    return Family(groups[0].base, groups[0].size, data, standings, _recipe_means(entries))


def _recipe_means(entries: list[Entry]) -> tuple[RecipeMeans, ...]:
    """Known recipes first, in their own order; then the names of the other entries' models."""
    by_name: dict[str, list[Entry]] = {}
    for entry in entries:
        by_name.setdefault(entry.recipe or entry.model, []).append(entry)
    order = {name: index for index, name in enumerate(RECIPES.names())}
    names = sorted(by_name, key=lambda name: (order.get(name, len(order)), name))[:MOST_RECIPES]
    return tuple(_means(name, by_name[name]) for name in names)


def _means(name: str, entries: list[Entry]) -> RecipeMeans:
    causes = {
        cause: _mean([entry.causes[cause]["recovery"] for entry in entries if cause in entry.causes])
        for cause in CAUSES.names()
    }
    return RecipeMeans(name, tuple(entries), _mean([entry.overall for entry in entries]), causes)


def _mean(estimates: list[Value | None]) -> Value | None:
    defined = [estimate for estimate in estimates if estimate]
    if not defined:
        return None
    return {end: sum(estimate[end] for estimate in defined) / len(defined) for end in ("value", "low", "high")}
