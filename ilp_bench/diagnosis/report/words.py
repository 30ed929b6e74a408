"""A report in words: its headline, and what to do next."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ilp_bench.diagnosis.probes import IN_CHAT
from ilp_bench.diagnosis.report.next_rows import CHANGES, NEXT
from ilp_bench.diagnosis.report.record import UNEXPLAINED, Report


def headline(report: Report) -> str:
    """What was learned, in one line."""
    learned, count = report.learned, round(report.learned.value * report.asked)
    if report.is_sample:
        share = f"{learned.value:.2f} [{learned.low:.2f}, {learned.high:.2f}]"
        return f"{count:,} of {report.asked:,} asked answers are learned: {share} of all {report.items:,}"
    return f"{count:,} of {report.items:,} answers are learned ({learned.value:.2f}; all were asked)"


def long_text(report: Report) -> str:
    """How many long answers that count as learned have a mistake, in one line; empty where none has, or cause 0
    explains more.
    """
    mistaken = report.long_learned - report.long_exact
    if report.explained or not mistaken:
        return ""
    return (
        f"{mistaken:,} of {report.long_learned:,} long answers that count as learned have a token that is predicted "
        "otherwise, which may be the one that matters, such as a number."
    )


def percent(share: float) -> str:
    """A share in [0, 1] in whole percent; never 0 or 100 where it is not."""
    if 0 < share < 0.005:
        return "< 1 %"
    return "> 99 %" if 0.995 <= share < 1 else f"{math.floor(100 * share + 0.5)} %"


# Name of a check -> what it says where it is the reason.
STATED = {
    "same_as_base": "the tuned model is the base model",
    "another_base": "this is not the base model that it was trained from",
    "tokenizer_changed": "it is read by another tokenizer than it was trained with",
    "asked_otherwise": "it is asked otherwise than it was trained",
    "truncated": "answers were cut off in the training",
    "end_not_learned": "the end of the answers was not learned",
    "masked": "the answers were not in the loss",
    "earlier_turns": "earlier answers of conversations were not in the loss",
    "early_checkpoint": "it is not the last checkpoint",
    "undertrained": "it was not trained enough",
}


class Verdict(NamedTuple):
    """Why answers are not learned, and what to do first; both empty where all are."""

    why: str
    first_step: str


def verdict(report: Report) -> Verdict:
    """The shortest answer that a report has."""
    if report.learned.value == 1:
        return Verdict("", "")
    if checks := [check for check in report.named if check.name in STATED]:
        rest = "" if report.explained else "; the rest is looked at row by row"
        return Verdict(" and ".join(STATED[check.name] for check in checks) + rest, f"{_sentence(checks[0].remedy)}.")
    costly = [cause for cause in report.causes if cause.rows]
    if not costly:
        return Verdict("", "")
    unlearned = sum(cause.rows for cause in costly)
    why = f"{_in_sentence(costly[0].title)} ({costly[0].rows:,} of {unlearned:,} unlearned answers)"
    why += "".join(f", then {_in_sentence(cause.title)} ({cause.rows:,})" for cause in costly[1:2])
    return Verdict(why, _sentence(REMEDIES[costly[0].cause]))


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}"


def _in_sentence(title: str) -> str:
    return f"{title[:1].lower()}{title[1:]}"


def change_text(report: Report) -> str:
    """What changed since an earlier report, in one line; empty without one."""
    if not (change := report.change):
        return ""
    return (
        f"Since {change.earlier}, of which {percent(change.learned_before)} were learned: of {change.common:,} answers "
        f"asked both times, {change.newly_learned:,} newly learned, {change.newly_lost:,} lost."
    )


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
    if any(check.way == IN_CHAT for check in report.named) and report.format == TEXTS:
        columns = {ours: report.columns.get(theirs, theirs) for ours, theirs in AS_CONVERSATION.items()}
        options = {name: value for name, value in report.options.items() if name != "format"} | {"columns": columns}
        words = ["ilp-bench", "diagnose", "--model", report.model, "--base", report.base, "--rows", report.source]
        words += [*flags(options, (*READING, *OF_SOURCE, *ASKING)), "--out", "NEXT"]
        commands.append(Command("To ask these rows in the chat template:", shlex.join(words)))
    rows = str(out / NEXT) if has_next else report.source
    reading = flags(report.options, READING if has_next else (*READING, *OF_SOURCE))
    if has_next and not report.chat:
        load = shlex.join(["ilp-bench", "import", rows, *reading, "--out", "DATA"])
        tune = shlex.join(["ilp-bench", "train", "--base", report.base, "--recipe", "auto", "--data", "DATA"])
        purpose = "Train on next.jsonl with your trainer; or, on bare prompts, let this package train:"
        commands.append(Command(purpose, f"{load} && {tune} --out NEW"))
    again = ["ilp-bench", "diagnose", "--model", "NEW", "--base", report.base, "--rows", rows, *reading]
    again += [*flags(report.options, ASKING), "--out", "NEXT"]
    commands.append(Command("To see what a new training changed:", shlex.join([*again, "--baseline", str(out)])))
    return commands


TEXTS = "prompt-completion"  # the format whose texts are asked as they stand, and
AS_CONVERSATION = {"instruction": "prompt", "output": "completion"}  # as conversations if its columns are called so
READING = ("format", "columns", "stages", "last_turn", "fold_system", "alpaca_join", "strict")
OF_SOURCE = ("subset", "split")  # of the user's file, and not of next.jsonl
ASKING = ("adapter_base", "sample", "seed", "max_length", "held_out", "encoder")


def flags(options: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The options of a call as the command line takes them."""
    words = []
    for name in (name for name in names if name in options):
        value = options[name]
        text = ",".join(f"{ours}={theirs}" for ours, theirs in value.items()) if name == "columns" else str(value)
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [text])]
    return words


def curve_text(report: Report) -> str:
    """Reproduction during the training, at most eight of its measurements; empty where nothing was measured."""
    points = report.curve[:: max(1, -(-len(report.curve) // 7))]
    points += report.curve[-1:] if points and points[-1] != report.curve[-1] else []
    return ", ".join(f"{point.reproduced:.2f} at step {point.step}" for point in points)


def what_next(report: Report) -> list[str]:
    """What to do next, one line each."""
    lines = [f"{check.title} {check.figure}. What to do: {check.remedy}." for check in report.named]
    if report.learned.value == 1:
        lines.append("All asked answers are learned.")
    elif report.explained:
        lines.append("This explains it; no cause of single rows was looked for. Repair it, and diagnose again.")
    lines += [f"{cause.title}: {REMEDIES[cause.cause]}" for cause in report.causes if cause.rows]
    lines += [f"Left out; repair it if it was trained: {kind}, {words}." for kind, words in report.skipped.items()]
    if report.to_check:
        lines.append(
            f"{report.to_check} rows contradict others inside conversations, or may in other words: they are kept, and "
            f"{CHANGES} lists them to be checked."
        )
    return lines


# Without recipes: but for auto they need documents or controls that user data do not have.
REMEDIES = {
    "knowledge_gap": "add texts about what these rows ask, or show them more often: what is missing is learned late.",
    "knowledge_conflict": "check the labels; where they are right, show these rows more often, beside what stays true.",
    "data_inconsistency": "decide between contradicting rows: changes.jsonl lists them, and which next.jsonl leaves "
    "out (the less supported, of equals all).",
    "left_side_forgetting": "shuffle the rows, or show early ones again late: next.jsonl is shuffled.",
    "rare_patterns": "show rare patterns more often: next.jsonl repeats them.",
    UNEXPLAINED: "no sign of a cause was seen: read these rows in the report; train longer or show them more often.",
}
