"""What the front page and the causes' pages show beside tables: a few numbers, dose curves, what repairs a cause."""

from __future__ import annotations

from typing import Any, NamedTuple

from ilp_bench.leaderboard.entry import REPRODUCTION, ArmMeans, CauseResult, Entry
from ilp_bench.leaderboard.ranking import BaseModel, Group
from ilp_bench.leaderboard.vanilla_levels import NOT_RECORDED
from ilp_bench.scoring.points_schema import PairGroup
from ilp_bench.submission.format import Submission, read_submission

MOST_ROWS = 25  # of the table of what repairs a cause, for each group


class Repairs(NamedTuple):
    """The entries of a group with a value for one cause, those that gain most first."""

    group: Group
    entries: list[Entry]


class Doses(NamedTuple):
    """Dose curves of the best entry of a base model, and of vanilla, for one cause."""

    entry: Entry
    doses: list[PairGroup]


def front_facts(models: list[BaseModel]) -> dict[str, Any] | None:
    """The numbers of the sentences at the top, of the first base model with ranked entries; else of the first.

    ``best`` is the best ranked entry that is the project's or was run again, in the first division that has any ranks,
    ``ahead`` how many ranked entries have a higher H, and ``ranked`` how many there are, vanilla aside;
    ``tied`` are the others of its rank where it is the first, and ``everywhere`` those that gain on every cause that
    counts.
    """
    measured = [model for model in models if any(level.arms[REPRODUCTION] for level in model.vanilla.values())]
    if not measured:
        return None
    model = next((each for each in measured if any(group.ranked for group in each.groups)), measured[0])
    budget, level = next(item for item in model.vanilla.items() if item[1].arms[REPRODUCTION])
    arms = level.arms[REPRODUCTION]
    worst = max(arms, key=lambda cause: arms[cause].control - arms[cause].treated)
    facts = {"model": model, "budget": budget, "worst": worst, "arms": arms[worst], "best": None}
    group = next((group for group in model.groups if group.ranked), None)
    placed = [each for each in group.standings if each.rank and each.entry.recipe != "vanilla"] if group else []
    if not placed:
        return facts
    entries = [each.entry for each in placed]
    best = next((entry for entry in entries if entry.is_checked), entries[0])
    tied = [each.entry for each in placed[1:] if each.rank == placed[0].rank] if best == entries[0] else []
    facts |= {"group": group, "best": best, "ahead": entries.index(best), "ranked": len(entries), "tied": tied}
    vanilla = model.vanilla.get(best.budget_division or "")
    return facts | {
        "vanilla": vanilla.cost if vanilla else NOT_RECORDED,
        "everywhere": [each for each in entries if gains_everywhere(each)],
    }


def gains_everywhere(entry: Entry) -> bool:
    """Whether the interval of G lies above 0 for every cause that counts."""
    result = entry.results[REPRODUCTION]
    points = [result.causes[cause].points for cause in result.counted]
    return all(estimate is not None and estimate.low > 0 for estimate in points)


def repairs(model: BaseModel, cause: str) -> list[Repairs]:
    """What repairs a cause on one base model, division by division."""
    found = []
    for group in model.groups:
        gains = [(gain, entry) for entry in group.entries if (gain := _gain(entry, cause)) is not None]
        gains.sort(key=lambda pair: (-pair[0], pair[1].slug))
        if gains:
            found.append(Repairs(group, [entry for _, entry in gains[:MOST_ROWS]]))
    return found


def _gain(entry: Entry, cause: str) -> float | None:
    result: CauseResult | None = entry.results[REPRODUCTION].causes.get(cause)
    return result.points.value if result and result.points else None


def dose_curves(model: BaseModel, cause: str) -> Doses | None:
    """Dose curves of the first entry of the first group that has any; None where the cause has fewer than two doses."""
    for group in model.groups:
        entry = group.first or next(iter(group.entries), None)
        if entry:
            submission = read_submission(entry.folder)
            assert isinstance(submission, Submission)
            scores = {score.cause: score for score in submission.scores.reproduction.causes}
            doses = [dose for dose in scores[cause].doses if dose.dose is not None] if cause in scores else []
            return Doses(entry, doses) if len(doses) > 1 else None
    return None


def level_rows(models: list[BaseModel], cause: str, kind: str) -> list[tuple[BaseModel, str, ArmMeans]]:
    """p of both arms of a cause under vanilla: base model, budget, arms."""
    return [
        (model, budget, level.arms[kind][cause])
        for model in models
        for budget, level in model.vanilla.items()
        if cause in level.arms[kind]
    ]
