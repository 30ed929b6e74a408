"""The whole story on the built-in model nano, in a few minutes on two CPU cores; every step is kept and resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from ilp_bench.cli.console import console, errors
from ilp_bench.cli.progress import counting_progress, training_progress
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import write_text
from ilp_bench.data.dataset import Dataset, load, make, write
from ilp_bench.leaderboard.site import render
from ilp_bench.records.run_record import Run, Runs, read_run
from ilp_bench.scoring.interval_text import interval_text
from ilp_bench.scoring.recovery import Scores
from ilp_bench.submission.format import read_submission
from ilp_bench.submission.validate import validate
from ilp_bench.submission.version_2 import ArchivedMeta, ArchivedSubmission, submit

REPAIR = "resampling"  # of one cause, so that it is quick
RECIPES = ("vanilla", REPAIR)


class Clock:
    """Seconds per phase, printed as they pass and kept for the report."""

    def __init__(self, *, show: bool) -> None:
        self.seconds: dict[str, float] = {}
        self.show = show

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time one phase."""
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 2)
        if self.show:
            errors.print(f"[green]done[/] {name} ({self.seconds[name]:.1f} s)")


def quickstart(out: Path, seed: int = 0, *, as_json: bool = False) -> dict[str, Any]:
    """Build mini, fine-tune nano twice, evaluate, score, submit, validate and render, all below ``out``.

    Run again, it goes on where it stopped; the numbers are the same. Returns scores and seconds per phase.
    Raises UsageError when ``out`` holds something else or another seed.
    """
    if out.exists() and any(out.iterdir()) and not (out / "data" / "manifest.json").is_file():
        raise UsageError(f"{out} holds other files: choose another folder")
    clock = Clock(show=not as_json)
    with clock.phase("build"):
        write(make("mini", seed), out / "data")
        data = load(out / "data")
    runs = {"base": _evaluate("nano", data, out / "runs" / "base", clock, "base")}
    for recipe in RECIPES:
        checkpoint = out / "checkpoints" / recipe
        with clock.phase(f"train {recipe}"):
            if not (checkpoint / "training.json").is_file():
                from ilp_bench.training.run import train

                with training_progress(f"train {recipe}", show=clock.show) as progress:
                    vanilla = None if recipe == "vanilla" else out / "checkpoints" / "vanilla"
                    train(
                        "nano", recipe, data, checkpoint, seed=seed, reference=vanilla, device="cpu", progress=progress
                    )
        runs[recipe] = _evaluate(str(checkpoint), data, out / "runs" / recipe, clock, recipe)
    folders = {}
    with clock.phase("score and submit"):
        for recipe in RECIPES:
            # Open: the closed division wants replicates over seeds.
            meta = ArchivedMeta(
                org="quickstart", model=f"nano-{recipe}", division="open", description=f"nano, recipe {recipe}."
            )
            replicate = Runs(runs[recipe], runs["vanilla"], runs["base"])
            folders[recipe] = submit([replicate], meta, out / "submissions")
    with clock.phase("validate"):
        problems = [problem for folder in folders.values() for problem in validate(folder)]
    if problems:
        raise ProblemError("; ".join(problems))
    with clock.phase("render"):
        render(out / "submissions", out / "site")
    submission = read_submission(folders[REPAIR])
    assert isinstance(submission, ArchivedSubmission)
    scores = submission.scores
    report = {"scores": scores.model_dump(mode="json"), "seconds": clock.seconds}
    write_text(out / "report.json", json.dumps(report, indent=1) + "\n")
    if as_json:
        print(json.dumps(report))
    else:
        _show(scores, clock, out, folders)
    return report


def _evaluate(model: str, data: Dataset, out: Path, clock: Clock, name: str) -> Run:
    with clock.phase(f"evaluate {name}"):
        if not (out / "run.json").is_file():
            from ilp_bench.evaluation.run import evaluate

            with counting_progress(f"evaluate {name}", show=clock.show) as progress:
                evaluate(model, data, out, device="cpu", progress=progress)
        return read_run(out)


def _show(scores: Scores, clock: Clock, out: Path, folders: dict[str, Path]) -> None:
    title = "Learned rate of training items: treated/control"
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("cause", "base", *RECIPES, "recovery"):
        table.add_column(heading, justify="left" if heading == "cause" else "right", no_wrap=True)
    for cause in scores.causes:
        rates = [cause.base, cause.vanilla, cause.submission]
        cells = [f"{arms.treated:.2f}/{arms.control:.2f}" if arms else "-" for arms in rates]
        table.add_row(cause.cause, *cells, interval_text(cause.recovery))
    console.print(table)
    gaps = ", ".join(f"{cause.cause} {interval_text(cause.gap)}" for cause in scores.causes)
    console.print(f"gap that each cause leaves under vanilla: {gaps}")
    console.print(f"overall recovery of {REPAIR} {interval_text(scores.overall, 'none: not every cause is expressed')}")
    aggregate, worst = scores.aggregate["submission"], scores.worst
    console.print(f"average learned {aggregate:.2f}; it hides {worst['cause']} at {float(worst['treated']):.2f}")
    console.print(f"time {sum(clock.seconds.values()):.0f} s; intervals: 95 %, paired bootstrap over active pairs")
    console.print(f"look at  {out / 'site' / 'index.html'}", soft_wrap=True)
    console.print(f"         {folders[REPAIR]} (the submission)", soft_wrap=True)
