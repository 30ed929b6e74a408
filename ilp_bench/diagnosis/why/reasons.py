"""Reasons of unlearned rows: every cause whose sign a row has, with evidence in words and a calibrated confidence."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ilp_bench.data.dataset import Dataset
from ilp_bench.diagnosis.answers import is_learned
from ilp_bench.diagnosis.rows import Reason, RowResult
from ilp_bench.diagnosis.why.paraphrases import BY_ENCODER, Disputes
from ilp_bench.diagnosis.why.signals import Signals, signals
from ilp_bench.diagnosis.why.signs import ENCODED, LOST, PARAPHRASE, SIGNS
from ilp_bench.records.run_record import Run

CONFIDENCES = Path(__file__).with_name("confidences.json")
SHOWN = 3  # contradicting rows that are named
UNMEASURED = "; how often this sign is right was not measured"


class _Evidence(NamedTuple):
    """What the words of a reason are made of."""

    signal: Signals
    disputes: Mapping[str, str]  # item -> what other rows say that ask the same
    loose: Mapping[str, str]  # item -> what those say that ask it in other words, by their words and answers
    encoded: Mapping[str, str]  # the same by an encoder
    beliefs: Mapping[str, str | None]  # item -> what the base model says
    rates: Mapping[int, float]  # segment -> mean of its values
    lost: Mapping[str, str]  # item -> when it was learned, of those that were and are not any more


def _contradicted(evidence: _Evidence) -> str | None:
    return evidence.disputes.get(evidence.signal.item_id)


def _paraphrased(evidence: _Evidence) -> str | None:
    return evidence.loose.get(evidence.signal.item_id)


def _encoded(evidence: _Evidence) -> str | None:
    said = evidence.encoded.get(evidence.signal.item_id)
    return said and f"{said}, which an encoder takes for the same question"


def _believed(evidence: _Evidence) -> str:
    said = evidence.beliefs.get(evidence.signal.item_id)
    return f"the base model answers {said!r} with p {evidence.signal.denied:.2f}"


def _lost(evidence: _Evidence) -> str | None:
    return evidence.lost.get(evidence.signal.item_id)


def _forgotten(evidence: _Evidence) -> str:
    curve = ", ".join(f"{rate:.2f}" for _, rate in sorted(evidence.rates.items()))
    return f"it stands in part {evidence.signal.segment}; by part, in training order, reproduction is {curve}"


def _rare(evidence: _Evidence) -> str:
    return f"its pattern is {evidence.signal.rarity} times rarer than the commonest of its kind of question"


def _missing(evidence: _Evidence) -> str:
    signal = evidence.signal
    said = f"the base model gives the answer p {signal.known:.2f}"
    if signal.kind_learned is None:
        share = f"{signal.kind_known:.2f} of the questions of this kind"
        return f"{said}, while it has a confident answer, right or wrong, to {share}"
    return f"{said}; questions of this kind that it answers are learned to {signal.kind_learned:.2f}"


WORDS: Mapping[str, Callable[[_Evidence], str | None]] = {  # name of a sign -> its evidence in words
    "data_inconsistency": _contradicted,
    PARAPHRASE: _paraphrased,
    ENCODED: _encoded,
    "knowledge_conflict": _believed,
    LOST: _lost,
    "left_side_forgetting": _forgotten,
    "rare_patterns": _rare,
    "knowledge_gap": _missing,
}


@cache
def confidences() -> dict[str, float]:
    """Sign -> share of the unlearned items with that sign that have the cause, on controlled data; of the signs of
    which this was measured.

    Measured by ``benchmarks/diagnosis_confidence.py``, which says of which runs.
    """
    content = json.loads(CONFIDENCES.read_text())
    return {str(name): float(value["right"]) for name, value in content["signs"].items()}


def explain(
    results: Sequence[RowResult],
    run: Run,
    base: Run,
    data: Dataset,
    disputes: Disputes,
) -> None:
    """Give every row that is not learned, and that cause 0 does not explain, its reasons.

    Raises ProblemError where the runs do not belong together.
    """
    values = {each.item_id: each.value for each in results}
    train = data.train.to_pylist()
    lost = {each.item_id: _when_learned(each) for each in results if was_learned(each)}
    by_item = {signal.item_id: signal for signal in signals(run, base, data, values, disputes, lost)}
    beliefs = {row["item_id"]: row["belief"] for row in base.sample_rows()}
    rates = defaultdict(list)
    for each in results:
        rates[each.segment].append(each.value)
    segments = {segment: sum(of_segment) / len(of_segment) for segment, of_segment in rates.items()}
    said = _said(train, disputes.same)
    loose, encoded = (
        _said(train, [dispute.rows for dispute in disputes.loose if (dispute.by == BY_ENCODER) == by_encoder])
        for by_encoder in (False, True)
    )
    for each in results:
        if each.learned or each.cause_zero or each.item_id not in by_item:
            continue
        reasons = _reasons(_Evidence(by_item[each.item_id], said, loose, encoded, beliefs, segments, lost))
        if each.fork_p is not None and reasons and reasons[0].sign == "data_inconsistency":
            reasons[0].evidence += f"; the token with which it departs from them has p {each.fork_p:.2f}"
        each.reasons = sorted(reasons, key=lambda reason: -(reason.confidence or 0.0))


def was_learned(result: RowResult) -> bool:
    """Whether its answer, without its end, was learned when that was measured during the training, and is not now."""
    best, tokens = result.best_in_training, result.tokens - result.end
    if result.learned or result.measure == "verdict" or best is None:
        return False
    return is_learned(best, tokens) and not is_learned(result.answer_value, tokens)


def _when_learned(result: RowResult) -> str:
    best, step = result.best_in_training or 0.0, result.best_step
    return f"reproduction was {best:.2f} at step {step} of the training, and is {result.answer_value:.2f} now"


def _reasons(evidence: _Evidence) -> list[Reason]:
    """A reason for each cause of which the item has a sign, the first of its signs.

    That it was learned and lost counts only where it has no other sign: rows of any cause come and go in a training.
    """
    reasons: dict[str, Reason] = {}
    for name, cause, holds in SIGNS:
        if name == LOST and reasons:
            break
        if cause not in reasons and holds(evidence.signal) and (words := WORDS[name](evidence)):
            confidence = confidences().get(name)
            words += "" if confidence is not None else UNMEASURED
            reasons[cause] = Reason(cause=cause, sign=name, confidence=confidence, evidence=words)
    return list(reasons.values())


def _said(train: Sequence[Mapping[str, Any]], groups: Sequence[Sequence[int]]) -> dict[str, str]:
    """Item -> what the other rows of its group answer, in words."""
    words: dict[str, str] = {}
    for group in groups:
        for index in group:
            row = train[index]
            others = [train[n] for n in group if train[n]["completion"].strip() != row["completion"].strip()]
            shown = "; ".join(
                f"row {other['source_row']} answers {other['completion'].strip()[:60]!r}" for other in others[:SHOWN]
            )
            more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
            asked = others and others[0]["messages"][0]["content"] != row["messages"][0]["content"]
            how = f" to {others[0]['messages'][0]['content'][:80]!r}" if asked else ""
            if shown:
                words[row["item_id"]] = f"{shown}{how}{more}"
    return words
