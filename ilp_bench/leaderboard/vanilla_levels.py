"""What plain fine-tuning leaves: p of both arms under vanilla, by base model, budget and cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import NamedTuple

from ilp_bench.leaderboard.entry import ArmMeans, Entry
from ilp_bench.leaderboard.estimate import Estimate
from ilp_bench.records.training_record import DIVISIONS
from ilp_bench.scoring.pair_probabilities import KINDS
from ilp_bench.scoring.references import Reference
from ilp_bench.scoring.score_points import mean_held_out
from ilp_bench.scoring.vanilla_gaps import DECISIVE, delay_or_plateau, gaps_at_both, left_of_gap, vanilla_gaps

REFERENCE_RUNS = "reference runs"  # the source of a level


class ModelKey(NamedTuple):
    """What entries and references must share to be of one base model on the site."""

    base_sha: str
    size: str
    version: str
    prompt_format: str


class Cost(NamedTuple):
    """What a vanilla run costs, the mean over runs; None where not recorded.

    tokens      of all kinds; ``seconds`` of training
    retention   mean p of held-out facts after it, in [0, 1]; ``base_retention`` before it
    """

    tokens: float | None = None
    seconds: float | None = None
    retention: float | None = None
    base_retention: float | None = None


NOT_RECORDED = Cost()


@dataclass(frozen=True)
class Level:
    """p under vanilla of one base model and budget, by kind of score and cause; so many ``runs`` stand behind it.

    gaps        control minus treated, where it has an interval
    first_gaps  (kind, cause) -> the gap at the first budget on the datasets of this one, where that has others too
    """

    arms: dict[str, dict[str, ArmMeans]]
    gaps: dict[str, dict[str, Estimate | None]]
    runs: int
    source: str
    cost: Cost = NOT_RECORDED
    first_gaps: dict[tuple[str, str], float | None] = field(default_factory=dict)

    def gap(self, kind: str, cause: str) -> float | None:
        """Control minus treated, None where it was not measured."""
        arms = self.arms[kind].get(cause)
        return arms.control - arms.treated if arms else None


Levels = dict[str, Level]  # budget division -> what vanilla leaves


def model_key(thing: Entry | Reference) -> ModelKey:
    """The base model, data and prompt format of an entry or a reference."""
    if isinstance(thing, Reference):
        record = thing.record
        return ModelKey(record.base_sha256, record.size, record.version, record.prompt_format)
    return ModelKey(thing.base_sha, thing.data[0].size, thing.data[0].version, thing.prompt_format)


def levels_of(entries: Sequence[Entry], references: Sequence[Reference]) -> Levels:
    """Levels of one base model: of a reference, else of the vanilla entry with most runs, else of an entry's vanilla.

    Withdrawn and flagged entries do not count.
    """
    levels: Levels = {}
    by_division = {reference.record.division: reference for reference in references}
    for budget in DIVISIONS:
        usable = [entry for entry in entries if entry.budget_division == budget and entry.state == "accepted"]
        usable.sort(key=lambda entry: (entry.recipe != "vanilla", -entry.replicates, entry.slug))
        if budget in by_division:
            first, own = by_division.get(DECISIVE[0], by_division[budget]), by_division[budget]
            levels[budget] = replace(_of_reference(own), first_gaps=_first_gaps(first, own))
        elif usable:
            levels[budget] = _of_entry(usable[0])
    return levels


def _of_reference(reference: Reference) -> Level:
    rows = {kind: vanilla_gaps(reference, kind) for kind in KINDS}
    arms = {
        kind: {row.cause: ArmMeans(row.arms.treated, row.arms.control) for row in each if row.arms}
        for kind, each in rows.items()
    }
    gaps = {kind: {row.cause: Estimate.of(row.gap) for row in each} for kind, each in rows.items()}
    return Level(arms, gaps, reference.vanilla_count, REFERENCE_RUNS, _reference_cost(reference))


def _first_gaps(first: Reference, longer: Reference) -> dict[tuple[str, str], float | None]:
    """The gaps of ``first`` on the datasets of both; none where these are all that it has."""
    if set(first.seeds) <= set(longer.seeds):
        return {}
    return {
        (kind, row.cause): row.arms.control - row.arms.treated if row.arms else None
        for kind in KINDS
        for row in gaps_at_both(first, longer, kind)[0]
    }


def _reference_cost(reference: Reference) -> Cost:
    vanillas = [run for comparison in reference.comparisons for run in comparison.vanillas]
    trainings = [run.record.training for run in vanillas]
    return Cost(
        _mean([training.total_tokens if training else None for training in trainings]),
        _mean([training.seconds if training else None for training in trainings]),
        mean_held_out(vanillas),
        mean_held_out([comparison.base for comparison in reference.comparisons if comparison.base], "shots_p"),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """None where any value is not recorded."""
    recorded = [value for value in values if value is not None]
    return fmean(recorded) if recorded and len(recorded) == len(values) else None


def _of_entry(entry: Entry) -> Level:
    is_vanilla = entry.recipe == "vanilla"
    arms: dict[str, dict[str, ArmMeans]] = {kind: {} for kind in KINDS}
    gaps: dict[str, dict[str, Estimate | None]] = {kind: {} for kind in KINDS}
    for kind in KINDS:
        for name, cause in entry.results[kind].causes.items():
            if mean := cause.submission if is_vanilla else cause.vanilla:
                arms[kind][name] = mean
                gaps[kind][name] = None if is_vanilla else cause.gap
    own = (entry.tokens, entry.seconds) if is_vanilla else (None, None)
    cost = Cost(*own, entry.retention.get("submission" if is_vanilla else "vanilla"), entry.retention.get("base"))
    return Level(arms, gaps, entry.replicates, entry.title if is_vanilla else f"vanilla of {entry.title}", cost)


def verdict(levels: Levels, kind: str, cause: str) -> str:
    """Whether what a cause leaves at 1x is a delay or a plateau, in a phrase."""
    return delay_or_plateau(*_decisive_gaps(levels, kind, cause))


def left(levels: Levels, kind: str, cause: str) -> float | None:
    """The share of the gap at 1x that is left at 3x; None where that was no gap that counts, or not measured."""
    return left_of_gap(*_decisive_gaps(levels, kind, cause))


def _decisive_gaps(levels: Levels, kind: str, cause: str) -> tuple[float | None, float | None]:
    """The gaps at 1x and 3x, on the same datasets where references have them."""
    once, thrice = (levels[budget].gap(kind, cause) if budget in levels else None for budget in DECISIVE)
    longest = levels.get(DECISIVE[1])
    return longest.first_gaps.get((kind, cause), once) if longest else once, thrice
