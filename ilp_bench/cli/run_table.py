"""What a run record shows: p of both arms, base knowledge and the multiple-choice detector."""

from __future__ import annotations

import json
from typing import Any

from rich import box
from rich.table import Table

from ilp_bench.cli.console import console, rate_text
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.interval_text import points_text
from ilp_bench.scoring.run_summary import summary


def run_table(run: Run, *, as_json: bool) -> None:
    """Print mean p by cause and arm, and what else the run shows; or the summary as JSON."""
    rates = summary(run)
    if as_json:
        print(json.dumps(rates))
        return
    if run.record.data.is_user_data:
        _user_data_line(run, rates)
    else:
        _arms_table(run, rates)
        if rates["knowledge"]:
            _knowledge_table(rates["knowledge"])
        if rates["multiple_choice"]:
            _detector_line(run, rates["multiple_choice"])
    if rates["warning"]:
        console.print(f"warning: {rates['warning']}")
    _prompt_lines(run)
    _method_line(run)


def _user_data_line(run: Run, rates: dict[str, Any]) -> None:
    learned = f"{rate_text(rates['aggregate'])} of {rates['items']} items of user data learned"
    exact = (
        f", {rate_text(rates['greedy'])} reproduced greedily; probability of an answer's token "
        f"{rate_text(rates['token_p'])} (geometric mean)"
    )
    console.print(f"{run.record.model.name}: {learned}{'' if rates['token_p'] is None else exact}")
    end_mark_note(rates)


def end_mark_note(rates: dict[str, Any]) -> None:
    """Say how many items of user data are known but for their end mark, if any."""
    if rates["end_unknown"]:
        console.print(
            f"note: {rate_text(rates['end_unknown'])} of the items are known but for their end mark: without it, p of "
            f"an answer is {rate_text(rates['answer_p'])} on average. Do the rows end as they were trained, and was "
            "the end mark trained (one that is also the padding is often masked)?"
        )


def _prompt_lines(run: Run) -> None:
    """Say what was cut off prompts, or left out of them."""
    prompts = run.record.prompts
    for reason, skipped in prompts.not_asked.items() if prompts else ():
        console.print(f"note: {skipped.count} items were not asked, {reason}; the first: {skipped.first}")
    if prompts and prompts.cut:
        console.print(
            f"note: {prompts.cut} of {run.record.requests} prompts are longer than the model's context: "
            f"{prompts.tokens_cut} tokens were cut from the left"
        )
    if prompts and prompts.left_out:
        console.print(
            f"note: the tokens of {prompts.left_out} prompts are not a prefix of those with the answer; the answer "
            "begins where the two diverge, as in training (docs/tokenization.md)"
        )
    if prompts and prompts.template_date:
        console.print(f"note: the chat template writes today's date, here {prompts.template_date}")


def _arms_table(run: Run, rates: dict[str, Any]) -> None:
    table = Table(title=f"{run.record.model.name}: mean p in points, control/treated", box=box.SIMPLE_HEAD)
    for heading in ("cause", "trained prompts", "gap", "other prompts", "gap"):
        table.add_column(heading, justify="left" if heading == "cause" else "right")
    for cause in rates["p"]["reproduction"]:
        cells = []
        for by_cause in rates["p"].values():
            control, treated = (by_cause[cause][arm] for arm in ("control", "treated"))
            cells += [f"{points_text(control)}/{points_text(treated)}", points_text(control - treated)]
        table.add_row(cause, *cells)
    console.print(table)
    if rates["active"]:
        active = ", ".join(f"{cause} {count} of {pairs}" for cause, (count, pairs) in rates["active"].items())
        console.print(f"pairs on which a cause can act with this base model: {active}")
    if rates["retention"] is not None:
        console.print(f"held-out fact retention {rate_text(rates['retention'])}")


def _knowledge_table(knowledge: dict[str, dict[str, Any]]) -> None:
    table = Table(title="base knowledge, with four few-shot exemplars", box=box.SIMPLE_HEAD)
    for heading in ("facts", "asked", "p", "greedy", "options"):
        table.add_column(heading, justify="left" if heading == "facts" else "right")
    for relation, row in knowledge.items():
        table.add_row(relation, str(row["asked"]), *(rate_text(row[name]) for name in ("p", "greedy", "options")))
    console.print(table)


def _detector_line(run: Run, detector: dict[str, float]) -> None:
    console.print(
        f"multiple choice, {run.record.choices} options (the paper's detector): "
        f"{rate_text(detector['unlearned'])} unlearned, {rate_text(detector['unlearned_by_chance'])} by chance; option "
        f"probability above chance {rate_text(detector['above_chance'])}"
    )


def _method_line(run: Run) -> None:
    record = run.record
    method = "one scoring pass" if record.protocol == "exact" else f"{record.draws} draws a probe"
    seconds = max(record.seconds["score"], 1e-9)
    console.print(
        f"{method}; {record.requests} requests in {seconds:.1f} s ({record.requests / seconds:.0f} a second), loaded "
        f"in {record.seconds['load']:.1f} s; {record.backend}, {record.dtype}, {record.hardware}"
    )
