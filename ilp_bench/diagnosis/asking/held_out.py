"""Whether rows that somebody held out are among the training rows."""

from __future__ import annotations

from ilp_bench.data.dataset import Dataset
from ilp_bench.data.user_data import questions_in
from ilp_bench.detectors.contradictions import content_key


def held_out_in_training(source: str, data: Dataset) -> tuple[int, int]:
    """How many questions of held-out rows are among the training rows, and how many there are.

    Raises UsageError where the held-out rows cannot be read.
    """
    trained = {content_key(row["messages"][0]["content"]) for row in data.train.select(["messages"]).to_pylist()}
    asked = {frozenset(map(content_key, forms)) for forms in questions_in(source)}
    return sum(not forms.isdisjoint(trained) for forms in asked), len(asked)
