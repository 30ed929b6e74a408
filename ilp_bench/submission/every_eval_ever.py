"""A submission as a record of Every Eval Ever 0.3.0 (github.com/evaleval/every_eval_ever), and a row for each probe.

Their datastore holds ``data/<benchmark>/<developer>/<model>/<uuid>.json`` and ``<uuid>_samples.jsonl``.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ilp_bench import __version__
from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import write_text
from ilp_bench.data.dataset import make
from ilp_bench.data.schema import ItemRow
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.bootstrap import LEVEL
from ilp_bench.scoring.learned_rates import ARMS
from ilp_bench.submission.export_results import INTERVALS, Result, results
from ilp_bench.submission.format import Submission
from ilp_bench.submission.sample_store import RunKey

SCHEMA = "0.3.0"
KINDS = {"recall": "reproduction", "paraphrase": "internalisation"}  # probe -> the kind of score that it counts for
LEAST_POINTS, MOST_POINTS = -200.0, 100.0  # of D - max(0, E), both within [-100, 100]
GREEDY = "its greedy answer is the supervised one; p is read from log-probabilities, so no answer was generated"


def every_eval_ever(submission: Submission) -> str:
    """The aggregate record as JSON; what is not defined is left out."""
    return json.dumps(_record(submission), indent=1) + "\n"


def write_every_eval_ever(submission: Submission, runs: Mapping[RunKey, Run], out: Path) -> Path:
    """Write the record and its instance file below ``out``, as their datastore lays them out; returns the record."""
    name = str(uuid.UUID(bytes=hashlib.sha256(submission.folder.encode()).digest()[:16], version=4))
    place = f"data/ilp-bench/{submission.meta.org}/{submission.meta.model}/{name}"
    (out / place).parent.mkdir(parents=True, exist_ok=True)
    record = _record(submission)
    submitted = [run for (role, _), run in runs.items() if role == "submission"]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in _instances(submission, submitted, record)]
    write_text(out / f"{place}_samples.jsonl", "".join(lines))
    record["detailed_evaluation_results"] = {
        "format": "jsonl",
        "file_path": f"{place}_samples.jsonl",
        "hash_algorithm": "sha256",
        "checksum": hashlib.sha256("".join(lines).encode()).hexdigest(),
        "total_rows": len(lines),
    }
    write_text(out / f"{place}.json", json.dumps(record, indent=1) + "\n")
    return out / f"{place}.json"


def _record(submission: Submission) -> dict[str, Any]:
    record, now = submission.first, str(int(time.time()))
    engine = "vllm" if record.backend == "vllm" else "transformers"
    model = f"{submission.meta.org}/{submission.meta.model}"
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"ilp-bench/{model}/{now}",
        "retrieved_timestamp": now,
        "source_metadata": {
            "source_name": "ILP-Bench",
            "source_type": "evaluation_run",
            "source_organization_name": submission.meta.org,
            "evaluator_relationship": "first_party",
            "additional_details": {"submission": submission.folder, "samples_sha256": submission.samples_sha256},
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
            "inference_engine": {"name": engine, "version": record.versions.get(engine, "unknown")},
            "additional_details": {
                "deployment_type": "self_deployed",
                "model_availability": "open_weights" if submission.meta.weights else "unknown",
                "base_model": submission.base_name,
                "weights_sha256": " ".join(dict.fromkeys(run.model.weights_sha256 for run in submission.runs)),
                "division": submission.meta.division,
            },
        },
        "evaluation_results": [_result(submission, result) for result in results(submission)],
    }


def _result(submission: Submission, result: Result) -> dict[str, Any]:
    data, value, is_share = submission.first.data, result.value, result.name.endswith("_share")
    return {
        "evaluation_result_id": result.name,
        "evaluation_name": f"ilp_bench_{result.name}",
        "source_data": {
            "dataset_name": f"ILP-Bench {data.size}",
            "source_type": "other",
            "additional_details": {
                "version": data.version,
                "seeds": " ".join(str(each.seed) for each in submission.datasets),
                "content_sha256": " ".join(each.content_sha256 for each in submission.datasets),
                "prompt_format": submission.first.prompt_format,
            },
        },
        "metric_config": {
            "evaluation_description": f"{result.title}: {result.what}",
            "metric_id": f"ilp_bench.{result.name}",
            "metric_kind": "share_closed" if is_share else "points",
            "metric_unit": "proportion" if is_share else "points",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": "-Infinity" if is_share else LEAST_POINTS,
            "max_score": "Infinity" if is_share else MOST_POINTS,
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


def _instances(submission: Submission, runs: list[Run], record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for each probe of both arms in each submitted run, whose score is p: what the points are made of."""
    known = {result["evaluation_result_id"] for result in record["evaluation_results"]}
    items: dict[tuple[str, int], dict[str, ItemRow]] = {}
    for run in runs:
        data = run.record.data
        if (data.size, data.seed) not in items:
            dataset = make(data.size, data.seed)
            if dataset.sha256 != data.content_sha256:
                raise ProblemError(
                    f"the prompts of {data.size} with seed {data.seed}, version {data.version}, are not built by this "
                    "version: install the one that the entry was made with"
                )
            items[data.size, data.seed] = {row["probe_id"]: row for row in dataset.item_rows()}
        for sample in run.samples.to_pylist():
            name = f"{KINDS.get(sample['probe'])}_{sample['cause']}"
            if name in known and sample["arm"] in ARMS:
                yield _instance(submission, record, run, sample, items[data.size, data.seed][sample["probe_id"]], name)


def _instance(
    submission: Submission, record: dict[str, Any], run: Run, sample: dict[str, Any], item: ItemRow, name: str
) -> dict[str, Any]:
    training = run.record.training
    return {
        "schema_version": SCHEMA,
        "evaluation_id": record["evaluation_id"],
        "model_id": record["model_info"]["id"],
        "evaluation_name": f"ilp_bench_{name}",
        "evaluation_result_id": name,
        "sample_id": f"{run.record.data.size}-{run.record.data.seed}/{sample['probe_id']}",
        "sample_hash": hashlib.sha256((item["prompt"] + item["answer"]).encode()).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": item["prompt"], "reference": [item["answer"]]},
        "output": {"raw": []},
        "answer_attribution": [],
        "evaluation": {"score": sample["p"], "is_correct": bool(sample["greedy"])},
        "metadata": {
            "arm": sample["arm"],
            "pair_id": sample["pair_id"],
            "weights_sha256": run.record.model.weights_sha256,
            "training_seed": str(training.seed if training else None),
            "is_correct": GREEDY,
        },
    }
