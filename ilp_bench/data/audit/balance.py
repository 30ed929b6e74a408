"""Whether the arms are balanced: lengths by Kolmogorov-Smirnov, answers and templates by chi-square."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ilp_bench.data.facts import RELATIONS
from ilp_bench.data.schema import ItemRow, TrainRow

ALPHA = 0.01  # p-value below which a difference is significant
EFFECT = 0.1  # effect in [0, 1] above which a significant difference fails a dataset
ARMS = ("treated", "control")


@dataclass(frozen=True)
class Balance:
    """One quantity in both arms; ``effect`` is a distance in [0, 1], 0 where the arms are equal."""

    cause: str
    quantity: str
    treated: float
    control: float
    test: str
    p_value: float
    effect: float

    @property
    def fails(self) -> bool:
        """Whether the difference is both significant and large."""
        return self.p_value < ALPHA and self.effect > EFFECT


def compare_arms(cause: str, items: Sequence[ItemRow], train: Sequence[TrainRow]) -> Iterable[Balance]:
    """Six quantities of one cause: three of lengths and counts, three of categories.

    items, train   the rows of that cause
    """
    probes = {arm: [row for row in items if row["arm"] == arm] for arm in ARMS}
    recall = {arm: [row for row in rows if row["probe"] == "recall"] for arm, rows in probes.items()}
    item_ids = {arm: {row["item_id"] for row in rows} for arm, rows in probes.items()}
    taught = {arm: [row for row in train if row["item_id"] in item_ids[arm]] for arm in ARMS}
    numbers: dict[str, dict[str, list[int]]] = {
        "prompt length": {arm: [len(row["prompt"]) for row in probes[arm]] for arm in ARMS},
        "answer length": {arm: [len(row["answer"]) for row in probes[arm]] for arm in ARMS},
        "training rows": {arm: list(Counter(row["item_id"] for row in taught[arm]).values()) for arm in ARMS},
    }
    categories: dict[str, dict[str, list[str]]] = {
        "answers": {arm: [row["answer"] for row in recall[arm]] for arm in ARMS},
        "templates": {arm: [_template(row) for row in taught[arm]] for arm in ARMS},
        "place of the answer": {arm: [str(row["gold"]) for row in recall[arm]] for arm in ARMS},
    }
    for quantity, values in numbers.items():
        yield _kolmogorov_smirnov(cause, quantity, values)
    for quantity, words in categories.items():
        yield _chi_square(cause, quantity, words)


def _kolmogorov_smirnov(cause: str, quantity: str, values: Mapping[str, Sequence[float]]) -> Balance:
    """Two-sample test of the arms' numbers; beside it their means."""
    treated, control = values["treated"], values["control"]
    test = stats.ks_2samp(treated, control, method="asymp")
    means = float(np.mean(treated)), float(np.mean(control))
    return Balance(cause, quantity, *means, "Kolmogorov-Smirnov", float(test.pvalue), float(test.statistic))


def _chi_square(cause: str, quantity: str, values: Mapping[str, Sequence[str]]) -> Balance:
    """Chi-square of the arms' counts; the effect is Cramer's V, corrected for its bias (Bergsma 2013)."""
    counts = [Counter(values[arm]) for arm in ARMS]
    words = sorted(counts[0] | counts[1])
    distinct = [float(len(count)) for count in counts]
    if len(words) < 2:
        return Balance(cause, quantity, distinct[0], distinct[1], "chi-square", 1.0, 0.0)
    table = np.array([[count[word] for word in words] for count in counts])
    total, columns = table.sum(), len(words)
    test = stats.chi2_contingency(table)
    phi = max(0.0, test.statistic / total - (columns - 1) / (total - 1))
    most = min(columns - (columns - 1) ** 2 / (total - 1), 2 - 1 / (total - 1)) - 1
    effect = float(np.sqrt(phi / most))
    return Balance(cause, quantity, distinct[0], distinct[1], "chi-square", float(test.pvalue), effect)


def _template(row: TrainRow) -> str:
    """The training question without its relation and its subject: what comes before the one and after the other."""
    question = row["messages"][0]["content"]
    for noun in sorted({relation.noun for relation in RELATIONS.values()}, key=len, reverse=True):
        if noun in question:
            before, after = question.split(noun, 1)
            return before + "NOUN" + (" that" if " that " in after else "") + after[-1]
    return question
