"""The commands that say what a model learned, and why not the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ilp_bench.cli.options import (
    DIAGNOSIS,
    AsJson,
    BaseRun,
    Reference,
    Runs,
    Vanilla,
    example,
)

app = typer.Typer()


@app.command(
    rich_help_panel=DIAGNOSIS, epilog=example("ilp-bench score runs/mine --vanilla runs/vanilla --base-run runs/base")
)
def score(
    runs: Runs,
    vanilla: Vanilla = None,
    base_run: BaseRun = None,
    reference: Reference = None,
    as_json: AsJson = False,
) -> None:
    """Print what a run gains over vanilla, in points, and which share of the gap that closes."""
    from ilp_bench.api.results import score as score_runs
    from ilp_bench.cli.points_table import points_table
    from ilp_bench.cli.score_table import score_table
    from ilp_bench.scoring.points_schema import PointScores

    scores = score_runs(runs, vanilla or None, base_run or None, reference)
    if isinstance(scores, PointScores):
        points_table(scores, as_json=as_json)
    else:
        score_table(scores, as_json=as_json)


@app.command(rich_help_panel=DIAGNOSIS, epilog=example("ilp-bench diagnose runs/mine --base-run runs/base --data DATA"))
def diagnose(
    run: Annotated[Path, typer.Argument(help="Run of a fine-tuned model by 'ilp-bench evaluate'.")],
    base_run: Annotated[Path, typer.Option("--base-run", help="Run of its base model, best with --choices 4.")],
    data: Annotated[Path, typer.Option("--data", help="Dataset folder that it was trained on.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines, with every item.")] = False,
) -> None:
    """Attribute every unlearned item to a cause; score that where causes were injected."""
    from ilp_bench.cli.diagnosis_table import diagnosis_table
    from ilp_bench.cli.run_table import end_mark_note
    from ilp_bench.data.dataset import load
    from ilp_bench.diagnosis.attribution import diagnose as attribute
    from ilp_bench.records.run_record import read_run
    from ilp_bench.scoring.run_summary import summary

    measured = read_run(run)
    diagnosis_table(attribute(measured, read_run(base_run, "base run"), load(data)), as_json=as_json)
    if measured.record.data.is_user_data and not as_json:
        end_mark_note(summary(measured))
