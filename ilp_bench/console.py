"""What the command line shows: progress bars and tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ilp_bench.causes import CAUSE_NAMES
from ilp_bench.estimate import learned
from ilp_bench.record import Run
from ilp_bench.score import CauseScore, Interval, Scores

console = Console()
errors = Console(stderr=True)


@contextmanager
def _started_late(bar: Progress) -> Iterator[None]:
    """Stop a bar that its first update started, so that a call refused at once prints one line only."""
    try:
        yield
    finally:
        if bar.live.is_started:
            bar.stop()


@contextmanager
def counting_progress(what: str, *, show: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A bar over requests, with time passed and left, on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=errors, disable=not show)
    task = bar.add_task(what, total=None)

    def update(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    with _started_late(bar):
        yield update


@contextmanager
def share_progress(what: str, *, show: bool = True) -> Iterator[Callable[[float], None]]:
    """A bar over the share that is done, in [0, 1], on standard error."""
    with counting_progress(what, show=show) as update:
        yield lambda share: update(round(100 * share), 100)


@contextmanager
def training_progress(what: str, *, show: bool = True) -> Iterator[Callable[[str, int, float | None], None]]:
    """A line that tells phase, epoch and the share of the reference learned, on standard error."""
    bar = Progress(TextColumn("{task.description}"), TimeElapsedColumn(), console=errors, disable=not show)
    task = bar.add_task(what)

    def update(phase: str, epoch: int, reference: float | None) -> None:
        bar.start()
        share = "" if reference is None else f", reference learned {reference:.2f}"
        bar.update(task, description=f"{what}: {phase}, epoch {epoch}{share}")

    with _started_late(bar):
        yield update


def percent(value: float | None) -> str:
    """A rate as it is printed everywhere: two decimals, or a dash for undefined."""
    return "-" if value is None else f"{value:.2f}"


def interval(found: Interval | None, missing: str = "not expressed") -> str:
    """A value with its interval."""
    return missing if found is None else f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def run_table(run: Run, *, as_json: bool) -> None:
    """Learned rates per cause and arm, the aggregate, and the worst cause beside it."""
    rates: dict[str, dict[str, float]] = {}
    rows = run.samples.to_pylist()
    for cause in CAUSE_NAMES:
        for arm in ("treated", "control"):
            p = [row["p"] for row in rows if row["cause"] == cause and row["arm"] == arm]
            rates.setdefault(cause, {})[arm] = float(learned(np.minimum(p, 1.0)).mean())
    aggregate = float(np.mean([value for arms in rates.values() for value in arms.values()]))
    worst = min(rates, key=lambda cause: rates[cause]["treated"])
    if as_json:
        print(json.dumps({"model": run.record.model.name, "learned": rates, "aggregate": aggregate, "worst": worst}))
        return
    table = Table(title=f"{run.record.model.name}: share of its training items learned")
    for heading in ("cause", "treated", "control"):
        table.add_column(heading, justify="left" if heading == "cause" else "right")
    for cause, arms in rates.items():
        table.add_row(cause, percent(arms["treated"]), percent(arms["control"]))
    console.print(table)
    console.print(
        f"aggregate {aggregate:.2f}; worst cause {worst} {rates[worst]['treated']:.2f}; {run.record.seconds:.1f} s"
    )


def score_table(scores: Scores, *, as_json: bool, title: str = "Recovery against vanilla") -> None:
    """The scores as a table of five causes, or as JSON."""
    if as_json:
        print(scores.model_dump_json())
        return
    table = Table(title=title, caption="treated/control learned; recovery with 95 % interval over active pairs")
    names = ["cause", "active pairs", *(["base"] if scores.causes[0].base else []), "vanilla", "submission", "recovery"]
    for name in names:
        table.add_column(name, justify="left" if name == "cause" else "right", no_wrap=True)
    for cause in scores.causes:
        table.add_row(*score_cells(cause))
    console.print(table)
    console.print(f"overall {interval(scores.overall, 'none: not every cause is expressed')}")
    aggregate, worst = scores.aggregate, scores.worst
    console.print(
        f"aggregate learned: vanilla {aggregate['vanilla']:.2f}, submission {aggregate['submission']:.2f}; "
        f"worst cause: {worst['cause']} {float(worst['treated']):.2f}"
    )
    kept = ", ".join(f"{name} {percent(value)}" for name, value in scores.retention.items())
    console.print(f"retention of facts outside the training set: {kept}")
    if not scores.activity_known:
        console.print("no base run given: all pairs are scored, whether or not their cause can act on this base model")


def score_cells(cause: CauseScore) -> list[str]:
    """One row of the score table."""
    active = f"{cause.pairs}" if cause.active_pairs is None else f"{cause.active_pairs}/{cause.pairs}"
    rates = [cause.base] if cause.base else []
    rates += [cause.vanilla, cause.submission]
    return [cause.cause, active, *(f"{r.treated:.2f}/{r.control:.2f}" for r in rates), interval(cause.recovery)]
