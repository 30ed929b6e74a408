"""What a command wrote, and the command that comes next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ilp_bench.records.run_record import Run


def evaluation(model: str, data: Path, run: str, *, chat: bool) -> str:
    """The call that evaluates a model into ``runs/RUN``."""
    return f"ilp-bench evaluate --model {model} --data {data}{' --chat' if chat else ''} --out runs/{run}"


def next_after_run(run: Run, model: str, data: Path, out: Path) -> None:
    """Print where a run is, and what is done with a run of its kind: of a base model, of user data, of a submission."""
    about = run.record.data
    what = "your rows" if about.is_user_data else f"{about.size}, seed {about.seed}"
    typer.echo(f"{out}: the run of {run.record.model.name} on {what}. Next:")
    chat = " --chat" if run.record.prompt_format == "chat" else ""
    if run.untuned and run.record.probed and not about.is_user_data:
        typer.echo(f"  ilp-bench train --base {model} --recipe vanilla --data {data}{chat} --out checkpoints/vanilla")
        return
    if run.untuned and run.record.probed:
        typer.echo(f"  ilp-bench diagnose RUN-OF-YOURS --base-run {out} --data {data}")
        return
    if not about.is_user_data:
        typer.echo(f"  ilp-bench score {out}")
    typer.echo(f"  ilp-bench diagnose {out} --base-run runs/base --data {data}")


def next_after_score(runs: list[Path], vanillas: list[Path], bases: list[Path]) -> None:
    """Print how the entry is submitted, and where the words of the tables are explained."""
    words = [*map(str, runs), *(f"--vanilla {run}" for run in vanillas), *(f"--base-run {run}" for run in bases)]
    typer.echo("docs/reading-results.md says how to read this. Next:")
    typer.echo(f"  ilp-bench submit {' '.join(words)} --meta meta.json --out submissions")


def next_after_diagnosis(run: Run, base: Run, data: Path) -> None:
    """Print what can be done about it: a recipe on the benchmark's data, the report with a repaired file on others."""
    name = base.record.model.name
    typer.echo("Next:")
    if run.record.data.is_user_data:
        typer.echo(f"  ilp-bench diagnose --model YOURS --base {name} --rows ROWS --out report")
        typer.echo("  it checks the way of asking first, and writes next.jsonl: your rows with the advised changes")
    else:
        typer.echo(f"  ilp-bench train --base {name} --recipe RECIPE --data {data} --out YOURS")
