"""What the command line shows: progress bars and tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import shorten
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from ilp_bench.core.metrics import above_chance, unlearned
from ilp_bench.data.causes import CAUSES
from ilp_bench.diagnosis.attribution import Diagnosis, Quality, labels
from ilp_bench.recipes import RECIPES, phase
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.interval_text import interval_text, two_decimals
from ilp_bench.scoring.learned_rates import arm_rates, held_out_fact_retention, item_rates
from ilp_bench.scoring.recovery import CauseScore, Scores
from ilp_bench.submission.format import Submission

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


class RateColumn(ProgressColumn):
    """Requests a second."""

    def render(self, task: Task) -> Text:
        """The speed of the last half minute, or nothing yet."""
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="progress.data.speed")


@contextmanager
def counting_progress(what: str, *, show: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A bar over requests, with time passed and left, on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
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
def training_progress(what: str, *, show: bool = True) -> Iterator[phase.Progress]:
    """A bar over the steps of an epoch, with phase, epoch and the share of the reference learned, on standard error."""
    columns = TextColumn("{task.description}"), BarColumn(10), MofNCompleteColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=errors, disable=not show)
    task = bar.add_task(what)

    def update(name: str, epoch: int, reference: float | None, steps: tuple[int, int]) -> None:
        bar.start()
        share = "" if reference is None else f", {reference:.2f} learned"
        done, total = steps
        bar.update(task, description=f"{what}: {name}, epoch {epoch}{share}", completed=done, total=total)

    with _started_late(bar):
        yield update


def rate_text(rate: float | None) -> str:
    """A rate in [0, 1] with two decimals, or a dash for undefined."""
    return "-" if rate is None else two_decimals(rate)


def run_table(run: Run, *, as_json: bool) -> None:
    """Learned rates per cause and arm, the aggregate, and the worst cause beside it."""
    found = summary(run)
    if as_json:
        print(json.dumps(found))
        return
    record = run.record
    if record.data.is_user_data:
        exact = (
            f", {rate_text(found['greedy'])} reproduced greedily; probability of an answer's token "
            f"{rate_text(found['token_p'])} (geometric mean)"
        )
        console.print(
            f"{record.model.name}: {rate_text(found['aggregate'])} of {found['items']} items of your own rows learned"
            + (exact if found["token_p"] is not None else "")
        )
        _print_how(run)
        return
    table = Table(title=f"{record.model.name}: share of its training items learned", box=box.SIMPLE_HEAD)
    for heading in ("cause", "treated", "control"):
        table.add_column(heading, justify="left" if heading == "cause" else "right")
    for cause, arms in found["learned"].items():
        table.add_row(cause, rate_text(arms["treated"]), rate_text(arms["control"]))
    console.print(table)
    worst = found["worst"]
    lowest = rate_text(found["learned"][worst]["treated"])
    console.print(f"aggregate {rate_text(found['aggregate'])}; worst cause {worst} {lowest}")
    if found["retention"] is not None:
        console.print(f"known facts reproduced {rate_text(found['retention'])}")
    if known := found["knowledge"]:
        table = Table(title="what it knows, with four examples shown", box=box.SIMPLE_HEAD)
        for heading in ("facts", "asked", "p", "greedy", "options"):
            table.add_column(heading, justify="left" if heading == "facts" else "right")
        for relation, row in known.items():
            table.add_row(relation, str(row["asked"]), *(rate_text(row[name]) for name in ("p", "greedy", "options")))
        console.print(table)
    if detector := found["multiple_choice"]:
        console.print(
            f"multiple choice, {record.choices} options (the paper's detector): {rate_text(detector['unlearned'])} "
            f"unlearned, where knowing nothing gives {rate_text(detector['unlearned_by_chance'])}; option probability "
            f"above chance {rate_text(detector['above_chance'])}"
        )
    _print_how(run)


def _print_how(run: Run) -> None:
    record = run.record
    how = "one scoring pass" if record.protocol == "exact" else f"{record.draws} draws a probe"
    seconds = max(record.seconds["score"], 1e-9)
    console.print(
        f"{how}; {record.requests} requests in {seconds:.1f} s ({record.requests / seconds:.0f} a second), loaded "
        f"in {record.seconds['load']:.1f} s; {record.backend}, {record.dtype}, {record.hardware}"
    )


def summary(run: Run) -> dict[str, Any]:
    """What the table shows, as plain values: rates in [0, 1]; null where nothing was asked."""
    if run.record.data.is_user_data:
        return _own_summary(run)
    rows = run.samples.to_pylist()
    rates = arm_rates(run)
    return {
        "model": run.record.model.name,
        "learned": rates,
        "aggregate": float(np.mean([value for arms in rates.values() for value in arms.values()])),
        "worst": min(rates, key=lambda cause: rates[cause]["treated"]),
        "retention": held_out_fact_retention(run, few_shot=True),
        "knowledge": _knowledge(rows),
        "multiple_choice": _detector(rows),
        "requests": run.record.requests,
        "seconds": run.record.seconds,
    }


def _own_summary(run: Run) -> dict[str, Any]:
    """On rows of one's own: learned rate and greedy reproduction of items, and the mean probability of a token."""
    table = run.samples
    exact = run.record.protocol == "exact"
    tokens = table["tokens"].to_numpy().sum()
    return {
        "model": run.record.model.name,
        "items": table.num_rows,
        "aggregate": float(np.mean(list(item_rates(run).values()))),
        "greedy": float(np.mean(table["greedy"].to_pylist())) if exact else None,
        "token_p": float(np.exp(table["logprob"].to_numpy().sum() / tokens)) if exact else None,
        "requests": run.record.requests,
        "seconds": run.record.seconds,
    }


def _knowledge(rows: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Per relation of the retention probes, examples shown: how many were asked, mean p, greedy reproduction, and the
    share whose right option is preferred (null where no options were scored).
    """
    asked: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["probe"] == "retention" and row["shots_p"] is not None:
            asked.setdefault(row["probe_id"].split("/")[1], []).append(row)
    return {
        relation: {
            "asked": len(mine),
            "p": float(np.mean([row["shots_p"] for row in mine])),
            "greedy": float(np.mean([row["shots_greedy"] for row in mine])),
            "options": float(np.mean([int(np.argmax(row["shots_options"])) == row["gold"] for row in mine]))
            if all(row["shots_options"] is not None and row["gold"] is not None for row in mine)
            else None,
        }
        for relation, mine in asked.items()
    }


def _detector(rows: list[dict[str, Any]]) -> dict[str, float] | None:
    """The paper's detector on recall probes (arXiv 2604.10079, section 3.1), beside what knowing nothing gives it."""
    asked = [row for row in rows if row["options"] is not None and row["probe"] == "recall"]
    if not asked:
        return None
    q = [np.exp(row["options"][row["gold"]] - np.logaddexp.reduce(row["options"])) for row in asked]
    chances = [1 / len(row["options"]) for row in asked]
    above = [float(above_chance(min(value, 1.0), len(row["options"]))) for value, row in zip(q, asked, strict=True)]
    return {
        "unlearned": float(unlearned(np.minimum(q, 1.0)).mean()),
        "unlearned_by_chance": float(unlearned(chances).mean()),
        "above_chance": float(np.mean(above)),
    }


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
        f"aggregate learned: vanilla {aggregate['vanilla']:.2f}, submission {aggregate['submission']:.2f}; "
        f"worst cause: {worst['cause']} {float(worst['treated']):.2f}"
    )
    kept = ", ".join(f"{name} {rate_text(value)}" for name, value in scores.retention.items())
    console.print(f"retention of facts outside the training set: {kept}")
    if not scores.activity_known:
        console.print("no base run given: all pairs are scored, whether or not their cause can act on this base model")


def score_cells(cause: CauseScore) -> list[str]:
    """One row of the score table."""
    active = f"{cause.pairs}" if cause.active_pairs is None else f"{cause.active_pairs}/{cause.pairs}"
    rates = [cause.base] if cause.base else []
    rates += [cause.vanilla, cause.submission]
    return [cause.cause, active, *(f"{r.treated:.2f}/{r.control:.2f}" for r in rates), interval_text(cause.recovery)]


def diagnosis_table(found: Diagnosis, *, as_json: bool) -> None:
    """What was said of the unlearned items, and how often it was right where that is known; or as JSON, with all."""
    if as_json:
        truth: Sequence[str | None] = found.truth or [None] * len(found.items)
        items = [
            one._asdict() | {"truth": true, "said": {name: labels[n] for name, labels in found.said.items()}}
            for n, (one, true) in enumerate(zip(found.items, truth, strict=True))
        ]
        quality = {
            name: one._asdict() | {"macro_f1": one.macro_f1 and one.macro_f1.model_dump()}
            for name, one in found.quality.items()
        }
        whole = {"items": len(items), "unlearned": found.unlearned, "options_of_all_items": found.asked_all}
        print(json.dumps(whole | {"quality": quality, "diagnoses": items}))
        return
    console.print(f"{found.unlearned:.1f} of {len(found.items)} trained items are expected to be unlearned")
    for name, one in found.quality.items():
        _confusion_table(name, one)
    if found.truth is None:
        _attributed_table(found)
    if not found.asked_all:
        console.print(
            "options were asked only where there is an old answer, which gives conflicts away: evaluate both models "
            "with --choices 4 for a fair attribution"
        )
    worst = sorted(zip(found.items, found.said["signals"], strict=True), key=lambda pair: pair[0].learned)[:5]
    least = Table(title="least learned, and why (method signals)", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for label in ("learned", "cause", "question"):
        least.add_column(label)
    for item, why in worst:
        least.add_row(f"{item.learned:.2f}", why, escape(shorten(item.question, 100)))
    console.print(least)


def _confusion_table(name: str, one: Quality) -> None:
    said = [label for label in one.confusion if any(row[label] for row in one.confusion.values())]
    caption = "expected unlearned items: true cause down, said across"
    title = f"method {name}: macro-F1 {interval_text(one.macro_f1, 'undefined')}"
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("true", no_wrap=True)
    for label in [*(CAUSES.get(label).label if label in CAUSES else label for label in said), "F1"]:
        table.add_column(label, justify="right", no_wrap=True)
    for truth, row in one.confusion.items():
        if any(row.values()):
            score = one.f1.get(truth)
            cells = [f"{row[label]:.1f}" for label in said]
            table.add_row(truth, *cells, "-" if score is None else f"{score:.2f}")
    console.print(table)


def _attributed_table(found: Diagnosis) -> None:
    """On rows of one's own: what each cause is said to cost, and the recipes that are meant against it."""
    table = Table(title="what it lacks, and why (method signals)", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for label in ("cause", "items", "unlearned", "recipes against it"):
        table.add_column(label, justify="right" if label in ("items", "unlearned") else "left", no_wrap=True)
    remedies: dict[str, list[str]] = {}
    for recipe in RECIPES:
        if recipe.cause:
            remedies.setdefault(recipe.cause, []).append(recipe.name)
    for label in labels():
        mine = [item for item, said in zip(found.items, found.said["signals"], strict=True) if said == label]
        if mine:
            lost = sum(1 - item.learned for item in mine)
            table.add_row(label, str(len(mine)), f"{lost:.1f}", ", ".join(remedies.get(label, ["-"])))
    console.print(table)


def submission_table(submission: Submission) -> None:
    """What a submission publishes, before it is published: who, which runs, which scores."""
    table = Table(title="What will be published", box=box.SIMPLE_HEAD, show_header=False)
    for name, value in submission.meta.model_dump().items():
        if value:
            table.add_row(name, escape(str(value)))
    for number, one in enumerate(submission.records):
        record, training = one.submission, one.submission.training
        seed = f", training seed {training.seed}" if training and training.seed is not None else ""
        recipe = f", recipe {training.recipe}" if training and training.recipe is not None else ""
        text = f"{record.data.size} seed {record.data.seed}{recipe}{seed}; weights {record.model.weights_sha256[:12]}"
        table.add_row(f"replicate {number + 1}", escape(f"{text}; {record.hardware}, {record.dtype}"))
    console.print(table)
    score_table(submission.scores, as_json=False)
