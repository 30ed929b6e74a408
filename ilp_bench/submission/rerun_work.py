"""What both halves of a re-run need: where to work, evaluating as before, and the numbers that are written down."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.models.resolve import locate, weights_sha256
from ilp_bench.records.run_record import Run, read_run
from ilp_bench.scoring.points_schema import PointScores
from ilp_bench.submission.rerun_record import Values


class Work(NamedTuple):
    """What re-running needs: a folder for what it makes, a device, and who is told of each step."""

    folder: Path
    device: str = "auto"
    say: Callable[[str], None] = lambda _: None


def evaluate_like(model: str, data: Dataset, like: Run, out: Path, work: Work) -> Run:
    """Evaluate a model as ``like`` was evaluated, into ``out``; a run of the same that is there already is read.

    Raises ProblemError where a run is there that is of other weights, another dataset or another call.
    """
    record = like.record
    if not (out / "run.json").is_file():
        from ilp_bench.evaluation.run import evaluate

        work.say(f"evaluate {model} on seed {data.manifest.seed}")
        chat = record.prompt_format == "chat"
        evaluate(model, data, out, chat=chat, dtype=record.dtype, device=work.device, probe_base=record.probed)
    run = read_run(out)
    for what, value, wanted in (
        ("weights", run.record.model.weights_sha256, weights_sha256(locate(model))),
        ("dataset", run.record.data.content_sha256, data.sha256),
        ("prompt format", run.record.prompt_format, record.prompt_format),
        ("dtype", run.record.dtype, record.dtype),
        ("few-shot questions", run.record.probed, record.probed),
    ):
        if value != wanted:
            raise ProblemError(f"{out} holds a run with other {what} ({value}, not {wanted}): remove that folder")
    return run


def require_outside(work: Path, entry: Path) -> None:
    """Raise UsageError where results would be kept in the checkout that an entry is in: it may hold some already."""
    checkout = next((path for path in entry.resolve().parents if (path / ".git").exists()), entry.resolve().parents[1])
    if work.resolve().is_relative_to(checkout):
        raise UsageError(f"{work} is inside {checkout}, which may hold results of others: keep them elsewhere")


def default_folder(run_id: str) -> Path:
    """Where what a re-run makes is kept by default: in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "ilp-bench" / "verify" / run_id


def points_by_name(scores: PointScores) -> Values:
    """G by ``<kind>.<cause>``, and H by ``<kind>.share``; None where it is not defined."""
    values: Values = {}
    for score in (scores.reproduction, scores.internalisation):
        values |= {f"{score.kind}.{one.cause}": one.points.value if one.points else None for one in score.causes}
        values[f"{score.kind}.share"] = score.share.value if score.share else None
    return values
