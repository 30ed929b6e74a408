"""What a base model believes about training rows: asked with few-shot exemplars, it knows, contradicts or guesses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from ilp_bench.core.errors import UsageError
from ilp_bench.detectors.labelled_row import Exemplar, LabelledRow, label
from ilp_bench.detectors.thresholds import CONFIDENT, EXEMPLARS
from ilp_bench.detectors.words import needs_terms, normalised, similarity_terms

Row = TypeVar("Row", bound=LabelledRow)


class Answer(NamedTuple):
    """A model's greedy answer behind exemplars, and the probability in [0, 1] of just that answer."""

    text: str
    confidence: float


class PriorAnswer(NamedTuple):
    """A training row, and what a base model answers instead of its label."""

    row: LabelledRow
    text: str


class Beliefs(NamedTuple):
    """Training rows, one for each prompt, to which the base model gives another answer than the label.

    contradicted   with a confidence above ``CONFIDENT``
    unknown        with less
    """

    contradicted: list[PriorAnswer]
    unknown: list[LabelledRow]


def one_row_per_prompt(train: Iterable[Row]) -> list[Row]:
    """The last row of each prompt, in the order of the prompts' first rows."""
    return list({row["prompt"]: row for row in train}.values())


def compare_with_labels(rows: Sequence[LabelledRow], answers: Sequence[Answer]) -> Beliefs:
    """Compare the base model's answers with the labels of ``rows``; one answer a row."""
    beliefs = Beliefs([], [])
    for row, answer in zip(rows, answers, strict=True):
        text = answer.text.strip()
        if normalised(text) == label(row):
            continue
        if answer.confidence > CONFIDENT:
            beliefs.contradicted.append(PriorAnswer(row, text))
        else:
            beliefs.unknown.append(row)
    return beliefs


def contradicted_facts(beliefs: Sequence[PriorAnswer], facts: Iterable[tuple[str, str]]) -> list[LabelledRow]:
    """Rows whose label contradicts a fact that the base model knows: a high-confidence error, borne out.

    facts   (subject, answer) of everything that is known to be true

    What the base model answers instead must be a true answer about a subject that the row names. A confident answer
    about a name that nobody can know is a guess: there, knowledge is missing.
    """
    subjects_of: dict[str, set[str]] = defaultdict(set)
    for subject, answer in facts:
        subjects_of[answer].add(subject)
    return [row for row, text in beliefs if any(subject in row["prompt"] for subject in subjects_of[text])]


def with_exemplars(exemplars: Sequence[Exemplar], prompts: Sequence[str]) -> list[str]:
    """Each prompt behind the ``EXEMPLARS`` most similar exemplars of known facts, so that a base model sees the format.

    Raises UsageError where there are no exemplars.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not exemplars:
        raise UsageError(
            "the dataset has no few-shot exemplars for a base model: build it again, or choose another recipe"
        )
    exemplar_prompts = [exemplar["prompt"] for exemplar in exemplars]
    texts = [*exemplar_prompts, *prompts]
    vectors = TfidfVectorizer(analyzer=similarity_terms if any(map(needs_terms, texts)) else "word").fit(texts)
    similarity = vectors.transform(prompts) @ vectors.transform(exemplar_prompts).T
    nearest = similarity.toarray().argsort(axis=1)[:, ::-1][:, :EXEMPLARS]
    return [
        "".join(exemplars[n]["prompt"] + exemplars[n]["completion"] for n in sorted(chosen)) + prompt
        for chosen, prompt in zip(nearest.tolist(), prompts, strict=True)
    ]
