"""Continued pre-training on what a base model lacks or contradicts, and how both are found by asking it.

The mixture is the paper's: 0.8 general text, 0.2 knowledge, by characters (Xue et al. 2026, section 4.2).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from ilp_bench.core.errors import UsageError
from ilp_bench.data.facts import facts
from ilp_bench.recipes.phase import Bench, Phase

GENERAL_SHARE = 0.8
CONFIDENT = 0.5  # probability of a wrong answer from which on it is a belief
SHOWN = 4


def pretraining(bench: Bench, documents: Sequence[str]) -> list[Phase]:
    """One epoch over the documents and four times as many characters of general text; nothing without documents."""
    bench.notes["documents"] = len(documents)
    if not documents:
        return []
    characters = sum(map(len, documents)) * GENERAL_SHARE / (1 - GENERAL_SHARE)
    texts = [text.rstrip("\n") + "\n" for text in (*documents, *bench.general(round(characters)))]
    return [Phase("knowledge", "cpt", [("", text) for text in texts])]


def contradicted(bench: Bench) -> list[dict[str, Any]]:
    """The training rows that contradict what the base model knows: a high-confidence error (section 3.2), borne out.

    What it says instead must stand in the tables of facts, about a subject that the row names. A confident answer about
    a name that nobody can know is a guess, and what is missing there is knowledge.
    """
    denied, _ = asked(bench)
    true: dict[str, set[str]] = defaultdict(set)  # what can be said -> of whom it is true
    for fact in itertools.chain.from_iterable(facts().values()):
        true[fact.answer].add(fact.subject)
    found = [row for row, said in denied if any(subject in row["prompt"] for subject in true[said])]
    bench.notes.update(denied_rows=len(denied), contradicted_rows=len(found))
    return found


def asked(bench: Bench) -> tuple[list[tuple[dict[str, Any], str]], list[dict[str, Any]]]:
    """Training rows that the base model denies with confidence, with what it says, and rows to which it has no answer.

    Its answer is greedy, four examples shown; confident is one of a probability above ``CONFIDENT``.
    """
    rows = list({row["prompt"]: row for row in bench.data.train.to_pylist()}.values())
    said = bench.answers(shown(bench, [row["prompt"] for row in rows]))
    denied: list[tuple[dict[str, Any], str]] = []
    unknown: list[dict[str, Any]] = []
    for row, answer in zip(rows, said, strict=True):
        text = answer.text.strip()
        if text != row["completion"].strip() and answer.confidence > CONFIDENT:
            denied.append((row, text))
        elif text != row["completion"].strip():
            unknown.append(row)
    return denied, unknown


def shown(bench: Bench, prompts: Sequence[str]) -> list[str]:
    """Each prompt behind the four most similar examples of known facts, so that a base model sees the format."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    shots = bench.data.shots.to_pylist()
    if not shots:
        raise UsageError(
            "the dataset has no examples to show to a base model: build it again, or choose another recipe"
        )
    known = [shot["prompt"] for shot in shots]
    vectors = TfidfVectorizer().fit([*known, *prompts])
    similar = vectors.transform(prompts) @ vectors.transform(known).T
    nearest = similar.toarray().argsort(axis=1)[:, ::-1][:, :SHOWN]
    return [
        "".join(shots[n]["prompt"] + shots[n]["completion"] for n in sorted(some)) + prompt
        for some, prompt in zip(nearest.tolist(), prompts, strict=True)
    ]


def wanted(bench: Bench) -> None:
    """Raise UsageError where the dataset has no documents at all: the recipe would be plain SFT by another name."""
    if not bench.data.knowledge.num_rows:
        raise UsageError("the dataset has no documents to pre-train on: build it with the causes of knowledge")


def documents_about(bench: Bench, questions: Collection[str], *, others: bool = False) -> list[str]:
    """The documents whose entity is named in one of the questions; with ``others``, those about nobody in them."""
    text = "\n".join(questions)
    return [row["text"] for row in bench.data.knowledge.to_pylist() if (row["entity"] in text) is not others]
