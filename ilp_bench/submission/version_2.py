"""Submissions of schema 2, on dataset 2: a closed archive, which is read and checked, and never added to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ilp_bench.records.run_record import Run, RunRecord, Runs
from ilp_bench.scoring.learned_rates import ARMS, pair_rates
from ilp_bench.scoring.recovery import Scores, base_sha256
from ilp_bench.scoring.role_checks import CONVERGED, control_recall
from ilp_bench.scoring.version_2 import VERSION
from ilp_bench.submission.fields import MAX_RUNS, Link, Name, RunId, Sha256, Text
from ilp_bench.submission.sample_store import ROLES, RunKey

TOKEN_FACTOR = 3  # closed division: at most this many times the tokens of vanilla
CLOSED_REPLICATES = 3
TEMPLATES = 0.2  # an untrained prompt template may be learned so much better than the trained one, not more


class ArchivedMeta(BaseModel):
    """What the submitter said.

    closed: only ``train`` and ``knowledge``, at most three times vanilla's tokens, at least three replicates.
    open: anything; ``data`` says what else it was trained on. ``weights`` and ``paper`` are https links.
    """

    model_config = ConfigDict(extra="forbid")

    org: Name
    model: Name
    division: Literal["closed", "open"]
    description: Text = ""
    contact: Text = ""
    data: Text = ""
    weights: Link = ""
    paper: Link = ""


class Replicate(BaseModel):
    """The run records of one training seed on one dataset."""

    model_config = ConfigDict(extra="forbid")

    submission: RunRecord
    vanilla: RunRecord
    base: RunRecord | None = None


class ArchivedSubmission(BaseModel):
    """``submission.json`` of schema 2."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[2] = 2
    run_id: RunId
    meta: ArchivedMeta
    records: list[Replicate] = Field(min_length=1, max_length=MAX_RUNS)
    samples_sha256: Sha256
    scores: Scores

    @property
    def folder(self) -> str:
        """Where it belongs below ``submissions/``."""
        return f"{self.meta.org}__{self.meta.model}/{self.run_id}"

    @property
    def first(self) -> Replicate:
        """The records that speak for all where replicates agree: base model, recipe, size of the dataset."""
        return self.records[0]

    @property
    def base_name(self) -> str:
        """The base model's name as its training recorded it, or as the base run does."""
        training = self.first.submission.training
        if training and training.base and training.base.name is not None:
            return training.base.name
        return self.first.base.model.name if self.first.base else "unknown"

    @property
    def base_weights(self) -> str | None:
        """The hash of the base model's weights: entries that share it can be compared, whatever name they give it."""
        base = self.first.base
        return base_sha256(self.first.submission) or (base.model.weights_sha256 if base else None)

    @property
    def run_records(self) -> dict[RunKey, RunRecord]:
        """(role, replicate) -> record, replicate by replicate."""
        each = (
            (number, role, getattr(replicate, role)) for number, replicate in enumerate(self.records) for role in ROLES
        )
        return {(role, number): record for number, role, record in each if record is not None}

    def replicates(self, runs: Mapping[RunKey, Run]) -> list[Runs]:
        """Its runs, replicate by replicate."""
        return [
            Runs(**{role: runs[role, number] for role in ROLES if (role, number) in runs})
            for number in range(len(self.records))
        ]


def division_problems(submission: ArchivedSubmission) -> list[str]:
    """What breaks the rules of the closed division; empty for the open one."""
    if submission.meta.division == "open":
        return []
    count = len(submission.records)
    few = [f"the closed division needs at least {CLOSED_REPLICATES} replicates, this has {count}"]
    budgets = (_budget_problem(each.submission, each.vanilla) for each in submission.records)
    return few * (count < CLOSED_REPLICATES) + list(dict.fromkeys(filter(None, budgets)))


def _budget_problem(submission: RunRecord, vanilla: RunRecord) -> str | None:
    """Why a run breaks the closed division's budget of training tokens, or None."""
    used, allowed = (record.training.total_tokens if record.training else None for record in (submission, vanilla))
    if used is None or allowed is None:
        return "the closed division needs the training tokens of both runs"
    if used > TOKEN_FACTOR * allowed:
        return f"{used} training tokens exceed the closed division's {TOKEN_FACTOR} x {allowed} of vanilla"
    return None


def plausibility_problems(submission: ArchivedSubmission, replicates: list[Runs]) -> Iterator[str]:
    """What honest runs do not show, replicate by replicate: numbers that agree with one another and cannot be."""
    if any(run.submission.record.data.version != VERSION for run in replicates):
        yield f"schema 2 is for version {VERSION} of the data alone: submit with 'ilp-bench submit'"
    hashes: dict[str, RunRecord] = {}
    for number, runs in enumerate(replicates):
        where = f"records.{number}"
        for role, run in runs._asdict().items():
            if run is None:
                continue
            if hashes.setdefault(run.record.samples_sha256, run.record) != run.record:
                yield f"{where}.{role} names the samples file of another run"
            yield from _training(run.record, f"{where}.{role}")
        if runs.base and runs.base.record.training is not None:
            yield f"{where}.base was fine-tuned: the base run is of the model that was fine-tuned from"
        if submission.meta.division == "closed":
            yield from (f"{where}: {problem}" for problem in _closed(runs))
        yield from (f"{where}: {problem}" for problem in _rates(runs))


def _training(record: RunRecord, where: str) -> Iterator[str]:
    """Was it trained on the data it was asked about?"""
    data = record.training.data if record.training else None
    if data and data.content_sha256 != record.data.content_sha256:
        yield f"{where} was trained on another dataset than it was evaluated on"
    if record.training is not None and base_sha256(record) == record.model.weights_sha256:
        yield f"{where} has the weights of its base model: it was not trained"


def _closed(runs: Runs) -> Iterator[str]:
    if runs.base is None:
        yield "the closed division needs the base run, which says what its pairs are"
    for what, run in (("submission", runs.submission), ("vanilla", runs.vanilla)):
        training = run.record.training
        if training is None or training.base_sha256 is None or training.seed is None:
            yield f"the closed division needs base and seed of the {what}'s training"
    if runs.vanilla.record.training is None or runs.vanilla.record.training.recipe != "vanilla":
        yield "the closed division needs a vanilla run of the recipe vanilla"


def _rates(runs: Runs) -> Iterator[str]:
    control = control_recall(runs.vanilla)
    if control < CONVERGED:
        yield f"vanilla learned {control:.2f} of its control recall probes, less than {CONVERGED}: stopped too early"
    for cause, rates in pair_rates(runs.submission).items():
        for column, arm in enumerate(ARMS):
            recall, paraphrase = (float(rate[:, column].mean()) for rate in (rates.recall, rates.paraphrase))
            if paraphrase > recall + TEMPLATES:
                yield (
                    f"{cause}, {arm}: {paraphrase:.2f} learned in templates never trained, {recall:.2f} in the trained "
                    "one: implausible"
                )
