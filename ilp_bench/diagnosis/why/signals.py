"""What anyone can log about questions trained on: from rows, a base run and a tuned run; never a cause or an arm."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.metrics import Array, best_of
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.schema import ItemRow, TrainRow
from ilp_bench.detectors.contradictions import content_words
from ilp_bench.detectors.labelled_row import label
from ilp_bench.detectors.rare_patterns import kinds_with_one_gap, repetitions
from ilp_bench.detectors.words import normalised
from ilp_bench.diagnosis.why.comparisons import FEW, QuestionKind, TrainedItem, drops, kinds_known, learned_worse
from ilp_bench.diagnosis.why.paraphrases import SAME, Dispute, Disputes, disputes_of
from ilp_bench.records.run_record import Run
from ilp_bench.records.samples import SampleRow
from ilp_bench.scoring.compatibility import base_sha256
from ilp_bench.scoring.learned_rates import item_rates


class Signals(NamedTuple):
    """One trained question.

    learned      learned rate in [0, 1], as in the score: chance that one of five sampled answers is right, mean over
                 all ways it is asked
    known        probability of the supervised answer under the base model, with four few-shot exemplars
    best_of_5    chance that the most confident of five sampled options is right; None where no options were asked
    denied       probability of the wrong answer that the base model prefers; 0 where it prefers the right one or was
                 not asked
    divergence   Jensen-Shannon divergence (nats) of base and tuned model over the options; None where not asked
    contradicted share of rows asking the same whose label is another
    disputed     whether a row that asks the same in other words, or nearly the same, has another label; where it asks
                 only nearly the same, such questions are learned worse than others of their kind
    segment      stage in which it was trained last, from 1, and whether that is the last of all
    fallen       how much lower the learned rate of its kind of question is in its segment than in the last one,
                 relative; 0 where that is within two standard errors
    rarity       how many times rarer its pattern is than the commonest of its kind of question, at least 1; questions
                 count once
    kind_known   share of the questions of its kind that the base model has a confident answer to; questions of kinds
                 with few of them are taken together
    kind_learned mean learned rate of the questions of its kind that the base model knows; None where those are not
                 learned better than the ones it has no answer to
    lost         whether it was learned earlier in the training, as far as that was measured, and is not any more
    """

    item_id: str
    question: str
    learned: float
    known: float
    best_of_5: float | None
    denied: float
    divergence: float | None
    contradicted: float
    disputed: bool
    segment: int
    in_last_segment: bool
    fallen: float
    rarity: int
    kind_known: float
    kind_learned: float | None
    lost: bool = False


def signals(
    run: Run,
    base: Run,
    data: Dataset,
    rates: Mapping[str, float] | None = None,
    disputes: Disputes | None = None,
    lost: Collection[str] = (),
) -> list[Signals]:
    """The signals of every trained question, in the order of the dataset.

    rates      item id -> how far it is learned, in [0, 1], where that is measured otherwise than by the learned rate
    disputes   what contradicts what among the training rows, where that was looked for already
    lost       ids of the items that were learned earlier in the training, and are not any more

    Raises ProblemError when a run is of another dataset, the base run is of another base model or has no knowledge
    probe, or the run is of the base model itself.
    """
    _check(run, base, data)
    rows = data.train_rows()
    questions = [row["messages"][0]["content"] for row in rows]
    rows_by_prompt: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        rows_by_prompt[row["prompt"]].append(index)
    tuned_samples, base_samples = ({row["probe_id"]: row for row in one.sample_rows()} for one in (run, base))
    rates = item_rates(run) if rates is None else rates
    trained = [
        TrainedItem(item, index, kind, rows[index]["stage"], rates[item["item_id"]], before["shots_p"] or 0.0, denied)
        for item, index, kind in _trained_items(data, rows_by_prompt, questions)
        if item["probe_id"] in tuned_samples and (before := base_samples.get(item["probe_id"]))
        for denied in [_denied(before, item)]
    ]
    last = max(row["stage"] for row in rows)
    dropped, known = drops(trained, last), kinds_known(trained)
    same, loose = disputes_of(rows) if disputes is None else disputes
    disputed = _disputed(trained, rows, loose)
    distinct = list(dict.fromkeys(questions))
    rarity = dict(zip(distinct, repetitions(distinct), strict=True))
    group_of = {index: group for group in same for index in group}
    result = []
    for item, index, kind, segment, rate, known_p, denied in trained:
        before, after = base_samples[item["probe_id"]], tuned_samples[item["probe_id"]]
        labels = [label(rows[other]) for other in group_of.get(index, [index])]
        result.append(
            Signals(
                item_id=item["item_id"],
                question=item["question"],
                learned=rate,
                known=known_p,
                best_of_5=_best_of_5(before),
                denied=denied,
                divergence=_divergence(before, after),
                contradicted=float(np.mean([each != normalised(item["answer"].strip()) for each in labels])),
                disputed=item["item_id"] in disputed,
                segment=segment,
                in_last_segment=segment == last,
                fallen=dropped.get((kind, segment), 0.0),
                rarity=max(rarity[questions[other]] for other in rows_by_prompt[item["prompt"]]),
                kind_known=known[kind].share,
                kind_learned=known[kind].learned,
                lost=item["item_id"] in lost,
            )
        )
    return result


def _trained_items(
    data: Dataset, rows_by_prompt: dict[str, list[int]], questions: list[str]
) -> list[tuple[ItemRow, int, QuestionKind]]:
    """The items whose question is trained on, in the order of the dataset, with their training row and their kind."""
    rows, kinds = data.train_rows(), kinds_with_one_gap([" ".join(content_words(text)) for text in questions])
    items = [item for item in data.item_rows() if item["probe"] == "recall" and item["prompt"] in rows_by_prompt]
    indices = [_training_row(item, rows, rows_by_prompt[item["prompt"]]) for item in items]
    size = Counter(kinds[index] for index in indices)
    return [
        (item, index, kinds[index] if size[kinds[index]] >= FEW else ())
        for item, index in zip(items, indices, strict=True)
    ]


def _training_row(item: ItemRow, rows: list[TrainRow], asking: list[int]) -> int:
    """The last row that trains an item: with its answer, or else the last of the rows ``asking`` its question."""
    with_answer = [index for index in asking if rows[index]["completion"].strip() == item["answer"].strip()]
    return (with_answer or asking)[-1]


def _disputed(trained: list[TrainedItem], rows: list[TrainRow], loose: Sequence[Dispute]) -> set[str]:
    """Ids of the items that a row contradicts in other words, or, where such items are learned worse, nearly so."""
    same: set[str] = set()
    related: set[str] = set()
    for dispute in loose:
        (same if dispute.agreement >= SAME else related).update(rows[n]["item_id"] for n in dispute.rows)
    return same | related if learned_worse(trained, related) else same


def _check(run: Run, base: Run, data: Dataset) -> None:
    """Raise ProblemError unless both runs are of these data, and of a base model and one tuned from it."""
    if base.record.training is not None:
        swapped = "; run and base run were swapped" if run.untuned else ""
        raise ProblemError(
            f"the run given as base is of a fine-tuned model ({base.record.model.name}): give the run of the model "
            f"that was fine-tuned from{swapped}"
        )
    for what, checked in (("run", run), ("base run", base)):
        if checked.record.data.content_sha256 != data.sha256:
            raise ProblemError(
                f"the {what} was measured on other data ({_data_name(checked)}) than the dataset given: give that one"
            )
        if checked.record.protocol != "exact":
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


def _data_name(run: Run) -> str:
    """Size and seed of the dataset that a run was measured on, with the beginning of its hash."""
    data = run.record.data
    return f"{data.size}, seed {data.seed}, content sha256 {data.content_sha256[:12]}"


def _denied(sample: SampleRow, item: ItemRow) -> float:
    """Probability of the preferred option, or of the model's own answer, where that is not the supervised one.

    Nothing denies a supervised answer of several lines, of which the model was let say the first only; nor does a model
    that says nothing.
    """
    belief, options, answer = sample["belief"] or "", sample["shots_options"], normalised(item["answer"].strip())
    if not belief.strip() or "\n" in answer or normalised(belief).casefold() == answer.casefold():
        return 0.0
    return (sample["belief_p"] or 0.0) if options is None else float(np.exp(max(options)))


def _best_of_5(sample: SampleRow) -> float | None:
    """Chance that the most probable of five sampled options is right; None where no options were asked."""
    shares, gold = _shares(sample["shots_options"]), sample["gold"]
    return None if shares is None or gold is None else best_of(shares, gold, 5)


def _shares(options: list[float] | None) -> Array | None:
    """Probabilities, summing to 1, of options with these log-probabilities."""
    return None if options is None else np.asarray(np.exp(np.array(options) - np.logaddexp.reduce(options)))


def _divergence(before: SampleRow, after: SampleRow) -> float | None:
    """Jensen-Shannon divergence in nats of base and tuned model over the options, both asked without exemplars.

    Xue et al. 2026, section 3.1.5. None where either was asked no options.
    """
    base, tuned = _shares(before["options"]), _shares(after["options"])
    if base is None or tuned is None:
        return None
    middle = (base + tuned) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        halves = [np.where(q > 0, q * np.log(q / middle), 0.0).sum() / 2 for q in (base, tuned)]
    return float(max(0.0, sum(halves)))
