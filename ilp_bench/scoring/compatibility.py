"""Whether runs may be scored together: the same probes of the same data, asked alike, of one base model."""

from __future__ import annotations

from collections.abc import Sequence

from ilp_bench.core.errors import ProblemError
from ilp_bench.records.run_record import Run, RunRecord, Runs


def check_comparable(submission: Run, vanilla: Run, base: Run | None) -> None:
    """Raise ProblemError unless all runs asked the same probes in one format, and share the base model."""
    if submission.record.data.is_user_data:
        raise ProblemError("rows of your own have no arms to compare: see 'ilp-bench diagnose'")
    for role, run in (("submitted", submission), ("vanilla", vanilla), ("base", base)):
        if run is None:
            continue
        check_asked_as_trained(role, run.record)
        if run.record.protocol != "exact":
            raise ProblemError(
                f"the {role} run was sampled, which checks p and is not scored: evaluate with the exact protocol"
            )
        if run.record.data != submission.record.data:
            raise ProblemError(f"the {role} run was measured on other data: evaluate both on the same dataset")
        if run.record.prompt_format != submission.record.prompt_format:
            raise ProblemError(
                f"the {role} run was asked in {run.record.prompt_format} prompts and the submitted run in "
                f"{submission.record.prompt_format} ones: train and evaluate all with or all without the chat template"
            )
        if run.probes is not submission.probes and not _same_probes(run, submission):
            raise ProblemError(f"the {role} run has other probes: evaluate again")
        if not same_prompts(run.record, submission.record):
            raise ProblemError(
                f"the {role} run was asked in other prompts than the submitted run, so their p cannot be compared: "
                "evaluate all under one chat template"
            )
    recipe = vanilla.record.training.recipe if vanilla.record.training else None
    if recipe is not None and recipe != "vanilla":
        raise ProblemError(f"the run given as vanilla was trained with recipe {recipe!r}")
    bases = {weights for run in (submission, vanilla) if (weights := base_sha256(run.record))}
    if base:
        bases.add(base.record.model.weights_sha256)
    if len(bases) > 1:
        raise ProblemError("the runs start from different base models: score each against vanilla on its own base")


def _same_probes(run: Run, other: Run) -> bool:
    """Whether two runs asked the same probes, in whatever order."""
    mine, others = (each.samples["probe_id"].combine_chunks() for each in (run, other))
    return bool(mine.equals(others) or mine.sort().equals(others.sort()))


def same_prompts(record: RunRecord, other: RunRecord) -> bool:
    """Whether two runs on one dataset were asked in the same prompts, as far as their records say.

    A chat template that writes today's date gives other prompts on another day: then the templates are compared.
    """
    prompts, others = record.prompts, other.prompts
    if prompts and others and not (prompts.template_date and others.template_date):
        return prompts.sha256 == others.sha256
    templates = record.template_sha256, other.template_sha256
    return None in templates or templates[0] == templates[1]


def check_asked_as_trained(role: str, record: RunRecord) -> None:
    """Raise ProblemError where a model's training record names another prompt format than it was asked in."""
    trained = record.training.prompt_format if record.training else None
    if trained in ("plain", "chat") and trained != record.prompt_format:
        how = "with" if trained == "chat" else "without"
        raise ProblemError(
            f"the {role} run was trained in {trained} format and asked in {record.prompt_format} format, so its p says "
            f"nothing: evaluate it again {how} the chat template"
        )


def check_replicates(replicates: Sequence[Runs]) -> None:
    """Raise ProblemError unless replicates share base model, prompt format and data size, and differ in the run."""
    if not replicates:
        raise ProblemError("no run to score")
    first = replicates[0].submission.record
    for runs in replicates:
        record = runs.submission.record
        for what, value, expected in (
            ("data size", record.data.size, first.data.size),
            ("data version", record.data.version, first.data.version),
            ("prompt format", record.prompt_format, first.prompt_format),
            ("base model", base_sha256(record), base_sha256(first)),
        ):
            if value != expected:
                raise ProblemError(f"the replicates differ in {what} ({expected}, {value}): submit them one by one")
        if (runs.base is None) != (replicates[0].base is None):
            raise ProblemError("some replicates have no base run: give one for each dataset")
    check_one_base([runs.base for runs in replicates if runs.base])
    check_distinct([runs.submission for runs in replicates], "replicates")


def check_distinct(runs: Sequence[Run], what: str) -> None:
    """Raise ProblemError where two of the runs, called ``what``, are the same weights on the same dataset.

    A run that is counted twice would say that runs do not differ at all.
    """
    if len({trained(run) for run in runs}) < len(runs):
        raise ProblemError(f"two {what} are the same weights on the same dataset: give each once")


def trained(run: Run) -> tuple[str, str]:
    """Dataset and weights, which tell whether two measurements are of one training."""
    return run.record.data.content_sha256, run.record.model.weights_sha256


def check_one_base(bases: Sequence[Run]) -> None:
    """Raise ProblemError where two base runs on one dataset differ: which one counts would depend on their order."""
    first: dict[str, Run] = {}
    for run in bases:
        data = run.record.data
        if first.setdefault(data.content_sha256, run).record.samples_sha256 != run.record.samples_sha256:
            raise ProblemError(f"two base runs on the dataset of seed {data.seed}: give one for each dataset")


def base_sha256(record: RunRecord) -> str | None:
    """The weights a run was fine-tuned from, where its training says so."""
    return record.training.base_sha256 if record.training else None
