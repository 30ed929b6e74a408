"""A submission's results as others read them: a section of a Hugging Face model card, an Every Eval Ever record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from ilp_bench import __version__
from ilp_bench.core.untrusted import markdown_text
from ilp_bench.scoring.bootstrap import DRAWS, LEVEL, Interval
from ilp_bench.submission.version_2 import ArchivedSubmission as Submission

SCHEMA = "0.2.1"  # of Every Eval Ever (github.com/evaleval/every_eval_ever, eval.schema.json)
WHAT = "share of the gap that the cause leaves under vanilla fine-tuning and that the model closes"


def results(submission: Submission) -> list[tuple[str, str, Interval]]:
    """(id, title, value) of every recovery that is defined, the overall first."""
    scores = submission.scores
    found = [("overall", "Overall recovery", scores.overall)]
    found += [(one.cause, f"Recovery, {one.cause.replace('_', ' ')}", one.recovery) for one in scores.causes]
    return [(name, title, value) for name, title, value in found if value]


def model_card(submission: Submission) -> str:
    """YAML front matter with ``model-index`` (huggingface-hub's EvalResult), and a section with a table."""
    from huggingface_hub import EvalResult, ModelCardData

    data = submission.first.submission.data
    link = submission.meta.paper or submission.meta.weights or None
    evaluated = [
        EvalResult(
            task_type="text-generation",
            dataset_type="ilp-bench",
            dataset_name=f"ILP-Bench {data.size}",
            dataset_config=data.size,
            dataset_revision=data.version,
            dataset_args={"seeds": sorted({part.data_seed for part in submission.scores.replicates})},
            metric_type=f"recovery_{name}",
            metric_name=title,
            metric_value=round(value.value, 4),
            metric_args={"low": round(value.low, 4), "high": round(value.high, 4), "level": LEVEL},
            source_name=f"ILP-Bench submission {submission.run_id}" if link else None,
            source_url=link,
        )
        for name, title, value in results(submission)
    ]
    card = ModelCardData(model_name=submission.meta.model, eval_results=evaluated or None)
    rows = "\n".join(
        f"| {title} | {value.value:.2f} | {value.low:.2f} to {value.high:.2f} |"
        for _, title, value in results(submission)
    )
    return f"""---
{card.to_yaml()}
---

## ILP-Bench

How much of what it was fine-tuned on did the model learn? Recovery is the {WHAT}, against vanilla fine-tuning of
{markdown_text(submission.base_name)}; {len(submission.records)} replicates, 95 % intervals;
submission {submission.folder}.

| | recovery | interval |
| --- | ---: | --- |
{rows or "| no cause is expressed on this base model | | |"}
"""


def every_eval_ever(submission: Submission) -> str:
    """A JSON record by the aggregate schema of Every Eval Ever; null where a cause is not expressed is left out."""
    record = submission.first.submission
    model = f"{submission.meta.org}/{submission.meta.model}"
    source = {
        "dataset_name": f"ILP-Bench {record.data.size}",
        "source_type": "other",
        "additional_details": {"version": record.data.version, "content_sha256": record.data.content_sha256},
    }
    found = {
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
        "evaluation_results": [
            {
                "evaluation_name": f"ilp_bench_{name}",
                "source_data": source,
                "metric_config": {
                    "evaluation_description": f"{title}: {WHAT}",
                    "lower_is_better": False,
                    "score_type": "continuous",
                    "min_score": -1.0 if name == "overall" else min(-1.0, value.low),
                    "max_score": 1.0 if name == "overall" else max(1.0, value.high),
                },
                "score_details": {
                    "score": value.value,
                    "uncertainty": {
                        "confidence_interval": {
                            "lower": value.low,
                            "upper": value.high,
                            "confidence_level": LEVEL,
                            "method": "paired bootstrap over matched pairs",
                        },
                        "num_bootstrap_samples": DRAWS,
                    },
                },
            }
            for name, title, value in results(submission)
        ],
    }
    return json.dumps(found, indent=1) + "\n"


FORMATS: dict[str, Callable[[Submission], str]] = {"model-card": model_card, "every-eval-ever": every_eval_ever}
