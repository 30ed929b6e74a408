"""What a diagnosis from rows prints: the share learned, cause 0, the causes, where the report is."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten

from rich import box
from rich.markup import escape
from rich.table import Table

from ilp_bench.cli.console import console
from ilp_bench.diagnosis.from_rows import Diagnosed
from ilp_bench.diagnosis.report.next_rows import NEXT
from ilp_bench.diagnosis.report.record import Report
from ilp_bench.diagnosis.report.words import (
    change_text,
    curve_text,
    headline,
    long_text,
    next_commands,
    verdict,
    what_next,
)

MARKS = {"named": "[bold red]named[/]", "clear": "ruled out", "unknown": "-"}


def print_report(diagnosed: Diagnosed, out: Path, *, as_json: bool) -> None:
    """Print a report for a reader, or as JSON."""
    report = diagnosed.report
    if as_json:
        print(report.model_dump_json())
        return
    console.print(headline(report))
    if mistakes := long_text(report):
        console.print(mistakes)
    if why := verdict(report).why:
        console.print(f"why not: {escape(why)}")
    if change := change_text(report):
        console.print(escape(change))
    _checks_table(report)
    if not report.explained and report.causes:
        _causes_table(diagnosed)
    if report.curve:
        console.print(f"during training, mean reproduction was {curve_text(report)}")
    for line in what_next(report):
        console.print(escape(line))
    for command in next_commands(report, out, has_next=(out / NEXT).is_file()):
        console.print(f"{command.purpose} {escape(command.line)}", soft_wrap=True)
    advised = f"; {NEXT} is your file with the advised changes" if (out / NEXT).is_file() else ""
    console.print(f"{out / 'index.html'}: the report; rows.parquet has every asked row{advised}", soft_wrap=True)


def _checks_table(report: Report) -> None:
    table = Table(title="cause 0", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for heading in ("", "check", "figure that decides it"):
        table.add_column(heading, no_wrap=heading == "check")
    for check in report.checks:
        table.add_row(MARKS[check.state], check.name, escape(check.figure))
    console.print(table)


def _causes_table(diagnosed: Diagnosed) -> None:
    table = Table(title="why rows are not learned", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for heading in ("cause", "rows", "share", "an example"):
        table.add_column(heading, justify="right" if heading in ("rows", "share") else "left")
    by_id = {row.item_id: row for row in diagnosed.rows}
    for cause in diagnosed.report.causes:
        words = f"a further reason of {cause.any_reason}, of which another is surer"
        if cause.examples:
            row = by_id[cause.examples[0]]
            asked = f"row {row.rows[-1]}, {shorten(row.question, 60)}"
            words = ": ".join([asked, *(reason.evidence for reason in row.reasons[:1])])
        table.add_row(cause.cause, str(cause.rows), f"{cause.share.value:.2f}", escape(shorten(words, 160)))
    console.print(table)
