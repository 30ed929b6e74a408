"""What the results say in words, read off the same numbers as charts and tables: recipes, delays, claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.entry import REPRODUCTION
from ilp_bench.leaderboard.ranking import BaseModel, Group
from ilp_bench.leaderboard.recipe_rows import RecipeRow, recipe_rows
from ilp_bench.leaderboard.vanilla_levels import verdict
from ilp_bench.recipes import RECIPES
from ilp_bench.replication.claims import Judgement, judge, read_claims
from ilp_bench.replication.effects import Evidence, measure
from ilp_bench.scoring.vanilla_gaps import DECISIVE


class RecipeTest(NamedTuple):
    """A recipe that was made for one cause: whether it gains there beyond chance, and on which other causes.

    "Beyond chance": the 95 % interval of G lies above 0.
    """

    row: RecipeRow
    cause: str
    gains: bool
    elsewhere: list[str]


class BaseJudgements(NamedTuple):
    """The verdicts on the paper's claims, on one base model and size of the data."""

    title: str
    judgements: list[Judgement]

    @property
    def by_verdict(self) -> dict[str, list[str]]:
        """Verdict -> ids of claims, in the order in which a verdict first comes."""
        ids: dict[str, list[str]] = {}
        for judgement in self.judgements:
            ids.setdefault(judgement.verdict, []).append(judgement.claim.id)
        return ids


def recipe_tests(group: Group, kind: str = REPRODUCTION) -> list[RecipeTest]:
    """The recipes of a group that were made for one cause and have a value for it, in entries that others stand for."""
    tests = []
    for row in recipe_rows(group, kind):
        cause = RECIPES.get(row.name).cause if row.name in RECIPES else None
        if cause and row.causes.get(cause) and all(entry.is_checked for entry in row.entries):
            gained = [name for name, points in row.causes.items() if points and points.low > 0]
            tests.append(RecipeTest(row, cause, cause in gained, [name for name in gained if name != cause]))
    return tests


def has_both(model: BaseModel) -> bool:
    """Whether vanilla was trained at both budgets that tell a delay from a plateau."""
    return all(budget in model.vanilla for budget in DECISIVE)


def delays(model: BaseModel, kind: str = REPRODUCTION) -> dict[str, list[str]]:
    """Verdict on more training -> causes; empty where vanilla was not trained at both budgets."""
    if not has_both(model):
        return {}
    causes: dict[str, list[str]] = {}
    for cause in CAUSES.names():
        causes.setdefault(verdict(model.vanilla, kind, cause), []).append(cause)
    return causes


def judge_claims(evidence: Mapping[tuple[str, str], Evidence], order: Sequence[BaseModel] = ()) -> list[BaseJudgements]:
    """The paper's claims on every base model that has an entry of the project, in the order of the site."""
    claims, names = read_claims(), [(model.name, model.size) for model in order]
    keys = sorted(evidence, key=lambda key: names.index(key) if key in names else len(names))
    return [
        BaseJudgements(f"{base}, {size}", judge(measure(evidence[base, size], claims), claims))
        for base, size in keys
        if evidence[base, size].entries
    ]
