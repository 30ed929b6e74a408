"""From a valid submission to its entry on the site."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from ilp_bench.leaderboard.entry import REPRODUCTION, ArmMeans, ByDataset, CauseResult, Data, Entry, KindResult
from ilp_bench.leaderboard.estimate import Estimate
from ilp_bench.records.reference_record import short_name
from ilp_bench.records.training_record import TrainingRecord
from ilp_bench.scoring.pair_probabilities import KINDS
from ilp_bench.scoring.points_schema import ArmRates, CausePoints, PointScores
from ilp_bench.scoring.rank_reasons import Reason, rank_reasons
from ilp_bench.scoring.training_budget import budget_of
from ilp_bench.submission.comparison import PROJECT
from ilp_bench.submission.decisions import Decision
from ilp_bench.submission.format import Submission
from ilp_bench.submission.rerun_record import Verification

OWN_VANILLA = Reason("vanilla not re-run", "it is compared with vanilla of its own, which nobody has run again")


def describe_entry(
    folder: Path, submission: Submission, decisions: Sequence[Decision], verifications: Sequence[Verification]
) -> Entry:
    """Describe a valid submission; ``decisions`` and ``verifications`` are those about it, oldest first."""
    scores, last = submission.scores, verifications[-1] if verifications else None
    training = submission.first.training or TrainingRecord()
    own_vanilla = bool(submission.vanillas)
    vanilla_again = [again.vanilla_agrees for again in verifications if again.vanilla_agrees is not None]
    is_trusted = submission.meta.org == PROJECT or (vanilla_again and vanilla_again[-1])
    reasons = [OWN_VANILLA] if own_vanilla and not is_trusted else []
    return Entry(
        run_id=submission.run_id,
        folder=folder,
        org=submission.meta.org,
        model=submission.meta.model,
        description=submission.meta.description,
        division=submission.meta.division,
        base=short_name(submission.base_name, submission.first.prompt_format),
        prompt_format=submission.first.prompt_format,
        base_sha=submission.base_weights or "",
        data=tuple(Data(one.size, one.version, one.seed, one.content_sha256) for one in submission.datasets),
        recipe=submission.recipe,
        parameters=submission.first.model.parameters,
        lora=training.lora,
        budget=_mean([budget_of(run) for run in submission.runs]),
        budget_division=scores.division,
        tokens=_mean([run.training and run.training.total_tokens for run in submission.runs]),
        seconds=_mean([run.training and run.training.seconds for run in submission.runs]),
        replicates=len(submission.runs),
        retention=scores.retention,
        results={kind: _kind_result(scores, kind) for kind in KINDS},
        reference=scores.reference.name if scores.reference else None,
        interval_kind=scores.interval_kind,
        not_ranked_because=(*rank_reasons(scores), *reasons),
        rerun={
            "public": last.entry_status if last else "not done",
            "unseen": last.unseen.status if last else "not done",
            "coverage": last.coverage if last else "",
        },
        own_vanilla=own_vanilla,
        decisions=tuple(decisions),
    )


def _arm_means(rates: ArmRates | None) -> ArmMeans | None:
    """Mean p of both arms, where they were measured."""
    return ArmMeans(rates.p.treated, rates.p.control) if rates else None


def _kind_result(scores: PointScores, kind: str) -> KindResult:
    score = scores.reproduction if kind == REPRODUCTION else scores.internalisation
    return KindResult(
        Estimate.of(score.share),
        tuple(score.counted),
        {cause.cause: _cause_result(scores, kind, cause) for cause in score.causes},
        _by_dataset([(one.data_seed, one.share.get(kind)) for one in scores.replicates]),
    )


def _cause_result(scores: PointScores, kind: str, cause: CausePoints) -> CauseResult:
    replicates = [(one.data_seed, one.points[kind].get(cause.cause)) for one in scores.replicates]
    return CauseResult(
        Estimate.of(cause.points),
        Estimate.of(cause.control_change),
        Estimate.of(cause.gap),
        cause.counted,
        cause.reason,
        _arm_means(cause.vanilla),
        _arm_means(cause.submission),
        _by_dataset(replicates),
    )


def _by_dataset(replicates: Sequence[tuple[int, float | None]]) -> ByDataset:
    """Mean over the replicates of each data seed; empty where any of them has no value."""
    values: dict[int, list[float]] = defaultdict(list)
    for seed, value in replicates:
        if value is None:
            return {}
        values[seed].append(value)
    return {seed: fmean(same) for seed, same in sorted(values.items())}


def _mean(values: Sequence[Any]) -> Any:
    """The mean, rounded to a whole number; None where any value is not recorded."""
    return None if any(value is None for value in values) else round(fmean(values))
