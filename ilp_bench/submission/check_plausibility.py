"""What honest runs do not show: numbers that agree with one another and still cannot be."""

from __future__ import annotations

from collections.abc import Iterator

from ilp_bench.records.run_record import RunRecord, Runs
from ilp_bench.scoring.learned_rates import ARMS, pair_rates
from ilp_bench.scoring.recovery import base_sha256
from ilp_bench.scoring.role_checks import CONVERGED, control_recall
from ilp_bench.submission.format import Submission

TEMPLATES = 0.2  # an untrained prompt template may be learned so much better than the trained one, not more


def plausibility_problems(submission: Submission, replicates: list[Runs]) -> Iterator[str]:
    """Problems of records and learned rates, replicate by replicate."""
    hashes: dict[str, RunRecord] = {}
    for number, runs in enumerate(replicates):
        where = f"records.{number}"
        for role, run in runs._asdict().items():
            if run is None:
                continue
            if hashes.setdefault(run.record.samples_sha256, run.record) != run.record:
                yield f"{where}.{role} names the samples file of another run: evaluate each model by itself"
            yield from _training(run.record, f"{where}.{role}")
        if runs.base and runs.base.record.training is not None:
            yield f"{where}.base was fine-tuned: the base run is of the model that was fine-tuned from"
        if submission.meta.division == "closed":
            yield from (f"{where}: {one}" for one in _closed(runs))
        yield from (f"{where}: {one}" for one in _rates(runs))


def _training(record: RunRecord, where: str) -> Iterator[str]:
    """Was it trained on the data it was asked about?"""
    data = record.training.data if record.training else None
    if data and data.content_sha256 != record.data.content_sha256:
        yield f"{where} was trained on another dataset than it was evaluated on: train and evaluate on the same"
    if record.training is not None and base_sha256(record) == record.model.weights_sha256:
        yield f"{where} has the weights of its base model: it was not trained"


def _closed(runs: Runs) -> Iterator[str]:
    if runs.base is None:
        yield "the closed division needs the base run, which says what its pairs are: add it, or submit as open"
    for what, run in (("submission", runs.submission), ("vanilla", runs.vanilla)):
        training = run.record.training
        if training is None or training.base_sha256 is None or training.seed is None:
            yield f"the closed division needs base and seed of the {what}'s training: submit as open"
    if runs.vanilla.record.training is None or runs.vanilla.record.training.recipe != "vanilla":
        yield "the closed division needs a vanilla run of the recipe vanilla: train it with ilp-bench"


def _rates(runs: Runs) -> Iterator[str]:
    control = control_recall(runs.vanilla)
    if control < CONVERGED:
        yield (
            f"vanilla learned {control:.2f} of its control recall probes, less than {CONVERGED}: it was stopped too "
            "early; train it to convergence with the recipe vanilla"
        )
    for cause, rates in pair_rates(runs.submission).items():
        for column, arm in enumerate(ARMS):
            recall, paraphrase = (float(rate[:, column].mean()) for rate in (rates.recall, rates.paraphrase))
            if paraphrase > recall + TEMPLATES:
                yield (
                    f"{cause}, {arm}: {paraphrase:.2f} learned in templates never trained, {recall:.2f} in the trained "
                    "one: implausible; evaluate again, or explain it in an issue"
                )
