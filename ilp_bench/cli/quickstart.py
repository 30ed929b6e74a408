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
from ilp_bench.cli.points_table import arms_text, share_line
from ilp_bench.cli.progress import counting_progress, training_progress
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import write_text
from ilp_bench.data.dataset import Dataset, load, make, write
from ilp_bench.leaderboard.site import render
from ilp_bench.models.resolve import locate, weights_sha256
from ilp_bench.records.run_record import Run, read_run
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.interval_text import value_text
from ilp_bench.scoring.points_schema import PointScores
from ilp_bench.scoring.references import Reference, read_reference
from ilp_bench.submission.format import Meta, Submission, read_submission
from ilp_bench.submission.submit import submit
from ilp_bench.training.budget import committed_reference

BASE, RECIPE = "nano", "resampling"  # a recipe that is quick and repairs one cause


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
    """Build mini, fine-tune nano, evaluate, score, submit and render, all below ``out``.

    Vanilla and base runs are those of the committed reference, where it has the dataset of that seed; else they are
    made here. Run again, it goes on where it stopped; the numbers are the same. Returns scores and seconds per phase.
    Raises UsageError when ``out`` holds something else or another seed.
    """
    if out.exists() and any(out.iterdir()) and not (out / "data" / "manifest.json").is_file():
        raise UsageError(f"{out} holds other files: choose another folder")
    clock = Clock(show=not as_json)
    with clock.phase("build"):
        write(make("mini", seed), out / "data")
        data = load(out / "data")
    folder = committed_reference(data, weights_sha256(locate(BASE)))
    reference = read_reference(folder) if folder else None
    vanillas, bases = [], []
    if reference is None:
        bases.append(_evaluate(BASE, data, out / "runs" / "base", clock, "base"))
        vanillas.append(_train("vanilla", data, out, clock, seed))
    run = _train(RECIPE, data, out, clock, seed)
    with clock.phase("score, submit and validate"):
        # Open: the divisions by budget want runs on three datasets.
        about = {"description": f"{BASE}, recipe {RECIPE}.", "data": "nothing but the benchmark's own rows"}
        meta = Meta(org="quickstart", model=f"{BASE}-{RECIPE}", division="open", **about)
        entry = submit([run], vanillas, bases, reference, meta, out / "submissions")
    with clock.phase("render"):
        render(out / "submissions", out / "site")
    submission = read_submission(entry)
    if not isinstance(submission, Submission):
        raise ProblemError(f"{entry} is not a submission of today's schema: remove it and run again")
    report = {"scores": submission.scores.model_dump(mode="json"), "seconds": clock.seconds}
    write_text(out / "report.json", json.dumps(report, indent=1) + "\n")
    if as_json:
        print(json.dumps(report))
    else:
        _show(submission.scores, reference, clock)
        console.print(f"look at  {out / 'site' / 'index.html'}", soft_wrap=True)
        console.print(f"         {entry} (the submission)", soft_wrap=True)
    return report


def _train(recipe: str, data: Dataset, out: Path, clock: Clock, seed: int) -> Run:
    """Train and evaluate a recipe; all but vanilla spend the budget of the reference, else of the vanilla made here."""
    checkpoint, vanilla = out / "checkpoints" / recipe, out / "checkpoints" / "vanilla"
    with clock.phase(f"train {recipe}"):
        if not (checkpoint / "training.json").is_file():
            from ilp_bench.training.run import train

            budget = vanilla if recipe != "vanilla" and vanilla.is_dir() else None
            with training_progress(f"train {recipe}", show=clock.show) as progress:
                train(BASE, recipe, data, checkpoint, seed=seed, reference=budget, device="cpu", progress=progress)
    return _evaluate(str(checkpoint), data, out / "runs" / recipe, clock, recipe)


def _evaluate(model: str, data: Dataset, out: Path, clock: Clock, name: str) -> Run:
    with clock.phase(f"evaluate {name}"):
        if not (out / "run.json").is_file():
            from ilp_bench.evaluation.run import evaluate

            with counting_progress(f"evaluate {name}", show=clock.show) as progress:
                evaluate(model, data, out, device="cpu", progress=progress)
        return read_run(out)


def _show(scores: PointScores, reference: Reference | None, clock: Clock) -> None:
    table = Table(
        title="p of treated/control items in points; G: what treated items gained alone",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for heading in ("cause", "vanilla", RECIPE, "G reproduction", "internalisation"):
        table.add_column(heading, justify="left" if heading == "cause" else "right", no_wrap=True)
    for cause, other in zip(scores.reproduction.causes, scores.internalisation.causes, strict=True):
        rates = [arms_text(each.p) if each else "-" for each in (cause.vanilla, cause.submission)]
        table.add_row(cause.cause, *rates, _whole_points(cause.points), _whole_points(other.points))
    console.print(table)
    for score in (scores.reproduction, scores.internalisation):
        console.print(share_line(score))
    source = f"reference {reference.name}, so that one model was trained" if reference else "the runs made here"
    console.print(f"vanilla and base: {source}; {sum(clock.seconds.values()):.0f} s")


def _whole_points(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    return value_text(interval.value, interval.low, interval.high, lambda value: f"{100 * value:.0f}")
