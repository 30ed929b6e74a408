"""The paper's claims C1 to C8, judged: whether effects of a size fixed in advance were seen, refuted, or neither.

``claims.toml`` beside this file holds the claims. An effect is measured once a dataset
(:mod:`ilp_bench.replication.effects`); runs on one dataset are averaged. With m its mean over datasets and t intervals,
it is

- *supported* where it lies above 0 beyond chance, and m is at least the size that counts;
- *contradicted* where it lies below that size beyond chance;
- *inconclusive* otherwise, and *not tested* with fewer than three datasets, or without a run it needs.

"Beyond chance": one-sided t tests at 2.5 %, corrected by Holm (1979) over all effects on a base model. A claim is
supported where all its effects are, contradicted where one is.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import stdtr

from ilp_bench.scoring.bootstrap import LEVEL, Interval
from ilp_bench.scoring.run_intervals import MIN_DATASETS, t_quantile

SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_TESTED = "supported", "contradicted", "inconclusive", "not tested"
ALPHA = (1 - LEVEL) / 2  # one-sided


class ClaimedEffect(BaseModel):
    """An effect that a claim rests on.

    quantity   the function of :mod:`ilp_bench.replication.effects` that measures it; the fields below are its arguments
    at_least   the smallest size that counts, fixed in advance, and ``why`` that size
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    quantity: str
    recipe: str | None = None
    other: str | None = None
    recipes: tuple[str, ...] = ()
    cause: str | None = None
    share: float | None = None
    at_least: float = Field(ge=0)
    why: str


class Claim(BaseModel):
    """A claim of the paper, with the paper's figures."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    text: str
    paper: str
    effects: tuple[ClaimedEffect, ...] = Field(default=(), alias="effect")
    not_tested: str = ""


class MeasuredEffect(NamedTuple):
    """An effect as it was measured.

    values     one a dataset; empty where ``missing`` says what it lacks
    interval   95 %, over datasets; None with fewer than two
    """

    effect: ClaimedEffect
    values: tuple[float, ...]
    interval: Interval | None
    verdict: str
    missing: str = ""


class Judgement(NamedTuple):
    """A claim with its measured effects and its verdict."""

    claim: Claim
    effects: list[MeasuredEffect]
    verdict: str


def read_claims() -> list[Claim]:
    """The claims, in order."""
    text = files("ilp_bench.replication").joinpath("claims.toml").read_text(encoding="utf-8")
    return [Claim.model_validate(claim) for claim in tomllib.loads(text)["claim"]]


def judge(values: Mapping[ClaimedEffect, Sequence[float] | str], claims: Sequence[Claim]) -> list[Judgement]:
    """Judge claims by what was measured.

    values   effect -> one value a dataset, or why it could not be measured
    """
    effects = [effect for claim in claims for effect in claim.effects]
    tested = [effect for effect in effects if _missing(values[effect]) == ""]
    above = dict(zip(tested, holm([_p_above(values[effect], 0.0) for effect in tested]), strict=True))
    below = dict(zip(tested, holm([1 - _p_above(values[effect], effect.at_least) for effect in tested]), strict=True))
    judged = []
    for claim in claims:
        measured = [_measured(effect, values[effect], above.get(effect), below.get(effect)) for effect in claim.effects]
        judged.append(Judgement(claim, measured, _verdict([each.verdict for each in measured])))
    return judged


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number by Holm (1979): ordered, times how many are left, never falling."""
    order, corrected, largest = np.argsort(p_values, kind="stable"), [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order.tolist()):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def _missing(values: Sequence[float] | str) -> str:
    if isinstance(values, str):
        return values
    return "" if len(values) >= MIN_DATASETS else f"{len(values)} of {MIN_DATASETS} datasets"


def _standard_error(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


def _p_above(values: Sequence[float] | str, bound: float) -> float:
    """One-sided p of a mean that is at most ``bound``."""
    assert not isinstance(values, str)
    difference, error = float(np.mean(values)) - bound, _standard_error(values)
    if error == 0:
        return 0.5 if difference == 0 else float(difference < 0)
    return float(stdtr(len(values) - 1, -difference / error))


def _measured(
    effect: ClaimedEffect, values: Sequence[float] | str, above: float | None, below: float | None
) -> MeasuredEffect:
    """An effect with its interval and verdict; ``above`` and ``below`` are corrected p, None where it is not tested."""
    if isinstance(values, str):
        return MeasuredEffect(effect, (), None, NOT_TESTED, values)
    mean, interval = float(np.mean(values)), None
    if len(values) > 1:
        half = t_quantile(len(values) - 1) * _standard_error(values)
        interval = Interval(value=mean, low=mean - half, high=mean + half)
    verdict = INCONCLUSIVE
    if above is None or below is None:
        verdict = NOT_TESTED
    elif above < ALPHA and mean >= effect.at_least:
        verdict = SUPPORTED
    elif below < ALPHA:
        verdict = CONTRADICTED
    return MeasuredEffect(effect, tuple(values), interval, verdict, _missing(values))


def _verdict(verdicts: Sequence[str]) -> str:
    """A claim's verdict by those of its effects."""
    if CONTRADICTED in verdicts:
        return CONTRADICTED
    if not verdicts or NOT_TESTED in verdicts:
        return NOT_TESTED
    return SUPPORTED if set(verdicts) == {SUPPORTED} else INCONCLUSIVE
