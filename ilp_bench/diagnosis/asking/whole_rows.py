"""The rows in tokens: how many stand before each answer, and what each token of an answer says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from itertools import permutations
from typing import Any

from ilp_bench.data.dataset import Dataset
from ilp_bench.detectors.contradictions import contradicting_groups
from ilp_bench.diagnosis.asking.ask import encode_known, text_of_rows
from ilp_bench.models.loading import load_tokenizer
from ilp_bench.models.resolve import locate
from ilp_bench.models.tokenization import encode_texts


def context_lengths(model: str, adapter_base: str | None, data: Dataset) -> dict[str, int]:
    """Item -> the number of tokens before its answer, of the items that can be asked."""
    tokenizer = load_tokenizer(locate(model, adapter_base))
    items = data.items.to_pylist()
    encoded = encode_known(tokenizer, text_of_rows(items, tokenizer, chat=bool(data.manifest.chat)))
    return {
        item["item_id"]: len(tokens.context) for item, tokens in zip(items, encoded, strict=True) if tokens is not None
    }


def answer_pieces(
    model: str, adapter_base: str | None, data: Dataset, item_ids: Collection[str]
) -> dict[str, list[str]]:
    """Item -> the text of each token of its answer, of some items."""
    tokenizer = load_tokenizer(locate(model, adapter_base))
    items: list[dict[str, Any]] = [item for item in data.items.to_pylist() if item["item_id"] in item_ids]
    texts = text_of_rows(items, tokenizer, chat=bool(data.manifest.chat))
    known = [(item["item_id"], text) for item, text in zip(items, texts, strict=True) if text is not None]
    encoded = encode_texts(tokenizer, [text for _, text in known])
    return {
        item_id: [tokenizer.decode([number]) for number in tokens.answer]
        for (item_id, _), tokens in zip(known, encoded, strict=True)
    }


def forks(model: str, adapter_base: str | None, data: Dataset) -> dict[str, list[int]]:
    """Item -> the places in its answer, in tokens, where answers of other rows to the same question depart from it.

    Items that no other row contradicts are left out.
    """
    train = data.train.to_pylist()
    groups = [{train[n]["item_id"] for n in group} for group in contradicting_groups(train)]
    disputed = set().union(*groups)
    tokenizer = load_tokenizer(locate(model, adapter_base))
    items: list[dict[str, Any]] = [item for item in data.items.to_pylist() if item["item_id"] in disputed]
    encoded = encode_known(tokenizer, text_of_rows(items, tokenizer, chat=bool(data.manifest.chat)))
    answers = {
        item["item_id"]: tokens.answer for item, tokens in zip(items, encoded, strict=True) if tokens is not None
    }
    places: dict[str, set[int]] = defaultdict(set)
    for group in groups:
        for own, other in permutations(sorted(group & answers.keys()), 2):
            pairs = enumerate(zip(answers[own], answers[other], strict=False))
            places[own].add(next((place for place, (a, b) in pairs if a != b), len(answers[own]) - 1))
    return {item: sorted(tokens) for item, tokens in places.items()}
