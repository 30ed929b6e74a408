"""An entry of schema 3 as tables show it. What the site knows of that format stands here and in ``run.html``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from ilp_bench.leaderboard.estimate import Estimate
from ilp_bench.records.reference_record import short_name
from ilp_bench.records.training_record import TrainingRecord
from ilp_bench.scoring.pair_probabilities import KINDS
from ilp_bench.scoring.points_schema import ArmRates, CausePoints, PointScores
from ilp_bench.scoring.training_budget import budget_of
from ilp_bench.submission.comparison import PROJECT
from ilp_bench.submission.decisions import Decision
from ilp_bench.submission.format import Submission
from ilp_bench.submission.rerun_record import Verification

REPRODUCTION, INTERNALISATION = KINDS
OWN_VANILLA = "it is compared with vanilla of its own, which nobody has run again"
SHORT_REASONS = {  # a word of the reason why an entry is not ranked -> what a table says
    " fell ": "a control fell",
    "pairs only": "too few datasets",
    "not settled": "too few vanilla runs",
    "base run": "no base run",
    "run again": "vanilla not re-run",
}
ByDataset = dict[int, float]  # data seed -> mean over the replicates on that dataset


class ArmMeans(NamedTuple):
    """Mean p of the items of either arm, in [0, 1]."""

    treated: float
    control: float


class CauseResult(NamedTuple):
    """One cause in one kind of score; differences are in [-1, 1], and points when times 100. None: not computed.

    ``gap`` is vanilla's: control minus treated.
    """

    points: Estimate | None
    control_change: Estimate | None
    gap: Estimate | None
    counted: bool
    reason: str | None
    vanilla: ArmMeans | None
    submission: ArmMeans | None
    by_dataset: ByDataset


class KindResult(NamedTuple):
    """One kind of score: H with the causes that count, and every cause by its name."""

    share: Estimate | None
    counted: tuple[str, ...]
    causes: dict[str, CauseResult]
    by_dataset: ByDataset


class Data(NamedTuple):
    """A dataset that an entry was measured on."""

    size: str
    version: str
    seed: int
    sha256: str


@dataclass(frozen=True)
class Entry:
    """One submission, without its samples and records; pickles small.

    budget          supervised tokens, the mean over replicates; ``tokens``: all tokens trained on
    budget_division ``1x`` or ``3x``, of whatever division it was submitted to; None where not recorded
    lora            rank of the adapter; 0 where all weights were trained, None where not recorded
    retention       role -> mean p of held-out facts
    results         by kind of score
    rerun           kind of re-run (public, unseen) -> outcome of the last one; coverage -> such as ``1 of 3``
    own_vanilla     whether it is compared with vanilla runs of its own, and not with a reference's
    decisions       about it, oldest first
    """

    run_id: str
    folder: Path
    org: str
    model: str
    description: str
    division: str
    base: str
    prompt_format: str
    base_sha: str
    data: tuple[Data, ...]
    recipe: str | None
    parameters: int
    lora: int | None
    budget: int | None
    budget_division: str | None
    tokens: int | None
    seconds: float | None
    replicates: int
    retention: dict[str, float | None]
    results: dict[str, KindResult]
    reference: str | None
    interval_kind: str
    not_ranked_because: tuple[str, ...]
    rerun: dict[str, str]
    own_vanilla: bool
    decisions: tuple[Decision, ...]

    @property
    def slug(self) -> str:
        """Name of its page; never changes."""
        return page_name(self.org, self.model, self.run_id)

    @property
    def page(self) -> str:
        """Its page, from the site's top."""
        return f"runs/{self.slug}.html"

    @property
    def badge(self) -> str:
        """Its badge, from the site's top."""
        return f"runs/{self.slug}.svg"

    @property
    def title(self) -> str:
        """Who and what, in one line."""
        return f"{self.org} / {self.model}"

    @property
    def method(self) -> str:
        """The recipe, or what its submitters call the model."""
        return self.recipe or self.model

    @property
    def label(self) -> str:
        """What a table calls it: the lab and the recipe."""
        return f"{self.org} {self.method}"

    @property
    def kind(self) -> str:
        """What was trained, in a word."""
        return "not recorded" if self.lora is None else f"LoRA {self.lora}" if self.lora else "full"

    @property
    def state(self) -> str:
        """``accepted``, ``withdrawn`` or ``flagged``: what the last decision says; without one, accepted."""
        return self.decisions[-1].decision if self.decisions else "accepted"

    @property
    def is_ranked(self) -> bool:
        """Whether it takes part in ranks."""
        return self.state == "accepted" and not self.not_ranked_because and self.share() is not None

    @property
    def short_reason(self) -> str:
        """Why it is not ranked, in a few words; its page has every reason in full."""
        if self.state != "accepted" or not self.not_ranked_because:
            return self.state if self.state != "accepted" else "no cause counts"
        first = self.not_ranked_because[0]
        return next((short for word, short in SHORT_REASONS.items() if word in first), "see why")

    @property
    def is_checked(self) -> bool:
        """Whether others than its submitters stand for it: a row of the project, or one whose re-run agrees."""
        return self.org == PROJECT or self.rerun["public"] == "agrees"

    @property
    def check_mark(self) -> str:
        """What a rank says of re-runs: nobody ran it again, or with which outcome and how many of its runs."""
        status, coverage = self.rerun["public"], self.rerun.get("coverage")
        again = "not re-run" if status == "not done" else f"re-run {status}{f', {coverage}' if coverage else ''}"
        return f"{again}; own vanilla" if self.own_vanilla else again

    @property
    def date(self) -> str | None:
        """When it was accepted, where that is recorded."""
        return next((decision.date for decision in self.decisions if decision.decision == "accepted"), None)

    def share(self, kind: str = REPRODUCTION) -> Estimate | None:
        """H, of one kind of score."""
        return self.results[kind].share


def page_name(org: str, model: str, run_id: str) -> str:
    """What the page of an entry is called, without folder and ending."""
    return f"{org}__{model}__{run_id}"


def describe_entry(
    folder: Path, submission: Submission, decisions: Sequence[Decision], verifications: Sequence[Verification]
) -> Entry:
    """Describe a valid submission; ``decisions`` and ``verifications`` are those about it, oldest first."""
    scores, last = submission.scores, verifications[-1] if verifications else None
    training = submission.first.training or TrainingRecord()
    own_vanilla = scores.reference is None or not scores.reference.runs
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
        not_ranked_because=(*scores.not_ranked_because, *reasons),
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
