"""Whether words tell the arm: a bag-of-words classifier, cross-validated over pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def train_classifiers(cause: str, items: Sequence[ItemRow]) -> Iterable[Classifier]:
    """A classifier on all words of question and answer and, for a visible cause, one on those that do not show it.

    items   the recall rows of that cause
    """
    texts = [f"{row['question']} {row['answer']}" for row in items]
    visibility = CAUSES.get(cause).visibility
    if visibility is None:
        yield _classifier(cause, "all words", texts, items)
        return
    yield _classifier(cause, "all words", texts, items, visibility.note)
    yield _classifier(cause, "without the visible cause", [visibility.hide(row) for row in items], items)


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
