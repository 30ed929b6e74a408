"""What a submission publishes."""

from __future__ import annotations

from rich import box
from rich.markup import escape
from rich.table import Table

from ilp_bench.cli.console import console
from ilp_bench.cli.score_table import score_table
from ilp_bench.submission.format import Submission


def submission_table(submission: Submission) -> None:
    """Print what a submission would publish: who, which runs, which scores."""
    table = Table(title="What will be published", box=box.SIMPLE_HEAD, show_header=False)
    for name, value in submission.meta.model_dump().items():
        if value:
            table.add_row(name, escape(str(value)))
    for number, replicate in enumerate(submission.records):
        record, training = replicate.submission, replicate.submission.training
        seed = f", training seed {training.seed}" if training and training.seed is not None else ""
        recipe = f", recipe {training.recipe}" if training and training.recipe is not None else ""
        text = f"{record.data.size} seed {record.data.seed}{recipe}{seed}; weights {record.model.weights_sha256[:12]}"
        table.add_row(f"replicate {number + 1}", escape(f"{text}; {record.hardware}, {record.dtype}"))
    console.print(table)
    score_table(submission.scores, as_json=False)
