"""A submission's results on the Hugging Face Hub: a section of a model card, ``.eval_results``, a pull request."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import HUB_ID
from ilp_bench.core.untrusted import markdown_text
from ilp_bench.data.card import HUB_DATASET
from ilp_bench.data.hub import hub_errors
from ilp_bench.scoring.bootstrap import LEVEL, Interval
from ilp_bench.submission.format import Submission

RESULTS_FILE = ".eval_results/ilp-bench.yaml"
SHARE = "share of the gap that vanilla fine-tuning leaves between treated and control items and that the model closes"
POINTS = "probability that treated items gain over vanilla fine-tuning beyond what control items gain, in points"

INTERVALS = {"runs": "over runs and pairs", "pairs only": "over pairs only"}


class Result(NamedTuple):
    """One number: its id and title, the value with its interval, and what it is."""

    name: str
    title: str
    value: Interval
    what: str


def results(submission: Submission) -> list[Result]:
    """H and the points of every cause for which they are defined, reproduction before internalisation."""
    numbers = []
    for score in (submission.scores.reproduction, submission.scores.internalisation):
        if score.share:
            title = f"Share closed, {score.kind}, {len(score.counted)} of {len(score.causes)} causes"
            numbers.append(Result(f"{score.kind}_share", title, score.share, SHARE))
        for cause in score.causes:
            if cause.points:
                ends = {name: 100 * end for name, end in cause.points.model_dump().items()}
                title = f"Points, {score.kind}, {cause.cause.replace('_', ' ')}"
                numbers.append(Result(f"{score.kind}_{cause.cause}", title, Interval(**ends), POINTS))
    return numbers


def model_card(submission: Submission) -> str:
    """YAML front matter with ``model-index`` (huggingface-hub's EvalResult), and a section with a table."""
    from huggingface_hub import EvalResult, ModelCardData

    data = submission.first.data
    link = submission.meta.paper or submission.meta.weights or None
    evaluated = [
        EvalResult(
            task_type="text-generation",
            dataset_type="ilp-bench",
            dataset_name=f"ILP-Bench {data.size}",
            dataset_config=data.size,
            dataset_revision=data.version,
            dataset_args={"seeds": [data.seed for data in submission.datasets]},
            metric_type=result.name,
            metric_name=result.title,
            metric_value=round(result.value.value, 4),
            metric_args={"low": round(result.value.low, 4), "high": round(result.value.high, 4), "level": LEVEL},
            source_name=f"ILP-Bench submission {submission.run_id}" if link else None,
            source_url=link,
        )
        for result in results(submission)
    ]
    card = ModelCardData(model_name=submission.meta.model, eval_results=evaluated or None)
    rows = "\n".join(
        f"| {result.title} | {result.value.value:.2f} | {result.value.low:.2f} to {result.value.high:.2f} |"
        for result in results(submission)
    )
    count, kind = len(submission.runs), INTERVALS[submission.scores.interval_kind]
    runs = f"{count} run{'s' * (count > 1)}"
    reference = submission.reference.name if submission.reference else "vanilla runs of its own"
    return f"""---
{card.to_yaml()}
---

## ILP-Bench

How much of what it was fine-tuned on did the model learn, and why not the rest? Against vanilla fine-tuning of
{markdown_text(submission.base_name)} with the same budget ({reference}); division {submission.meta.division},
{runs}, 95 % intervals {kind}; submission {submission.folder}.
Share closed: the {SHARE}. Points: the {POINTS}.

| | value | interval |
| --- | ---: | --- |
{rows or "| no cause can be scored on this base model | | |"}
"""


def eval_results(submission: Submission, dataset: str = HUB_DATASET) -> str:
    """A file ``.eval_results/*.yaml`` of a model repository on the Hub, by huggingface_hub's own types.

    dataset   the Hub dataset whose ``eval.yaml`` has the tasks

    The Hub shows one value a task and no interval: base model, interval and runs stand in the notes. Raises UsageError
    for a dataset that is no repository id.
    """
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    if not HUB_ID.fullmatch(dataset) or "@" in dataset:
        raise UsageError(f"{dataset!r} is no dataset of the Hub: give its id, such as {HUB_DATASET}")

    link = submission.meta.paper or submission.meta.weights or None
    count, kind = len(submission.runs), INTERVALS[submission.scores.interval_kind]
    entries = [
        EvalResultEntry(
            dataset_id=dataset,
            task_id=f"{submission.first.data.size}_{result.name}",
            value=round(result.value.value, 4),
            source_url=link,
            source_name="ILP-Bench submission" if link else None,
            notes=f"against vanilla of {submission.base_name}; 95 % interval {result.value.low:.2f} to "
            f"{result.value.high:.2f} {kind}; {count} run{'s' * (count > 1)}; division {submission.meta.division}",
        )
        for result in results(submission)
    ]
    return str(yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, width=100))


def open_pull_request(submission: Submission, repository: str, dataset: str = HUB_DATASET) -> str:
    """Open a pull request with :func:`eval_results` on a model repository of the Hub; returns its address.

    The token is that of ``hf auth login`` or HF_TOKEN. Raises UsageError for a name that is no repository id,
    ProblemError when the Hub refuses or cannot be reached.
    """
    from huggingface_hub import HfApi

    with hub_errors(repository):
        done = HfApi().upload_file(
            path_or_fileobj=eval_results(submission, dataset).encode(),
            path_in_repo=RESULTS_FILE,
            repo_id=repository,
            repo_type="model",
            commit_message="Add ILP-Bench results",
            commit_description=f"Submission {submission.folder}, recomputed from its samples before it was shared.",
            create_pr=True,
        )
    return str(done.pr_url)


FORMATS: dict[str, Callable[[Submission], str]] = {"model-card": model_card, "eval-results": eval_results}
