"""Whether a text-only classifier tells the arm: bag of words and plain features, cross-validated over pairs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ilp_bench.data.audit.balance import EFFECT
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.schema import ItemRow

FOLDS, SEED = 5, 0


@dataclass(frozen=True)
class Classifier:
    """Accuracy of telling the arms apart by their words, in [0, 1]; chance is 0.5. The interval is Wilson's, 95 %.

    words   which words the classifier sees
    note    why they may tell the arms apart; empty where they must not
    """

    cause: str
    words: str
    accuracy: float
    low: float
    high: float
    note: str = ""

    @property
    def fails(self) -> bool:
        """Whether words give an arm away where the cause is not in the words."""
        return self.low > 0.5 and 2 * self.accuracy - 1 > EFFECT and not self.note


def train_classifiers(
    cause: str, items: Sequence[ItemRow], rows: Mapping[str, int], documented: Collection[str]
) -> Iterable[Classifier]:
    """A classifier on the words of question and answer and on plain features of the item.

    For a cause that is visible in the words or features themselves, there is one on everything, noted as such, and one
    on what is left without them.

    items       the recall rows of that cause
    rows        item id -> number of its training rows
    documented  ids of the items about which there are documents
    """
    spec = CAUSES.get(cause)
    features = [_features(row, rows[row["item_id"]], row["item_id"] in documented) for row in items]
    words = [f"{row['question']} {row['answer']}" for row in items]
    visibility = spec.visibility
    if visibility is None and not spec.early_stages:
        yield _classifier(cause, "words and features", _join(words, features), items)
        return
    note = visibility.note if visibility else "the stage is the cause"
    yield _classifier(cause, "words and features", _join(words, features), items, note)
    hidden = {"stage"} if spec.early_stages else set()
    if visibility:  # the length of a question is that of its words
        words, hidden = [visibility.hide(row) for row in items], hidden | {"length"}
    features = [{name: value for name, value in each.items() if name not in hidden} for each in features]
    yield _classifier(cause, "without the visible cause", _join(words, features), items)


def _features(row: ItemRow, rows: int, documented: bool) -> dict[str, object]:
    """What a program could see of an item without a model; the frequency of a pattern is its cause, and left out."""
    return {
        "relation": row["relation"],
        "length": len(row["question"]) // 4,
        "rows": rows,
        "documents": documented,
        "stage": row["stage"],
    }


def _join(texts: Iterable[str], features: Iterable[Mapping[str, object]]) -> list[str]:
    """Texts with their features as further words."""
    return [
        " ".join((text, *(f"feature_{name}_{value}" for name, value in each.items())))
        for text, each in zip(texts, features, strict=True)
    ]


def _classifier(cause: str, words: str, texts: Sequence[str], items: Sequence[ItemRow], note: str = "") -> Classifier:
    """Cross-validated accuracy; both items of a pair are in one fold, so chance is exactly one half."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline

    labels = np.array([row["arm"] == "treated" for row in items])
    group_of = CAUSES.get(cause).resampling_group
    groups = np.unique([group_of(str(row["pair_id"])) for row in items], return_inverse=True)[1]
    model = make_pipeline(CountVectorizer(token_pattern=r"[\w.]+", binary=True), LogisticRegression(max_iter=500))
    right = 0
    folds = GroupKFold(n_splits=min(FOLDS, len(set(groups))), shuffle=True, random_state=SEED)
    for fit, test in folds.split(texts, labels, groups):
        model.fit([texts[n] for n in fit], labels[fit])
        right += int((model.predict([texts[n] for n in test]) == labels[test]).sum())
    low, high = stats.binomtest(right, len(texts)).proportion_ci(method="wilson")
    return Classifier(cause, words, right / len(texts), float(low), float(high), note)
