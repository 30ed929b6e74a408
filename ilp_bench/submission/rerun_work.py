"""What both halves of a re-run need: where to work, evaluating as before, and the numbers that are written down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ilp_bench.data.dataset import Dataset
from ilp_bench.records.run_record import Run, read_run
from ilp_bench.scoring.points_schema import PointScores
from ilp_bench.submission.rerun_record import Values


class Work(NamedTuple):
    """What re-running needs: a folder for what it makes, a device, and who is told of each step."""

    folder: Path
    device: str = "auto"
    say: Callable[[str], None] = lambda _: None


def evaluate_like(model: str, data: Dataset, like: Run, out: Path, work: Work) -> Run:
    """Evaluate a model as ``like`` was evaluated, into ``out``; a run that is there already is read."""
    if not (out / "run.json").is_file():
        from ilp_bench.evaluation.run import evaluate

        work.say(f"evaluate {model} on seed {data.manifest.seed}")
        record = like.record
        chat = record.prompt_format == "chat"
        evaluate(model, data, out, chat=chat, dtype=record.dtype, device=work.device, probe_base=record.probed)
    return read_run(out)


def points_by_name(scores: PointScores) -> Values:
    """G by ``<kind>.<cause>``, and H by ``<kind>.share``; None where it is not defined."""
    values: Values = {}
    for score in (scores.reproduction, scores.internalisation):
        values |= {f"{score.kind}.{one.cause}": one.points.value if one.points else None for one in score.causes}
        values[f"{score.kind}.share"] = score.share.value if score.share else None
    return values
