"""Continued pre-training on what a base model lacks or contradicts, and how both are found by asking it.

The mixture is the paper's: 0.8 general text, 0.2 knowledge, by characters (Xue et al. 2026, section 4.2).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ilp_bench.train.phase import Bench, Phase

GENERAL_SHARE = 0.8
CONFIDENT = 0.5  # probability of a wrong answer from which on it is a belief
SHOWN = 4


def pretraining(bench: Bench, documents: Sequence[str]) -> list[Phase]:
    """One epoch over the documents and four times as many characters of general text; nothing without documents."""
    if not documents:
        return []
    wanted = sum(map(len, documents)) * GENERAL_SHARE / (1 - GENERAL_SHARE)
    texts = [text.rstrip("\n") + "\n" for text in (*documents, *bench.general(round(wanted)))]
    bench.notes["documents"] = len(documents)
    return [Phase("knowledge", "cpt", [("", text) for text in texts])]


def contradicted(bench: Bench) -> list[dict[str, Any]]:
    """The training rows whose label the base model denies with confidence (a high-confidence error, section 3.2)."""
    found, _ = asked(bench)
    bench.notes["contradicted_rows"] = len(found)
    return found


def asked(bench: Bench) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Training rows that the base model denies with confidence, and rows to which it has no confident answer."""
    rows = list({row["prompt"]: row for row in bench.data.train.to_pylist()}.values())
    said = bench.answers(shown(bench, [row["prompt"] for row in rows]))
    denied: list[dict[str, Any]] = []
    unknown: list[dict[str, Any]] = []
    for row, answer in zip(rows, said, strict=True):
        if answer.text.strip() != row["completion"].strip():
            (denied if answer.confidence > CONFIDENT else unknown).append(row)
    return denied, unknown


def shown(bench: Bench, prompts: Sequence[str]) -> list[str]:
    """Each prompt behind the four most similar examples of known facts, so that a base model sees the format."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    shots = bench.data.shots.to_pylist()
    known = [shot["prompt"] for shot in shots]
    vectors = TfidfVectorizer().fit([*known, *prompts])
    similar = vectors.transform(prompts) @ vectors.transform(known).T
    nearest = similar.toarray().argsort(axis=1)[:, ::-1][:, :SHOWN]
    return [
        "".join(shots[n]["prompt"] + shots[n]["completion"] for n in sorted(some)) + prompt
        for some, prompt in zip(nearest.tolist(), prompts, strict=True)
    ]


def documents_about(bench: Bench, questions: Collection[str], *, others: bool = False) -> list[str]:
    """The documents whose entity is named in one of the questions; with ``others``, those about nobody in them."""
    text = "\n".join(questions)
    return [row["text"] for row in bench.data.knowledge.to_pylist() if (row["entity"] in text) is not others]
