"""Continued pre-training on what a base model lacks or contradicts.

The mixture is the paper's: 0.8 replay corpus, 0.2 knowledge, by characters (Xue et al. 2026, section 4.2).
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ilp_bench.core.errors import UsageError
from ilp_bench.data.facts import RELATIONS, Fact, facts
from ilp_bench.data.facts.corrections import written, written_subject
from ilp_bench.detectors.beliefs import (
    Beliefs,
    compare_with_labels,
    contradicted_facts,
    one_row_per_prompt,
    with_exemplars,
)
from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase

REPLAY_SHARE = 0.8
PASSES = 3  # of the recipes that pre-train and do nothing else; docs/recipes.md says why


def pretraining(context: RecipeContext, documents: Sequence[str], passes: int = 1) -> list[Phase]:
    """Passes over the documents and four times as many characters of the replay corpus; none without documents."""
    context.notes["documents"] = len(documents)
    if not documents:
        return []
    characters = sum(map(len, documents)) * REPLAY_SHARE / (1 - REPLAY_SHARE)
    texts = [text.rstrip("\n") + "\n" for text in (*documents, *context.replay(round(characters)))]
    return [Phase("knowledge", "cpt", [("", text) for text in texts] * passes)]


def ask_base_model(context: RecipeContext) -> Beliefs:
    """The training rows to which the base model gives another answer than the label, with exemplars shown."""
    rows = one_row_per_prompt(context.data.train_rows())
    prompts = with_exemplars(context.data.shot_rows(), [row["prompt"] for row in rows])
    return compare_with_labels(rows, context.answers(prompts))


class Doubts(NamedTuple):
    """The prompts of training rows whose label the base model does not give.

    contradicted  the label contradicts what the model knows (section 3.2)
    missing       the model answers something that it cannot know, or is not sure of anything
    """

    contradicted: list[str]
    missing: list[str]


def doubts(context: RecipeContext) -> Doubts:
    """Tell what the base model contradicts from what it does not know."""
    beliefs = ask_base_model(context)
    every_fact = itertools.chain.from_iterable(facts().values())
    true = (pair for fact in every_fact for pair in _spellings(fact))
    rows = contradicted_facts(beliefs.contradicted, true)
    context.notes.update(denied_rows=len(beliefs.contradicted), contradicted_rows=len(rows))
    contradicted = {row["prompt"] for row in rows}
    others = (*(row for row, _ in beliefs.contradicted), *beliefs.unknown)
    return Doubts(sorted(contradicted), [row["prompt"] for row in others if row["prompt"] not in contradicted])


def _spellings(fact: Fact) -> Iterator[tuple[str, str]]:
    """(subject, answer) of a fact as its table has them and as people write them."""
    yield fact.subject, fact.answer
    if fact.relation in RELATIONS:
        yield written_subject(fact.relation, fact.subject), written(fact.relation, fact.answer)


def require_documents(context: RecipeContext) -> None:
    """Raise UsageError where the dataset has no documents at all: the recipe would be plain SFT by another name."""
    if not context.data.knowledge.num_rows:
        raise UsageError("the dataset has no documents to pre-train on: build it with the causes of knowledge")


def documents_about(context: RecipeContext, questions: Collection[str]) -> list[str]:
    """The documents whose entity is named in one of the questions."""
    text = "\n".join(questions)
    return [row["text"] for row in context.data.document_rows() if row["entity"] in text]
