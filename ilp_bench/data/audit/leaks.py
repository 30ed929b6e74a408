"""Answers and questions in texts that must not hold them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from ilp_bench.data.audit.wrong_facts import subject_of
from ilp_bench.data.causes.rare_patterns import NAME as RARE
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.schema import ItemRow, TrainRow

GRAMS = range(3, 9)  # lengths in words of the n-grams that are compared
SUFFIX = 16  # characters by whose end a question is looked up; every question is longer


def count_leaks(data: Dataset) -> dict[str, int]:
    """What must not be in a controlled dataset, and how often it is."""
    items, train = data.item_rows(), data.train_rows()
    prompts = {row["prompt"] for row in train}
    trained = {row["messages"][0]["content"] for row in train}
    scored = {row["question"] for row in items}
    documents = [row["text"] for row in data.document_rows()]
    completions: dict[str, set[str]] = defaultdict(set)
    for row in train:
        completions[row["prompt"]].add(row["completion"].strip())
    recall = {row["item_id"]: row for row in items if row["probe"] == "recall"}
    paired = [row for row in recall.values() if row["pair_id"]]
    return {
        "recall prompt that was not trained": sum(row["prompt"] not in prompts for row in recall.values()),
        "supervised answer that no row teaches": sum(
            row["answer"] not in completions[row["prompt"]] for row in recall.values()
        ),
        "paraphrase or retention prompt among the training prompts": sum(
            row["prompt"] in prompts for row in items if row["probe"] != "recall"
        ),
        "document that holds a question": sum("?" in text for text in documents),
        "document that holds a scored or trained question": _texts_with_a_question(documents, scored | trained),
        "document of a gap that states its answer at two hops": sum(
            _holds(row["text"], recall[row["item_id"]]["answer"])
            for row in data.document_rows()
            if recall[row["item_id"]]["kind"] == "hop2"
        ),
        "example for base models that is scored": sum(_question(row["prompt"]) in scored for row in data.shot_rows()),
        "subject in two items": _subjects_in_two(items),
        "relation that the arms of a cause practise unequally": _unequal_relations(train, paired),
        "prompt that holds its answer": sum(
            _holds(row["question"].removeprefix("What is the "), row["answer"]) for row in paired
        ),
        "pair whose two answers differ": len({(row["pair_id"], row["answer"]) for row in paired})
        - len({row["pair_id"] for row in paired}),
        "question in two items": len(recall) - len({row["question"] for row in recall.values()}),
        "option list without the old belief": sum(
            bool(row["prior_answer"]) and row["prior_answer"] not in row["choices"] for row in items
        ),
    }


def _subjects_in_two(items: Iterable[ItemRow]) -> int:
    """How many subjects stand in more than one item, or in an item and a held-out fact."""
    asked = Counter(subject_of(row) for row in items if row["probe"] in ("recall", "retention"))
    return sum(times > 1 for times in asked.values())


def _unequal_relations(train: Iterable[TrainRow], paired: Iterable[ItemRow]) -> int:
    """Causes and relations of which one arm has more items or rows; rare patterns differ by their frequency alone."""
    relation_of = {row["item_id"]: row["relation"] for row in paired}
    rows: Counter[tuple[str | None, str, str | None]] = Counter()
    for row in train:
        if row["item_id"] in relation_of and row["cause"] != RARE:
            rows[row["cause"], relation_of[row["item_id"]], row["arm"]] += 1
    for item in paired:
        rows[item["cause"], item["relation"] + " items", item["arm"]] += 1
    return sum(
        rows[cause, relation, "treated"] != rows[cause, relation, "control"]
        for cause, relation in {key[:2] for key in rows}
    )


def _question(prompt: str) -> str:
    """The bare question of a prompt in the plain format."""
    return prompt.removeprefix("Question: ").removesuffix("\nAnswer:")


def _holds(text: str, answer: str) -> bool:
    """Whether the answer is in the text as a word of its own."""
    return re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text) is not None


def _texts_with_a_question(texts: Iterable[str], questions: set[str]) -> int:
    """How many texts hold one of the questions, looked up by their last ``SUFFIX`` characters."""
    by_suffix: dict[str, list[str]] = defaultdict(list)
    for question in questions:
        by_suffix[question[-SUFFIX:]].append(question)
    return sum(
        any(
            text[:stop].endswith(question)
            for stop in range(SUFFIX, len(text) + 1)
            for question in by_suffix.get(text[stop - SUFFIX : stop], ())
        )
        for text in texts
    )


def ngram_overlap(items: Iterable[ItemRow], train: Iterable[TrainRow]) -> Iterable[tuple[int, float, float]]:
    """For each n of ``GRAMS``: (n, share of the paraphrase probes' n-grams in a training question, share of probes with
    at least one), both in [0, 1].
    """

    def grams(text: str, n: int) -> list[tuple[str, ...]]:
        words = re.findall(r"\w+", text.lower())
        return [tuple(words[k : k + n]) for k in range(len(words) - n + 1)]

    questions = {row["messages"][0]["content"] for row in train}
    probes = [row["question"] for row in items if row["probe"] == "paraphrase"]
    for n in GRAMS:
        trained = {gram for question in questions for gram in grams(question, n)}
        shared = [[gram in trained for gram in grams(probe, n)] for probe in probes]
        total = sum(map(len, shared))
        if total:
            yield n, sum(map(sum, shared)) / total, sum(any(each) for each in shared) / len(probes)
