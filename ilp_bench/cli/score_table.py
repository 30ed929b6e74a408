"""The table of recoveries."""

from __future__ import annotations

from rich import box
from rich.table import Table

from ilp_bench.cli.console import console, rate_text
from ilp_bench.scoring.interval_text import interval_text
from ilp_bench.scoring.recovery import CauseScore, Scores


def score_table(scores: Scores, *, as_json: bool, title: str = "Recovery against vanilla") -> None:
    """The scores as a table of five causes, or as JSON."""
    if as_json:
        print(scores.model_dump_json())
        return
    caption = "treated/control learned; recovery with 95 % interval over active pairs"
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    names = ["cause", "active", *(["base"] if scores.causes[0].base else []), "vanilla", "submission", "recovery"]
    for name in names:
        table.add_column(name, justify="left" if name == "cause" else "right", no_wrap=True)
    for cause in scores.causes:
        table.add_row(*score_cells(cause))
    console.print(table)
    console.print(f"overall {interval_text(scores.overall, 'none: not every cause is expressed')}")
    aggregate, worst = scores.aggregate, scores.worst
    console.print(
        f"average over all items: vanilla {aggregate['vanilla']:.2f}, submission {aggregate['submission']:.2f}; "
        f"worst cause: {worst['cause']} {float(worst['treated']):.2f}"
    )
    kept = ", ".join(f"{name} {rate_text(value)}" for name, value in scores.retention.items())
    console.print(f"held-out fact retention: {kept}")
    if not scores.activity_known:
        console.print("without a base run, all pairs are scored, whether or not their cause can act on this base model")


def score_cells(cause: CauseScore) -> list[str]:
    """One row of the score table."""
    active = f"{cause.pairs}" if cause.active_pairs is None else f"{cause.active_pairs}/{cause.pairs}"
    rates = [cause.base] if cause.base else []
    rates += [cause.vanilla, cause.submission]
    return [cause.cause, active, *(f"{r.treated:.2f}/{r.control:.2f}" for r in rates), interval_text(cause.recovery)]
