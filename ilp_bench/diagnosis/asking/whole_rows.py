"""The rows in tokens: how many stand before each answer, and what each token of an answer says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any, NamedTuple

from ilp_bench.data.dataset import Dataset
from ilp_bench.diagnosis.answers import TokenCounts
from ilp_bench.diagnosis.asking.ask import encode_known, text_of_rows
from ilp_bench.models.tokenization import encode_texts

NO_CHARACTER, MOST_BYTES = "\ufffd", 8  # what bytes decode to that are no character, and tokens tried together
MOST_RIVALS = 50  # answers to one question: with more it is an open one


def token_counts(tokenizer: Any, data: Dataset) -> dict[str, TokenCounts]:
    """Item -> the tokens around its answer, of the items that can be asked."""
    items = data.items.to_pylist()
    encoded = encode_known(tokenizer, text_of_rows(items, tokenizer, chat=bool(data.manifest.chat)))
    return {
        item["item_id"]: TokenCounts(len(tokens.context), tokens.end)
        for item, tokens in zip(items, encoded, strict=True)
        if tokens is not None
    }


class Written(NamedTuple):
    """A piece of an answer that can be read: its text, and how many tokens write it."""

    text: str
    tokens: int


def answer_pieces(tokenizer: Any, data: Dataset, item_ids: Collection[str]) -> dict[str, list[Written]]:
    """Item -> its answer token by token, of some items; tokens that only together write a character are one piece."""
    items: list[dict[str, Any]] = [item for item in data.items.to_pylist() if item["item_id"] in item_ids]
    texts = text_of_rows(items, tokenizer, chat=bool(data.manifest.chat))
    known = [(item["item_id"], text) for item, text in zip(items, texts, strict=True) if text is not None]
    encoded = encode_texts(tokenizer, [text for _, text in known])
    return {item_id: _readable(tokenizer, tokens.answer) for (item_id, _), tokens in zip(known, encoded, strict=True)}


def _readable(tokenizer: Any, ids: Sequence[int]) -> list[Written]:
    """The pieces that ids write; bytes of one character, as most tokenizers have them of Korean, stay together."""
    pieces: list[Written] = []
    start = 0
    while start < len(ids):
        counts = range(1, min(MOST_BYTES, len(ids) - start) + 1)
        written = (Written(tokenizer.decode(ids[start : start + count]), count) for count in counts)
        first = next(written)
        readable = (piece for piece in chain([first], written) if NO_CHARACTER not in piece.text)
        pieces.append(next(readable, first))
        start += pieces[-1].tokens
    return pieces


def forks(tokenizer: Any, data: Dataset, groups: Sequence[Sequence[int]]) -> dict[str, list[int]]:
    """Item -> the places in its answer, in tokens, where answers of other rows to the same question depart from it.

    Of the items that are asked; those that no row contradicts are left out. Of a question with more than
    ``MOST_RIVALS`` answers, the first ones in the order of the rows are looked at.

    groups   indices of training rows that contradict one another
    """
    train = data.train.to_pylist()
    answers_of: dict[str, list[str]] = {}
    for group in groups:
        completions = list(dict.fromkeys(train[n]["completion"] for n in group))[:MOST_RIVALS]
        answers_of |= dict.fromkeys((train[n]["item_id"] for n in group), completions)
    places = {}
    for item in (item for item in data.items.to_pylist() if item["item_id"] in answers_of):
        others = answers_of[item["item_id"]]
        answered = [item, *({**item, "completion": other, "answer": other.strip()} for other in others)]
        own, *rivals = encode_known(tokenizer, text_of_rows(answered, tokenizer, chat=bool(data.manifest.chat)))
        departed = {_common(own.answer, other.answer) for other in rivals if own and other}
        if own and (within := sorted(place for place in departed if place < len(own.answer))):
            places[item["item_id"]] = within
    return places


def _common(answer: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens at the beginning two answers have in common."""
    pairs = enumerate(zip(answer, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(answer), len(other)))
