"""What both halves of a re-run need: where to work, evaluating as before, and the numbers that are written down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ilp_bench.data.dataset import Dataset
from ilp_bench.records.run_record import Run, read_run
from ilp_bench.scoring.recovery import Scores
from ilp_bench.submission.rerun_record import Recoveries


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


def recoveries(scores: Scores) -> Recoveries:
    """Recovery by cause, and ``overall``; None where it is not defined."""
    by_cause: Recoveries = {cause.cause: cause.recovery.value if cause.recovery else None for cause in scores.causes}
    return by_cause | {"overall": scores.overall.value if scores.overall else None}
