"""A submission's results as others read them: a section of a Hugging Face model card, an Every Eval Ever record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import NamedTuple

from ilp_bench import __version__
from ilp_bench.core.untrusted import markdown_text
from ilp_bench.scoring.bootstrap import LEVEL, Interval
from ilp_bench.submission.format import Submission

SCHEMA = "0.2.1"  # of Every Eval Ever (github.com/evaleval/every_eval_ever, eval.schema.json)
SHARE = "share of the gap that vanilla fine-tuning leaves between treated and control items and that the model closes"
POINTS = "probability that treated items gain over vanilla fine-tuning beyond what control items gain, in points"

INTERVALS = {"runs": "over runs and pairs", "pairs only": "over pairs only"}


class Result(NamedTuple):
    """One number: its id and title, the value with its interval, what it is, and how far it can go either way."""

    name: str
    title: str
    value: Interval
    what: str
    most: float


def results(submission: Submission) -> list[Result]:
    """H and the points of every cause for which they are defined, reproduction before internalisation."""
    numbers = []
    for score in (submission.scores.reproduction, submission.scores.internalisation):
        if score.share:
            title = f"Share closed, {score.kind}, {len(score.counted)} of {len(score.causes)} causes"
            numbers.append(Result(f"{score.kind}_share", title, score.share, SHARE, 1.0))
        for cause in score.causes:
            if cause.points:
                ends = {name: 100 * end for name, end in cause.points.model_dump().items()}
                title = f"Points, {score.kind}, {cause.cause.replace('_', ' ')}"
                numbers.append(Result(f"{score.kind}_{cause.cause}", title, Interval(**ends), POINTS, 100.0))
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


def every_eval_ever(submission: Submission) -> str:
    """A JSON record by the aggregate schema of Every Eval Ever; what is not defined is left out."""
    record = submission.first
    model = f"{submission.meta.org}/{submission.meta.model}"
    content = {
        "schema_version": SCHEMA,
        "evaluation_id": f"ilp-bench/{model}/{submission.run_id}",
        "retrieved_timestamp": str(int(time.time())),
        "dedupe_identity": {"content_hash": submission.samples_sha256, "hash_algorithm": "sha256"},
        "source_metadata": {
            "source_name": "ILP-Bench",
            "source_type": "evaluation_run",
            "source_organization_name": submission.meta.org,
            "evaluator_relationship": "first_party",
        },
        "eval_library": {
            "name": "ilp-bench",
            "version": __version__,
            "additional_details": dict(sorted(record.versions.items())),
        },
        "model_info": {
            "name": submission.meta.model,
            "id": model,
            "developer": submission.meta.org,
            "inference_engine": {"name": record.backend, "version": record.versions.get("transformers", "unknown")},
            "additional_details": {
                "base_model": submission.base_name,
                "weights_sha256": record.model.weights_sha256,
                "division": submission.meta.division,
            },
        },
        "evaluation_results": [_result(submission, result) for result in results(submission)],
    }
    return json.dumps(content, indent=1) + "\n"


def _result(submission: Submission, result: Result) -> dict[str, object]:
    data, value = submission.first.data, result.value
    return {
        "evaluation_name": f"ilp_bench_{result.name}",
        "source_data": {
            "dataset_name": f"ILP-Bench {data.size}",
            "source_type": "other",
            "additional_details": {"version": data.version, "content_sha256": data.content_sha256},
        },
        "metric_config": {
            "evaluation_description": f"{result.title}: {result.what}",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": min(-result.most, value.low),
            "max_score": max(result.most, value.high),
        },
        "score_details": {
            "score": value.value,
            "uncertainty": {
                "confidence_interval": {
                    "lower": value.low,
                    "upper": value.high,
                    "confidence_level": LEVEL,
                    "method": f"Student's t {INTERVALS[submission.scores.interval_kind]}",
                },
            },
        },
    }


FORMATS: dict[str, Callable[[Submission], str]] = {"model-card": model_card, "every-eval-ever": every_eval_ever}
