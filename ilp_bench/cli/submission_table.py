"""What a submission publishes."""

from __future__ import annotations

from rich import box
from rich.markup import escape
from rich.table import Table

from ilp_bench.cli.console import console
from ilp_bench.cli.points_table import points_table
from ilp_bench.records.run_record import RunRecord
from ilp_bench.submission.format import Submission


def submission_table(submission: Submission) -> None:
    """Print what a submission would publish: who, which runs, which scores."""
    table = Table(title="What will be published", box=box.SIMPLE_HEAD, show_header=False)
    for name, value in submission.meta.model_dump().items():
        if value:
            table.add_row(name, escape(str(value)))
    if submission.reference:
        table.add_row("reference", f"{submission.reference.name} (sha256 {submission.reference.sha256[:12]})")
    for (role, number), record in submission.run_records.items():
        table.add_row(f"{role} {number + 1}", escape(_run_text(record)))
    console.print(table)
    points_table(submission.scores, as_json=False)


def _run_text(record: RunRecord) -> str:
    training = record.training
    seed = f", training seed {training.seed}" if training and training.seed is not None else ""
    recipe = f", recipe {training.recipe}" if training and training.recipe is not None else ""
    where = f"{record.data.size} seed {record.data.seed}{recipe}{seed}; weights {record.model.weights_sha256[:12]}"
    return f"{where}; {record.hardware}, {record.dtype}"
