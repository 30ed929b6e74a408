"""What anyone can log about questions trained on: from rows, a base run and a tuned run; never a cause or an arm."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, NamedTuple

import numpy as np

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.metrics import Array, best_of
from ilp_bench.data.dataset import Dataset
from ilp_bench.detectors.contradictions import disputed
from ilp_bench.detectors.rare_patterns import repeats, shapes
from ilp_bench.detectors.thresholds import CONFIDENT, KNOWN
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.compatibility import base_sha256
from ilp_bench.scoring.learned_rates import item_rates

FEW = 8  # questions of one kind below which nothing is said of the kind


class Signals(NamedTuple):
    """One trained question.

    learned      learned rate in [0, 1], as in the score: chance that one of five sampled answers is right, mean over
                 all ways it is asked
    known        probability of the supervised answer under the base model, four examples shown
    best_of_5    chance that the most confident of five sampled options is right; None where no options were asked
    denied       probability of the wrong answer that the base model prefers; 0 where it prefers the right one or was
                 not asked
    divergence   Jensen-Shannon divergence (nats) of base and tuned model over the options; None where not asked
    contradicted share of rows asking the same whose label is another
    segment      stage in which it was trained last, from 1
    fallen       how much lower its segment's learned rate is than that of the last one, relative; 0 where that is
                 within two standard errors
    rarity       how many times rarer its pattern is than the commonest of its kind of question, at least 1; questions
                 count once
    kind_known   share of the questions of its kind that the base model has a confident answer to; questions of kinds
                 with few of them are taken together
    """

    item_id: str
    question: str
    learned: float
    known: float
    best_of_5: float | None
    denied: float
    divergence: float | None
    contradicted: float
    segment: int
    fallen: float
    rarity: int
    kind_known: float


def signals(run: Run, base: Run, data: Dataset) -> list[Signals]:
    """The signals of every trained question, in the order of the dataset.

    Raises ProblemError when a run is of another dataset, the base run is of another base model or has no knowledge
    probe, or the run is of the base model itself.
    """
    _check(run, base, data)
    rows = data.train.to_pylist()
    asked_in: dict[str, list[int]] = defaultdict(list)
    for n, row in enumerate(rows):
        asked_in[row["prompt"]].append(n)
    questions = [row["messages"][0]["content"] for row in rows]
    distinct = list(dict.fromkeys(questions))
    rarity = dict(zip(distinct, repeats(distinct), strict=True))
    groups = {n: group for group in disputed(rows) for n in group}
    kind = shapes(questions)
    tuned, untuned = (_by_probe(one) for one in (run, base))
    rates = item_rates(run)
    recall = [row for row in data.items.to_pylist() if row["probe"] == "recall" and row["prompt"] in asked_in]
    place = [_place(item, rows, asked_in[item["prompt"]]) for item in recall]
    size = Counter(kind[n] for n in place)
    pooled = [kind[n] if size[kind[n]] >= FEW else () for n in place]
    confident: dict[tuple[str, ...], list[bool]] = defaultdict(list)
    segments: dict[int, list[float]] = {row["stage"]: [] for row in rows}
    for item, n, mine in zip(recall, place, pooled, strict=True):
        was = untuned[item["probe_id"]]
        confident[mine].append(_number(was["shots_p"]) >= KNOWN or _denied(was, item) > CONFIDENT)
        segments[rows[n]["stage"]].append(rates[item["item_id"]])
    fallen = _fallen(segments)
    found = []
    for item, n, mine in zip(recall, place, pooled, strict=True):
        was, now = untuned[item["probe_id"]], tuned[item["probe_id"]]
        labels = [rows[k]["completion"] for k in groups.get(n, [n])]
        shares = _shares(was)
        found.append(
            Signals(
                item_id=item["item_id"],
                question=item["question"],
                learned=rates[item["item_id"]],
                known=_number(was["shots_p"]),
                best_of_5=None if shares is None else best_of(shares, was["gold"], 5),
                denied=_denied(was, item),
                divergence=_divergence(was, now),
                contradicted=float(np.mean([label.strip() != item["answer"].strip() for label in labels])),
                segment=rows[n]["stage"],
                fallen=fallen[rows[n]["stage"]],
                rarity=max(rarity[questions[k]] for k in asked_in[item["prompt"]]),
                kind_known=float(np.mean(confident[mine])),
            )
        )
    return found


def _place(item: dict[str, Any], rows: list[dict[str, Any]], places: list[int]) -> int:
    """The last row that trains an item: with its answer, or else the last that asks it."""
    mine = [n for n in places if rows[n]["completion"].strip() == item["answer"].strip()]
    return (mine or places)[-1]


def _fallen(segments: dict[int, list[float]]) -> dict[int, float]:
    """How much lower each segment's mean rate is than the last one's, relative; 0 within two standard errors of it."""
    found = dict.fromkeys(segments, 0.0)
    last = segments[max(segments)]
    for stage, rates in segments.items():
        if min(len(rates), len(last)) > 1 and np.mean(last) > 0:
            drop = np.mean(last) - np.mean(rates)
            noise = np.sqrt(np.var(rates, ddof=1) / len(rates) + np.var(last, ddof=1) / len(last))
            if drop > 2 * noise:
                found[stage] = float(drop / np.mean(last))
    return found


def _check(run: Run, base: Run, data: Dataset) -> None:
    for what, one in (("run", run), ("base run", base)):
        if one.record.data.content_sha256 != data.sha256:
            raise ProblemError(f"the {what} was measured on other data than {data.sha256[:12]}: evaluate on the same")
        if one.record.protocol != "exact":
            raise ProblemError(f"the {what} was sampled: evaluate with the exact protocol")
    weights = base.record.model.weights_sha256
    if not base.record.probed:
        raise ProblemError("the base run has no knowledge probe: evaluate the base model with the base-model probe on")
    if run.record.model.weights_sha256 == weights:
        raise ProblemError("run and base run are of the same weights: give the run of the fine-tuned model first")
    if data.is_user_data and data.manifest.chat and run.record.prompt_format != "chat":
        raise ProblemError(
            "the rows are conversations and the run was measured without the chat template: evaluate with it"
        )
    if base_sha256(run.record) not in (None, weights):
        raise ProblemError("the run was fine-tuned from another base model: give the run of its own base model")


def _by_probe(run: Run) -> dict[str, dict[str, Any]]:
    return {row["probe_id"]: row for row in run.samples.to_pylist()}


def _number(value: float | None) -> float:
    return 0.0 if value is None else float(value)


def _denied(was: dict[str, Any], item: dict[str, Any]) -> float:
    """Probability of the preferred option, or of the model's own answer, where that is not the supervised one.

    Nothing denies a supervised answer of several lines, of which the model was let say the first only.
    """
    if was["belief"] is None or "\n" in item["answer"] or was["belief"].casefold() == item["answer"].casefold():
        return 0.0
    return float(was["belief_p"] if was["shots_options"] is None else np.exp(max(was["shots_options"])))


def _shares(row: dict[str, Any], name: str = "shots_options") -> Array | None:
    """Probabilities of the options, summing to 1; None where they, or the place of the right one, are not known."""
    if row[name] is None or row["gold"] is None:
        return None
    logs = np.array(row[name])
    return np.asarray(np.exp(logs - np.logaddexp.reduce(logs)))


def _divergence(was: dict[str, Any], now: dict[str, Any]) -> float | None:
    """Jensen-Shannon divergence of the options, both asked without examples (Xue et al. 2026, section 3.1.5)."""
    one, other = (_shares(row, "options") for row in (was, now))
    if one is None or other is None:
        return None
    middle = (one + other) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(q > 0, q * np.log(q / middle), 0.0).sum() / 2 for q in (one, other)]
    return float(max(0.0, sum(parts)))
