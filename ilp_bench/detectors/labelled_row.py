"""What detectors read of a training row."""

from __future__ import annotations

from typing import TypedDict

from ilp_bench.detectors.words import normalised


class Message(TypedDict):
    """One turn of a conversation; ``role`` is system, user or assistant."""

    role: str
    content: str


class Exemplar(TypedDict):
    """A prompt and its completion, as text."""

    prompt: str
    completion: str


class LabelledRow(Exemplar):
    """A supervised example.

    prompt, completion   the text that a model is trained on
    messages             the same as a question and its answer
    annotator            who gave the label; empty where nobody knows
    """

    messages: list[Message]
    annotator: str


def question(row: LabelledRow) -> str:
    """What the row asks."""
    return row["messages"][0]["content"]


def label(row: LabelledRow) -> str:
    """What the row answers, without the space and the line end around it, and with one form of each character."""
    return normalised(row["completion"].strip())
