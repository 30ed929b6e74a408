"""What an import of user data prints: what was read, what was left out, what comes next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from ilp_bench.cli.console import counted
from ilp_bench.cli.next_steps import evaluation
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.formats import NEWLINE
from ilp_bench.diagnosis.report.words import AS_CONVERSATION, TEXTS, flags


def import_lines(made: Dataset, rows: str, options: Mapping[str, Any], out: Path) -> None:
    """Print rows, items and format of a dataset of user data, what of the rows was not used, and the next call.

    options   by which the rows were read, as the command line has them
    """
    told = made.manifest
    chat = "conversations: evaluate with --chat" if told.chat else "bare prompts"
    answers, read = told.rows.train, len(set(made.train["source_row"].to_pylist()))
    counts = counted(read, "row") + (f" with {answers} answers" if answers != read else "")
    counts += f", {counted(told.rows.items, 'item')}, {counted(told.stages, 'stage')}"
    typer.echo(f"{out}: {counts}; read as {told.format} ({chat}); content sha256 {made.sha256[:16]}")
    if told.columns:
        typer.echo("columns: " + ", ".join(f"{column} = {name}" for column, name in told.columns.items()))
    if told.columns and told.format == TEXTS and not told.chat:
        as_chat = ",".join(f"{ours}={told.columns.get(name, name).strip()}" for ours, name in AS_CONVERSATION.items())
        typer.echo(f"trained in a chat template? Read them as conversations: --columns {shlex.quote(as_chat)}")
    if told.ignored:
        typer.echo("not used: " + ", ".join(f"{name} ({count} rows)" for name, count in told.ignored.items()))
    for kind, skipped in (told.skipped or {}).items():
        typer.echo(f"left out: {skipped.count} x {kind} (first: {skipped.first})")
    typer.echo(f"Next, with the model that you trained:\n  {evaluation('YOURS', out, 'yours', chat=bool(told.chat))}")
    again = ["ilp-bench", "diagnose", "--model", "YOURS", "--base", "BASE", "--rows", rows]
    again += flags({name: value for name, value in options.items() if value and value != NEWLINE}, tuple(options))
    typer.echo(f"  or, in one step: {shlex.join([*again, '--out', 'report'])}")
