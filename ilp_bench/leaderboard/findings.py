"""What the results say in words, read off the same numbers as charts and tables: recipes, delays, claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.entry import REPRODUCTION
from ilp_bench.leaderboard.formatting import points
from ilp_bench.leaderboard.ranking import BaseModel, Group
from ilp_bench.leaderboard.recipe_rows import RecipeRow, recipe_rows
from ilp_bench.leaderboard.vanilla_levels import verdict
from ilp_bench.recipes import RECIPES
from ilp_bench.replication.claims import Claim, Judgement, judge, read_claims
from ilp_bench.replication.effects import measure
from ilp_bench.replication.evidence import Evidence
from ilp_bench.scoring.points_schema import PairGroup
from ilp_bench.scoring.vanilla_gaps import DECISIVE

SAME_GAP = 0.05  # gaps that differ by less are said not to depend on the dose


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


class DoseTrend(NamedTuple):
    """Vanilla's gap, control minus treated, at the weakest and at the strongest dose of a cause, as dose and gap."""

    weakest: tuple[float, float]
    strongest: tuple[float, float]

    @property
    def verdict(self) -> str:
        """Whether the gap grows with the strength of the cause, by more than ``SAME_GAP``."""
        growth = self.strongest[1] - self.weakest[1]
        if abs(growth) < SAME_GAP:
            return f"the two differ by less than {points(SAME_GAP)}"
        return "as expected" if growth > 0 else "against what is expected"


def dose_trend(doses: Sequence[PairGroup], cause: str) -> DoseTrend:
    """What vanilla shows of a cause's doses, of which there are at least two."""
    ends = [(dose.dose or 0.0, dose.vanilla.control - dose.vanilla.treated) for dose in doses]
    ends.sort(reverse=CAUSES.get(cause).text.dose_weakens)
    return DoseTrend(ends[0], ends[-1])


def claims_about(judged: Sequence[BaseJudgements], cause: str) -> list[tuple[Claim, list[tuple[str, str]]]]:
    """The claims with an effect on one cause, each with its verdicts: title of a base model, verdict."""
    about = [claim for claim in read_claims() if any(effect.cause == cause for effect in claim.effects)]
    verdicts = [(base.title, each.claim.id, each.verdict) for base in judged for each in base.judgements]
    return [(claim, [(title, verdict) for title, id_, verdict in verdicts if id_ == claim.id]) for claim in about]


def judge_claims(evidence: Mapping[tuple[str, str], Evidence], order: Sequence[BaseModel] = ()) -> list[BaseJudgements]:
    """The paper's claims on every base model that has an entry of the project, in the order of the site."""
    claims, names = read_claims(), [(model.name, model.size) for model in order]
    keys = sorted(evidence, key=lambda key: names.index(key) if key in names else len(names))
    return [
        BaseJudgements(f"{base}, {size}", judge(measure(evidence[base, size], claims), claims))
        for base, size in keys
        if evidence[base, size].entries
    ]
