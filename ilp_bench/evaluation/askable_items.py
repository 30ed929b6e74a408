"""Which items of user data a model can be asked: one that it cannot be asked is counted, and does not end a run."""

from __future__ import annotations

from typing import Any, NamedTuple

from ilp_bench.core.errors import ProblemError
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.manifest import Skipped
from ilp_bench.evaluation.request_plan import request_text
from ilp_bench.models import tokenization as tokens
from ilp_bench.models.askable import REFUSED, TOO_LONG

Items = list[dict[str, Any]]


class AskableItems(NamedTuple):
    """The items that are asked, in their order, and by reason how many are not, with the first of each.

    ``encoded`` has the token ids of those texts that were encoded to find out.
    """

    items: Items
    not_asked: dict[str, Skipped]
    encoded: dict[tokens.Text, tokens.Tokens]


def askable_items(tokenizer: Any, data: Dataset, *, chat: bool, limit: int, strict: bool = False) -> AskableItems:
    """The items of ``data`` that a model can be asked; all of a controlled dataset.

    limit     tokens of prompt and answer together that the model's context holds; a prompt is cut to fit, an answer not
    strict    whether one item that cannot be asked ends the run

    Raises ProblemError where no item can be asked, or with ``strict`` any cannot.
    """
    items = data.items.to_pylist()
    if not data.is_user_data:
        return AskableItems(items, {}, {})
    reasons, encoded = _reasons(tokenizer, items, chat=chat, limit=limit)
    not_asked: dict[str, Skipped] = {}
    for index, (reason, detail) in sorted(reasons.items()):
        question = items[index]["question"] or items[index]["prompt"]
        before = not_asked.get(reason)
        not_asked[reason] = (
            before.model_copy(update={"count": before.count + 1})
            if before
            else Skipped(count=1, first=f"{question[:60]!r}: {detail}")
        )
    if reasons and (strict or len(reasons) == len(items)):
        counts = "; ".join(f"{each.count} x {reason} ({each.first})" for reason, each in not_asked.items())
        raise ProblemError(f"{len(reasons)} of {len(items)} items cannot be asked: {counts}: {_remedy(reasons)}")
    return AskableItems([item for index, item in enumerate(items) if index not in reasons], not_asked, encoded)


def _reasons(
    tokenizer: Any, items: Items, *, chat: bool, limit: int
) -> tuple[dict[int, tuple[str, str]], dict[tokens.Text, tokens.Tokens]]:
    """Index of an item that cannot be asked -> (reason that is counted, what is said of the first); encoded texts."""
    texts: dict[int, tokens.Text] = {}
    encoded: dict[tokens.Text, tokens.Tokens] = {}
    reasons: dict[int, tuple[str, str]] = {}
    for index, item in enumerate(items):
        try:
            texts[index] = request_text(tokenizer, item, item["answer"], chat=chat)
        except ProblemError as error:
            reasons[index] = REFUSED, str(error).rsplit(": ", 1)[0]
    for index, ids in zip(texts, tokens.encode_each(tokenizer, list(texts.values())), strict=True):
        if isinstance(ids, ProblemError):
            reasons[index] = REFUSED, str(ids).rsplit(": ", 1)[0]
        elif len(ids.answer) >= limit:
            reasons[index] = TOO_LONG, f"the answer has {len(ids.answer)} tokens, more than the model's {limit - 1}"
        else:
            encoded[texts[index]] = ids
    return reasons, encoded


def _remedy(reasons: dict[int, tuple[str, str]]) -> str:
    if any("refuses system" in detail for _, detail in reasons.values()):
        return "import the rows again with system prompts folded into the first question"
    return "fix or remove these rows, and import them again"
