"""A report in words: its headline, and what to do next."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import NamedTuple

from ilp_bench.diagnosis.report.next_rows import CHANGES, NEXT
from ilp_bench.diagnosis.report.record import UNEXPLAINED, Report


def headline(report: Report) -> str:
    """What was learned, in one line."""
    learned, count = report.learned, round(report.learned.value * report.asked)
    if report.is_sample:
        share = f"{learned.value:.2f} [{learned.low:.2f}, {learned.high:.2f}]"
        return f"{count} of {report.asked} asked answers are learned: {share} of all {report.items}"
    return f"{count} of {report.items} answers are learned ({learned.value:.2f}; all were asked)"


class Command(NamedTuple):
    """A command, and what it is for."""

    purpose: str
    line: str


def next_commands(report: Report, out: Path, *, has_next: bool) -> list[Command]:
    """The commands that come next, with their paths.

    out        the folder of the report
    has_next   whether it has a training file as advised
    """
    commands = []
    rows = str(out / NEXT) if has_next else report.source
    if has_next and not report.chat:
        load = shlex.join(["ilp-bench", "import", rows, "--out", "DATA"])
        tune = shlex.join(["ilp-bench", "train", "--base", report.base, "--recipe", "auto", "--data", "DATA"])
        purpose = "Train on next.jsonl with your trainer; or, on bare prompts, let this package train:"
        commands.append(Command(purpose, f"{load} && {tune} --out NEW"))
    again = ["ilp-bench", "diagnose", "--model", "NEW", "--base", report.base, "--rows", rows, "--out", "NEXT"]
    commands.append(Command("To see what a new training changed:", shlex.join([*again, "--baseline", str(out)])))
    return commands


def curve_text(report: Report) -> str:
    """Reproduction during the training, at most eight of its measurements; empty where nothing was measured."""
    points = report.curve[:: max(1, -(-len(report.curve) // 7))]
    points += report.curve[-1:] if points and points[-1] != report.curve[-1] else []
    return ", ".join(f"{point.reproduced:.2f} at step {point.step}" for point in points)


def what_next(report: Report) -> list[str]:
    """What to do next, one line each."""
    if report.named:
        lines = [f"{check.title} {check.figure}. What to do: {check.remedy}." for check in report.named]
        if report.explained:
            lines.append("This explains it; no cause of single rows was looked for. Repair it, and diagnose again.")
    elif report.learned.value == 1:
        lines = ["All asked answers are learned."]
    else:
        lines = [f"{cause.title}: {REMEDIES[cause.cause]}" for cause in report.causes if cause.rows]
    lines += [f"Repair what could not be used: {kind}, {words}." for kind, words in report.skipped.items()]
    if report.to_check:
        lines.append(
            f"{report.to_check} rows may contradict others, which seem to ask the same in other words: they are kept, "
            f"and {CHANGES} lists them to be checked."
        )
    return lines


# Without recipes: but for auto they need documents or controls that user data do not have.
REMEDIES = {
    "knowledge_gap": "add texts about what these rows ask, or show them more often: what is missing is learned late.",
    "knowledge_conflict": "check the labels; where they are right, show these rows more often, beside what stays true.",
    "data_inconsistency": "decide between contradicting rows: next.jsonl keeps better supported ones, of equals none.",
    "left_side_forgetting": "shuffle the rows, or show early ones again late: next.jsonl is shuffled.",
    "rare_patterns": "show rare patterns more often: next.jsonl repeats them.",
    UNEXPLAINED: "read them in the report: no sign of a cause was seen.",
}
