"""Whether rows that somebody held out are among the training rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.user_data import questions_in
from ilp_bench.detectors.contradictions import content_key

READING = ("format", "columns", "alpaca_join", "fold_system")  # how rows are read that say what questions are


def held_out_questions(source: str, reading: Mapping[str, Any]) -> list[set[str]]:
    """The questions of held-out rows, read as the training rows are, or, where that fails, by the names of columns.

    Raises UsageError where they cannot be read.
    """
    given = {name: reading[name] for name in READING if reading.get(name)}
    try:
        return questions_in(source, **given)
    except UsageError:
        return questions_in(source)


def held_out_in_training(questions: Iterable[set[str]], data: Dataset) -> tuple[int, int]:
    """How many held-out questions are among the training rows, and how many there are.

    questions   of held-out rows, each in its forms: see :func:`~ilp_bench.data.user_data.questions_in`
    """
    trained = {content_key(row["messages"][0]["content"]) for row in data.train.select(["messages"]).to_pylist()}
    asked = {frozenset(map(content_key, forms)) for forms in questions}
    return sum(not forms.isdisjoint(trained) for forms in asked), len(asked)
