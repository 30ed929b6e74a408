"""``report.json``: what a diagnosis says, without the rows, which are in ``rows.parquet``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel

from ilp_bench.data.causes import CAUSES
from ilp_bench.diagnosis.asking.training_curve import CurvePoint
from ilp_bench.diagnosis.cause_zero.check import Check, mean_interval
from ilp_bench.diagnosis.rows import RowResult
from ilp_bench.scoring.bootstrap import Interval

SCHEMA_VERSION = 1
UNEXPLAINED = "unexplained"


class CauseShare(BaseModel):
    """A cause, and how many asked rows it may have cost.

    cause       its name, or ``unexplained``
    rows        unlearned rows that have it as their surest reason; ``any_reason`` those that have it at all
    share       of all asked rows that ``rows`` is, with its interval
    confidence  mean of the reasons' confidences, of those that have one; None where none has
    examples    items
    """

    cause: str
    title: str
    rows: int
    any_reason: int
    share: Interval
    confidence: float | None
    examples: list[str]


class Change(BaseModel):
    """Against an earlier report: shares before, and the rows of both that were learned since or lost since."""

    earlier: str
    learned_before: float
    common: int
    newly_learned: int
    newly_lost: int


class Report(BaseModel):
    """What a diagnosis says.

    columns        the format's name of a column -> the file's, where the two differ
    rows, items    training rows that were read, and distinct answers in them
    asked          items that were asked; fewer than ``items`` where they are a sample
    learned        share of the asked that is learned; an interval over the draw of the sample
    reproduced     mean of how far they are reproduced; ``base_reproduced`` by the base model, on a smaller sample
    long           of the asked, how many are long; ``long_learned`` of those that count as learned by their tokens, and
                   ``long_exact`` of these without a mistake before their end
    checks         for cause 0, in order; ``explained`` whether they explain it, and no cause was looked for
    causes         of the unlearned rows, the most frequent first
    curve          mean reproduction of sampled rows during the training, where ``LearnedRates`` measured it
    to_check       rows that others may contradict, which ask the same in other words; ``changes.jsonl`` lists them
    skipped        reason -> rows or answers that could not be used, in words
    options        of the call, where they are not the defaults: the commands that come next need them too
    """

    schema_version: int = SCHEMA_VERSION
    ilp_bench: str
    model: str
    base: str
    source: str
    format: str
    chat: bool
    columns: dict[str, str] = {}
    rows: int
    items: int
    asked: int
    segments: int
    learned: Interval
    reproduced: Interval
    base_reproduced: float | None
    long: int
    long_learned: int = 0
    long_exact: int = 0
    explained: bool
    checks: list[Check]
    causes: list[CauseShare]
    to_check: int = 0
    skipped: dict[str, str] = {}
    ignored: dict[str, int] = {}
    seconds: float = 0.0
    hardware: str = ""
    change: Change | None = None
    curve: list[CurvePoint] = []
    options: dict[str, Any] = {}

    @property
    def is_sample(self) -> bool:
        """Whether not all items were asked."""
        return self.asked < self.items

    @property
    def named(self) -> list[Check]:
        """The checks for cause 0 that are named."""
        return [check for check in self.checks if check.state == "named"]


def cause_shares(results: Sequence[RowResult]) -> list[CauseShare]:
    """How many rows each cause may have cost, the most frequent first."""
    shares = []
    for cause in (*CAUSES.names(), UNEXPLAINED):
        of_cause = [each for each in results if _surest(each) == cause]
        having = [reason.confidence for each in results for reason in each.reasons if reason.cause == cause]
        if not of_cause and not having:
            continue
        confidences = [value for value in having if value is not None]
        shares.append(
            CauseShare(
                cause=cause,
                title="Unexplained" if cause == UNEXPLAINED else CAUSES.get(cause).title,
                rows=len(of_cause),
                any_reason=len(having) if cause != UNEXPLAINED else len(of_cause),
                share=mean_interval([_surest(each) == cause for each in results]),
                confidence=float(np.mean(confidences)) if confidences else None,
                examples=[each.item_id for each in sorted(of_cause, key=lambda each: each.value)[:3]],
            )
        )
    return sorted(shares, key=lambda share: -share.rows)


def long_answers(results: Sequence[RowResult]) -> tuple[int, int]:
    """How many answers count as learned by their tokens, and how many of these have no mistake before their end."""
    by_tokens = [each for each in results if each.learned and each.measure == "tokens"]
    return len(by_tokens), sum(each.prefix >= each.tokens - each.end for each in by_tokens)


def _surest(result: RowResult) -> str | None:
    """The surest reason of a row; None where it is learned, or cause 0 explains it."""
    if result.learned or result.cause_zero:
        return None
    return result.reasons[0].cause if result.reasons else UNEXPLAINED
