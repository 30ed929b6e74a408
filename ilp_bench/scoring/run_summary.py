"""What one run shows by itself, without a reference: p of both arms, base knowledge, the multiple-choice detector."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from ilp_bench.core.metrics import above_chance, unlearned
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.activity import activity
from ilp_bench.scoring.learned_rates import held_out_fact_retention, item_rates
from ilp_bench.scoring.low_probability import KNOWN_ANSWER, low_probability
from ilp_bench.scoring.pair_probabilities import mean_p

UNKNOWN_END = 0.1  # p of an answer with its end mark, of which KNOWN_ANSWER or more without it means an unknown end


def summary(run: Run) -> dict[str, Any]:
    """Return mean p of a run by kind of score, cause and arm, and what else it shows; in [0, 1], None if not asked.

    ``active`` has, of a base model that was probed, how many pairs of each cause it can act on, and how many there are.
    """
    if run.record.data.is_user_data:
        return _user_data_summary(run)
    rows = run.samples.to_pylist()
    is_base = run.record.probed and run.record.training is None
    return {
        "model": run.record.model.name,
        "p": mean_p(run),
        "active": _active_pairs(run) if is_base else None,
        "retention": held_out_fact_retention(run, few_shot=True),
        "knowledge": _knowledge(rows),
        "multiple_choice": _detector(rows),
        "warning": low_probability(run),
        "requests": run.record.requests,
        "seconds": run.record.seconds,
    }


def _active_pairs(base: Run) -> dict[str, list[int]]:
    return {cause: [int(pairs.active.sum()), len(pairs.active)] for cause, pairs in activity(base).items()}


def _user_data_summary(run: Run) -> dict[str, Any]:
    """On user data: learned rate and greedy reproduction of items, and the mean probability of a token."""
    table = run.samples
    exact = run.record.protocol == "exact"
    tokens = table["tokens"].to_numpy().sum()
    return {
        "model": run.record.model.name,
        "items": table.num_rows,
        "aggregate": float(np.mean(list(item_rates(run).values()))),
        "greedy": float(np.mean(table["greedy"].to_pylist())) if exact else None,
        "token_p": float(np.exp(table["logprob"].to_numpy().sum() / tokens)) if exact else None,
        **_end_mark(table),
        "warning": low_probability(run),
        "prompts": run.record.prompts.model_dump() if run.record.prompts else None,
        "requests": run.record.requests,
        "seconds": run.record.seconds,
    }


def _end_mark(table: pa.Table) -> dict[str, float | None]:
    """Mean p of the answers without their end mark, and the share of items whose answer is known and its end is not.

    None where that was not measured; an item whose answer and end mark share a token counts as it is.
    """
    if "answer_p" not in table.column_names:
        return {"answer_p": None, "end_unknown": None}
    p, without = table["p"].to_numpy(), np.array(table["answer_p"].to_pylist(), dtype=float)
    without = np.where(np.isnan(without), p, without)
    unknown = (without > KNOWN_ANSWER) & (p < UNKNOWN_END)
    return {"answer_p": float(without.mean()), "end_unknown": float(unknown.mean())}


def _knowledge(rows: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """By relation of the retention probes with few-shot exemplars: how many were asked, mean p, share reproduced
    greedily, and share whose right option is preferred (None where no options were scored).
    """
    asked: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["probe"] == "retention" and row["shots_p"] is not None:
            asked.setdefault(row["probe_id"].split("/")[1], []).append(row)
    return {
        relation: {
            "asked": len(probes),
            "p": float(np.mean([row["shots_p"] for row in probes])),
            "greedy": float(np.mean([row["shots_greedy"] for row in probes])),
            "options": float(np.mean([int(np.argmax(row["shots_options"])) == row["gold"] for row in probes]))
            if all(row["shots_options"] is not None and row["gold"] is not None for row in probes)
            else None,
        }
        for relation, probes in asked.items()
    }


def _detector(rows: list[dict[str, Any]]) -> dict[str, float] | None:
    """The paper's detector on recall probes (arXiv 2604.10079, section 3.1), beside its values by chance."""
    recall = [row for row in rows if row["options"] is not None and row["probe"] == "recall"]
    if not recall:
        return None
    q = [np.exp(row["options"][row["gold"]] - np.logaddexp.reduce(row["options"])) for row in recall]
    chances = [1 / len(row["options"]) for row in recall]
    above = [float(above_chance(min(value, 1.0), len(row["options"]))) for value, row in zip(q, recall, strict=True)]
    return {
        "unlearned": float(unlearned(np.minimum(q, 1.0)).mean()),
        "unlearned_by_chance": float(unlearned(chances).mean()),
        "above_chance": float(np.mean(above)),
    }
