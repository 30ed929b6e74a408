"""What a run record shows: learned rates, base knowledge and the multiple-choice detector."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from ilp_bench.cli.console import console, rate_text
from ilp_bench.core.metrics import above_chance, unlearned
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.learned_rates import arm_rates, held_out_fact_retention, item_rates


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
