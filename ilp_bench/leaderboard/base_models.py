"""Entries on one base model and the same data, of both divisions: for pictures of recipes, never for ranks."""

from __future__ import annotations

from dataclasses import dataclass

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.entry import Data, Entry, Value
from ilp_bench.leaderboard.ranking import Group, Standing
from ilp_bench.recipes import RECIPES

ROWS = 24  # of a heat map


@dataclass(frozen=True)
class Recipe:
    """A row of the heat map: means of values and of interval ends over the entries that used it; None for no value."""

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
    recipes: tuple[Recipe, ...]

    @property
    def title(self) -> str:
        """Base model and data."""
        return f"{self.base}, {self.size}"

    @property
    def entries(self) -> list[Entry]:
        """All that have not been withdrawn."""
        return [one.entry for one in self.standings if one.entry.state == "ranked"]

    @property
    def any(self) -> Entry:
        """One entry, for what all of them share: vanilla's rates."""
        return self.standings[0].entry


def families(grouped: list[Group]) -> list[Family]:
    """All families, in the order of their first groups."""
    keyed: dict[tuple[str, tuple[Data, ...]], list[Group]] = {}
    for group in grouped:
        keyed.setdefault((group.standings[0].entry.base_sha, group.data), []).append(group)
    found = []
    for (_, data), some in keyed.items():
        standings = tuple(one for group in some for one in group.standings)
        recipes = _recipes([one.entry for one in standings if one.entry.state == "ranked"])
        found.append(Family(some[0].base, some[0].size, data, standings, recipes))
    return found


def _recipes(entries: list[Entry]) -> tuple[Recipe, ...]:
    named: dict[str, list[Entry]] = {}
    for entry in entries:
        named.setdefault(entry.recipe or entry.model, []).append(entry)
    order = {name: n for n, name in enumerate(RECIPES.names())}
    found = []
    for name in sorted(named, key=lambda name: (order.get(name, len(order)), name))[:ROWS]:
        some = named[name]
        scored = {cause: [e.causes[cause]["recovery"] for e in some if cause in e.causes] for cause in CAUSES.names()}
        causes = {cause: _mean(values) for cause, values in scored.items()}
        found.append(Recipe(name, tuple(some), _mean([one.overall for one in some]), causes))
    return tuple(found)


def _mean(values: list[Value | None]) -> Value | None:
    some = [value for value in values if value]
    return {end: sum(one[end] for one in some) / len(some) for end in ("value", "low", "high")} if some else None
