"""Recipe by cause: what each recipe gains on each cause, for heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.entry import Entry
from ilp_bench.leaderboard.estimate import Estimate
from ilp_bench.leaderboard.ranking import Group
from ilp_bench.recipes import RECIPES

MOST_RECIPES = 24  # rows of a heat map


@dataclass(frozen=True)
class RecipeRow:
    """A row of a heat map: means of values and of interval ends over the entries of a recipe; None for no value.

    Where the project has an entry of that recipe, or others ran one again, those alone are averaged.
    """

    name: str
    entries: tuple[Entry, ...]
    share: Estimate | None
    causes: dict[str, Estimate | None]


def recipe_rows(group: Group, kind: str) -> list[RecipeRow]:
    """Known recipes first, in their own order; then the names of the other entries' models. Without flagged entries."""
    by_name: dict[str, list[Entry]] = {}
    for entry in group.entries:
        if entry.state != "accepted":
            continue
        by_name.setdefault(entry.method, []).append(entry)
    order = {name: index for index, name in enumerate(RECIPES.names())}
    names = sorted(by_name, key=lambda name: (order.get(name, len(order)), name))[:MOST_RECIPES]
    checked = {name: [entry for entry in by_name[name] if entry.is_checked] for name in names}
    return [_row(name, checked[name] or by_name[name], kind) for name in names]


def _row(name: str, entries: list[Entry], kind: str) -> RecipeRow:
    results = [entry.results[kind] for entry in entries]
    causes = {
        cause: _mean([result.causes[cause].points for result in results if cause in result.causes])
        for cause in CAUSES.names()
    }
    return RecipeRow(name, tuple(entries), _mean([result.share for result in results]), causes)


def _mean(estimates: Sequence[Estimate | None]) -> Estimate | None:
    values = [estimate for estimate in estimates if estimate]
    return Estimate(*(fmean(ends) for ends in zip(*values, strict=True))) if values else None
