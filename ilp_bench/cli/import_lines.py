"""What an import of user data prints: what was read, what was left out, what comes next."""

from __future__ import annotations

from pathlib import Path

import typer

from ilp_bench.cli.next_steps import evaluation
from ilp_bench.data.dataset import Dataset


def import_lines(made: Dataset, rows: str, out: Path) -> None:
    """Print rows, items and format of a dataset of user data, what of the rows was not used, and the next call."""
    told = made.manifest
    chat = "conversations: evaluate with --chat" if told.chat else "bare prompts"
    counts = f"{told.rows.train} rows, {told.rows.items} items, {told.stages} stages"
    typer.echo(f"{out}: {counts}; read as {told.format} ({chat}); content sha256 {made.sha256[:16]}")
    if told.columns:
        typer.echo("columns: " + ", ".join(f"{column} = {name}" for column, name in told.columns.items()))
    if told.ignored:
        typer.echo("not used: " + ", ".join(f"{name} ({count} rows)" for name, count in told.ignored.items()))
    for kind, skipped in (told.skipped or {}).items():
        typer.echo(f"left out: {skipped.count} x {kind} (first: {skipped.first})")
    typer.echo(f"Next, with the model that you trained:\n  {evaluation('YOURS', out, 'yours', chat=bool(told.chat))}")
    typer.echo(f"  or, in one step: ilp-bench diagnose --model YOURS --base BASE --rows {rows} --out report")
