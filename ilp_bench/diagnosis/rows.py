"""Every asked row with all that was measured of it."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

from pydantic import BaseModel

from ilp_bench.data.dataset import Dataset
from ilp_bench.diagnosis.answers import LEARNED_P, SHORT, TokenCounts, is_learned, loss, prefix, reproduced
from ilp_bench.diagnosis.cause_zero.check import AskedRow
from ilp_bench.records.run_record import Run

SHOWN = 80  # characters of the question before
LEARNED_VERDICT = 0.5  # share of a user's own tries that passed, from which on a row is learned


class Reason(BaseModel):
    """Why a row was not learned: a cause, the sign that speaks for it, how sure that is (share in [0, 1] of controlled
    rows with that sign of which it is right; None where that was not measured), and the evidence in words.
    """

    cause: str
    sign: str
    confidence: float | None
    evidence: str


class RowResult(BaseModel):
    """One asked answer.

    key           stands for all that is asked, earlier turns too, and for the answer: the same in every report
    rows          the rows of the file that train it, from 1
    segment       the consecutive part of the file in which it is trained last, from 1
    question      the last one of the user, in a conversation after the one before it
    value         how far it is reproduced, in [0, 1]: p where it is short, the share of its tokens that greedy decoding
                  predicts where it is long (but no more than ``fork_p``), the share of tries that passed where the user
                  says it
    measure       which of these: ``p``, ``tokens`` or ``verdict``
    tokens        of the answer with its end; ``end`` those of the end, ``context`` those before the answer
    p, answer_p   probability of the answer, with and without its end
    answer_value  how far the answer without its end is reproduced, as ``LearnedRates`` measures it
    greedy_share  share of the tokens predicted greedily; ``prefix`` those before the first mistake
    fork_p        of a long answer that other rows contradict: least probability of the token with which it departs from
                  one of theirs. What follows may be known by heart for each, whichever the model chooses
    loss          of a token, in nats; ``base_loss`` under the base model, None where it was not asked
    free_answer   the model's own greedy answer, and ``rouge_l`` in [0, 1] of it; None where it was not asked for one
    best_in_training   highest ``answer_value`` that was measured during the training, at ``best_step``; None where not
    cause_zero    name of the check that explains it; None where none does
    reasons       causes that explain it, the surest first; empty for a learned row, and where nothing does
    """

    item_id: str
    key: str = ""
    rows: list[int]
    segment: int
    question: str
    answer: str
    tokens: int
    end: int
    context: int
    value: float
    measure: str
    learned: bool
    p: float
    answer_p: float | None
    answer_value: float
    greedy_share: float
    prefix: int
    loss: float
    fork_p: float | None = None
    base_loss: float | None = None
    free_answer: str | None = None
    rouge_l: float | None = None
    best_in_training: float | None = None
    best_step: int | None = None
    cause_zero: str | None = None
    reasons: list[Reason] = []

    @property
    def is_long(self) -> bool:
        """Whether it is measured by its tokens."""
        return self.tokens > SHORT


def row_results(
    data: Dataset,
    run: Run,
    counts: Mapping[str, TokenCounts],
    verdicts: Mapping[int, float] | None = None,
    forks: Mapping[str, Sequence[int]] | None = None,
) -> list[RowResult]:
    """The results of the items that the run asked, in the order of the dataset.

    counts     item -> tokens around its answer
    verdicts   row of the file -> share of the user's own tries that passed
    forks      item -> tokens of its answer with which it departs from those of rows that contradict it
    """
    rows_of: dict[str, list[int]] = defaultdict(list)
    asked: dict[str, str] = {}
    for row in data.train.select(["item_id", "source_row", "messages"]).to_pylist():
        rows_of[row["item_id"]].append(row["source_row"])
        asked[row["item_id"]] = row["messages"][0]["content"]
    results = []
    items = {item["item_id"]: item for item in data.items.to_pylist()}
    for sample in run.samples.to_pylist():
        item = items[sample["item_id"]]
        logprobs, greedy = sample["token_logprobs"], sample["token_greedy"]
        value, measure = reproduced(logprobs, greedy), "p" if len(logprobs) <= SHORT else "tokens"
        learned, fork_p = is_learned(value, len(logprobs)), None
        around = counts[item["item_id"]]
        answered = len(logprobs) - around.end
        if forks and measure == "tokens" and (places := forks.get(item["item_id"])):
            fork_p = math.exp(min(logprobs[place] for place in places))
            value, learned = min(value, fork_p), learned and fork_p >= LEARNED_P
        said = [verdicts[row] for row in rows_of[item["item_id"]] if verdicts and row in verdicts]
        if said:
            value, measure = sum(said) / len(said), "verdict"
            learned = value >= LEARNED_VERDICT
        results.append(
            RowResult(
                item_id=item["item_id"],
                key=_key(asked[item["item_id"]], item["answer"]),
                rows=rows_of[item["item_id"]],
                segment=item["stage"],
                question=_shown(item),
                answer=item["answer"],
                tokens=len(logprobs),
                end=around.end,
                context=around.context,
                value=value,
                measure=measure,
                learned=learned,
                p=sample["p"],
                answer_p=sample.get("answer_p"),
                answer_value=reproduced(logprobs[:answered], greedy[:answered]),
                greedy_share=sum(greedy) / len(greedy),
                prefix=prefix(greedy),
                loss=loss(logprobs),
                fork_p=fork_p,
            )
        )
    return results


def _shown(item: Mapping[str, Any]) -> str:
    """The question, after the one before it in a conversation: "And its weight?" alone says too little."""
    *before, _ = [turn["content"] for turn in item.get("turns") or () if turn["role"] == "user"] or [""]
    return f"{shorten(before[-1], SHOWN)} … {item['question']}" if before else str(item["question"])


def _key(asked: str, answer: str) -> str:
    """32 hex digits that stand for a question, which may be a whole conversation, and its answer."""
    text = f"{asked}\0{answer.strip()}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def asked_rows(results: Sequence[RowResult], run: Run, data: Dataset) -> list[AskedRow]:
    """What the checks for cause 0 read of each row."""
    last_of_row: dict[int, str] = {}
    for row in data.train.select(["item_id", "source_row"]).to_pylist():
        last_of_row[row["source_row"]] = row["item_id"]
    last = set(last_of_row.values())
    return [
        AskedRow(each.item_id, each.value, each.learned, each.context, greedy, each.item_id not in last)
        for each, greedy in zip(results, run.samples["token_greedy"].to_pylist(), strict=True)
    ]


def with_base_losses(results: Sequence[RowResult], base: Run) -> None:
    """Add the base model's loss of each row, where it was asked the same."""
    by_item: dict[str, Any] = {row["item_id"]: row for row in base.samples.to_pylist()}
    for result in results:
        logprobs = by_item.get(result.item_id, {}).get("token_logprobs")
        result.base_loss = loss(logprobs) if logprobs else None
