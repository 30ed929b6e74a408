"""The bare questions of user data: what a conversation asks, or a prompt without the labels around it."""

from __future__ import annotations

from collections.abc import Sequence

from ilp_bench.data.conversations import Example


def questions_of(examples: Sequence[Example]) -> list[str]:
    """What is asked: all turns but a system prompt that all have, and a word for what else a template renders; or the
    bare prompt, without labels (``Question: ``) that all have.
    """
    if examples[0].turns:
        with_system = len({system_of(each) for each in examples}) > 1
        return [question_of(each, with_system=with_system) for each in examples]
    texts = [each.prompt for each in examples]
    if len(set(texts)) == 1:
        return texts
    shared = _common_prefix(texts)
    ends = (shared.rfind(colon) + len(colon) for colon in (": ", "：") if colon in shared)
    start = max(shared.rfind("\n") + 1, *ends, 0)
    rest = [text[start:] for text in texts]
    shared_end = _common_prefix([text[::-1] for text in rest])[::-1]
    cut = len(shared_end) - shared_end.find("\n") if "\n" in shared_end else 0
    return [text[: len(text) - cut].strip() or whole for text, whole in zip(rest, texts, strict=True)]


def system_of(example: Example) -> str:
    """The system prompt of a conversation; empty where it has none."""
    first = example.turns[0]
    return first["content"] if first["role"] in ("system", "developer") else ""


def question_of(example: Example, *, with_system: bool) -> str:
    """What is asked by all turns of a conversation, with its system prompt or without it."""
    turns = example.turns if with_system or not system_of(example) else example.turns[1:]
    return "\n".join([*(turn["content"] for turn in turns), *filter(None, [example.context])])


def _common_prefix(texts: Sequence[str]) -> str:
    """What all texts begin with."""
    low, high = min(texts), max(texts)
    return low[: next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))]
