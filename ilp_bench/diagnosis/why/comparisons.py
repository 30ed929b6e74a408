"""Is what has a sign learned worse than what has not? Comparisons of trained questions with others of their kind.

Nothing is fitted and no cause is read: only how far questions are learned, which the data at hand tell.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from ilp_bench.data.schema import ItemRow
from ilp_bench.detectors.thresholds import CONFIDENT, KNOWN

CHANCE = 0.01  # share of trainings without forgetting in which the last part may seem to stand out
FEW = 8  # questions of one kind below which nothing is said of the kind
QuestionKind = tuple[str, ...]


class TrainedItem(NamedTuple):
    """A trained question, and how far it is learned.

    row      index of the last training row that trains it
    kind     of its question; empty where there are fewer than ``FEW`` of the kind
    segment  stage of that row, from 1
    rate     how far it is learned, in [0, 1]
    known    probability of its answer under the base model
    denied   probability of the other answer that the base model prefers, or 0
    """

    item: ItemRow
    row: int
    kind: QuestionKind
    segment: int
    rate: float
    known: float
    denied: float


def shortfall(rates: Sequence[float], others: Sequence[float]) -> float:
    """How much lower the mean of ``rates`` is than that of ``others``, relative; 0 within two standard errors."""
    if min(len(rates), len(others)) < 2 or not np.mean(others) > 0:
        return 0.0
    difference = np.mean(others) - np.mean(rates)
    error = np.sqrt(np.var(rates, ddof=1) / len(rates) + np.var(others, ddof=1) / len(others))
    return float(difference / np.mean(others)) if difference > 2 * error else 0.0


def drops(trained: Iterable[TrainedItem], last: int) -> dict[tuple[QuestionKind, int], float]:
    """(Kind, segment) -> how much worse it is learned than the same kind of question in segment ``last``.

    A segment may be learned worse by chance: nothing has dropped unless the last one stands out within kinds of
    question (:func:`last_stands_out`). Then, of a kind with fewer than ``FEW`` questions in either, the segment as a
    whole is compared. What came first may ask for other things than what came last, and be learned worse for that.
    """
    by_kind: dict[QuestionKind, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    whole: dict[int, list[float]] = defaultdict(list)
    for each in trained:
        by_kind[each.kind][each.segment].append(each.rate)
        whole[each.segment].append(each.rate)
    if not last_stands_out([rates for kind, rates in by_kind.items() if kind], last):
        return {}
    of_segment = {segment: shortfall(rates, whole[last]) for segment, rates in list(whole.items())}
    result = {}
    for kind, rates_by_segment in by_kind.items():
        latest = rates_by_segment.get(last, [])
        for segment, rates in rates_by_segment.items():
            alike = kind and min(len(rates), len(latest)) >= FEW
            result[kind, segment] = shortfall(rates, latest) if alike else of_segment[segment]
    return result


def last_stands_out(kinds: Sequence[Mapping[int, Sequence[float]]], last: int) -> bool:
    """Whether questions of segment ``last`` are learned better than earlier ones of their kinds, beyond chance.

    kinds   of each kind, segment -> rates

    The test permutes rates within each kind (stratified permutation test, here with the normal approximation to its
    exact mean and variance), at the level ``CHANCE``.
    """
    surplus, variance = 0.0, 0.0
    for rates_by_segment in kinds:
        latest = rates_by_segment.get(last, [])
        rates = np.concatenate([np.asarray(each, dtype=float) for each in rates_by_segment.values()])
        earlier = len(rates) - len(latest)
        if min(len(latest), earlier) < FEW:
            continue
        surplus += float(np.sum(latest) - len(latest) * rates.mean())
        variance += len(latest) * earlier / len(rates) * float(rates.var(ddof=1))
    return surplus > NormalDist().inv_cdf(1 - CHANCE) * math.sqrt(variance)


class KindKnown(NamedTuple):
    """What the base model knows of a kind of question.

    share    of its questions, to which the base model has a confident answer, right or wrong
    learned  mean learned rate of those whose answer it knows; None where they are fewer than ``FEW``, or not learned
             better, beyond two standard errors, than those to which it has no answer
    """

    share: float
    learned: float | None


def kinds_known(trained: Iterable[TrainedItem]) -> dict[QuestionKind, KindKnown]:
    """What the base model knows of each kind of question."""
    by_kind: dict[QuestionKind, list[TrainedItem]] = defaultdict(list)
    for each in trained:
        by_kind[each.kind].append(each)
    result = {}
    for kind, items in by_kind.items():
        known = [each.rate for each in items if each.known >= KNOWN]
        denied = sum(each.known < KNOWN and each.denied > CONFIDENT for each in items)
        unknown = [each.rate for each in items if each.known < KNOWN and each.denied <= CONFIDENT]
        better = len(known) >= FEW and shortfall(unknown, known) > 0
        share = (len(known) + denied) / len(items)
        result[kind] = KindKnown(share, float(np.mean(known)) if better else None)
    return result


def learned_worse(trained: Iterable[TrainedItem], chosen: Collection[str]) -> bool:
    """Whether the items with these ids are learned worse than the others of their kinds, beyond two standard errors."""
    trained = list(trained)
    kinds = {each.kind for each in trained if each.item["item_id"] in chosen}
    rates: dict[bool, list[float]] = {True: [], False: []}
    for each in trained:
        if each.kind in kinds:
            rates[each.item["item_id"] in chosen].append(each.rate)
    return min(map(len, rates.values())) >= FEW and shortfall(rates[True], rates[False]) > 0
