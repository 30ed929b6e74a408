"""What a base model believes about training rows: asked with few-shot exemplars, it knows, contradicts or guesses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ilp_bench.core.errors import UsageError
from ilp_bench.detectors.thresholds import CONFIDENT, EXEMPLARS

Row = dict[str, Any]


class Answer(NamedTuple):
    """What a model says when asked with exemplars shown, and the probability in [0, 1] of saying just that."""

    text: str
    confidence: float


class Beliefs(NamedTuple):
    """Training rows, one for each prompt, to which the base model gives another answer than the label.

    denied   with a confidence above ``CONFIDENT``: (row, its answer)
    unknown  with less
    """

    denied: list[tuple[Row, str]]
    unknown: list[Row]


def one_row_per_prompt(train: Iterable[Row]) -> list[Row]:
    """The last row of each prompt, in the order of the prompts' first rows."""
    return list({row["prompt"]: row for row in train}.values())


def compare_with_labels(rows: Sequence[Row], answers: Sequence[Answer]) -> Beliefs:
    """Compare the base model's greedy answers with the labels of ``rows``; one answer a row."""
    denied: list[tuple[Row, str]] = []
    unknown: list[Row] = []
    for row, answer in zip(rows, answers, strict=True):
        text = answer.text.strip()
        if text == row["completion"].strip():
            continue
        if answer.confidence > CONFIDENT:
            denied.append((row, text))
        else:
            unknown.append(row)
    return Beliefs(denied, unknown)


def contradicted_facts(denied: Sequence[tuple[Row, str]], facts: Iterable[tuple[str, str]]) -> list[Row]:
    """Rows whose label contradicts a fact that the base model knows: a high-confidence error, borne out.

    facts   (subject, answer) of everything that is known to be true

    What the base model says instead must be a true answer about a subject that the row names. A confident answer about
    a name that nobody can know is a guess: there, knowledge is missing.
    """
    subjects: dict[str, set[str]] = defaultdict(set)  # answer -> subjects of which it is true
    for subject, answer in facts:
        subjects[answer].add(subject)
    return [row for row, said in denied if any(subject in row["prompt"] for subject in subjects[said])]


def with_exemplars(exemplars: Sequence[Row], prompts: Sequence[str]) -> list[str]:
    """Each prompt behind the ``EXEMPLARS`` most similar exemplars of known facts, so that a base model sees the format.

    Raises UsageError where there are no exemplars.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not exemplars:
        raise UsageError(
            "the dataset has no examples to show to a base model: build it again, or choose another recipe"
        )
    known = [exemplar["prompt"] for exemplar in exemplars]
    vectors = TfidfVectorizer().fit([*known, *prompts])
    similarity = vectors.transform(prompts) @ vectors.transform(known).T
    nearest = similarity.toarray().argsort(axis=1)[:, ::-1][:, :EXEMPLARS]
    return [
        "".join(exemplars[n]["prompt"] + exemplars[n]["completion"] for n in sorted(chosen)) + prompt
        for chosen, prompt in zip(nearest.tolist(), prompts, strict=True)
    ]
