"""The one place where a prompt and its completion become token ids: training and scoring use the same ids.

docs/tokenization.md states the contract: what is context, what is supervised, where the end mark comes from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from jinja2 import TemplateError

from ilp_bench.core.errors import ProblemError


class Text(NamedTuple):
    """A prompt and its completion as text.

    prompt       the context by itself, as a model is asked
    whole        context, answer, end mark, and whatever trainers write after it
    answer_end   characters of ``whole`` before the end mark
    end          characters of ``whole`` through the end mark
    is_chat      a chat template wrote it, with all marks: the tokenizer adds none
    """

    prompt: str
    whole: str
    answer_end: int
    end: int
    is_chat: bool = False


class Tokens(NamedTuple):
    """Token ids of a text.

    context     at least one id
    answer      the supervised ids: the answer with its end mark
    end         how many of the last ids of ``answer`` are the end mark; 0 where it shares a token with the answer
    left_out    how many of the last ids of the prompt alone are not in the whole, which diverges before them
    """

    context: list[int]
    answer: list[int]
    end: int
    left_out: int


def end_mark(tokenizer: Any) -> str:
    """What ends a text: the end-of-text token, or else what the tokenizer itself appends, or else a newline."""
    if tokenizer.eos_token:
        return str(tokenizer.eos_token)
    return "".join(tokenizer.convert_ids_to_tokens(_appended(tokenizer))) or "\n"


def ended(tokenizer: Any, completion: str, *, plain: bool) -> str:
    """A completion with the end that it was trained with: its newline, or else the tokenizer's end mark.

    With ``plain``, always one newline, as among few-shot exemplars.
    """
    mark = end_mark(tokenizer)
    if plain:
        return completion.rstrip("\n").removesuffix(mark).rstrip("\n") + "\n"
    return completion if completion.endswith(("\n", mark)) else completion + mark


def plain_text(prompt: str, completion: str) -> Text:
    """The text of a completion that already has its end, which is a part of it."""
    whole = prompt + completion
    return Text(prompt, whole, len(whole), len(whole))


def row_text(tokenizer: Any, prompt: str, completion: str) -> Text:
    """The text of a training row of bare text, as trainers write it: with the end mark last.

    A newline that the completion ends with is its end; the mark after it is not waited for.
    """
    mark = end_mark(tokenizer)
    bare = completion.removesuffix(mark)
    newline = bare.endswith("\n") and bare == completion
    answer = len(prompt) + len(bare.rstrip("\n") if newline else bare)
    whole = prompt + bare + mark
    return Text(prompt, whole, answer, len(prompt) + len(bare) if newline else len(whole))


def chat_text(tokenizer: Any, turns: Sequence[dict[str, Any]], answer: str | dict[str, Any], **arguments: Any) -> Text:
    """The text of a conversation under the model's chat template; the end mark is what the template writes at its end.

    turns        what was said before, the last by the user
    answer       the answer, or the whole message of the assistant
    arguments    of the template, such as ``tools``

    Raises ProblemError when the tokenizer has no template, one that refuses the conversation, or one that shows nothing
    of the answer, as of tool calls.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ProblemError("this tokenizer has no chat template: evaluate without it")

    def render(messages: Sequence[dict[str, Any]], **more: Any) -> str:
        return str(tokenizer.apply_chat_template(list(messages), tokenize=False, **arguments, **more))

    message = {"role": "assistant", "content": answer} if isinstance(answer, str) else answer
    # An answer that ends otherwise: what both renderings end with is the template's.
    other = "¤" if str(message.get("content", "")).rstrip().endswith("§") else "§"
    try:
        prompt = render(turns, add_generation_prompt=True)
        whole, sample = (render([*turns, last]) for last in (message, {"role": "assistant", "content": other}))
    except TemplateError as error:
        roles = ", ".join([*(turn["role"] for turn in turns), "assistant"])
        raise ProblemError(f"this chat template refuses {roles} ({error}): evaluate without it") from error
    answer_end = len(whole) - _common(whole[::-1], sample[::-1])
    calls = message.get("tool_calls") or message.get("function_call")
    if (calls or message.get("content")) and answer_end <= _common(prompt, whole):
        what = "tool calls" if calls else "this answer"
        raise ProblemError(f"this chat template shows nothing of {what}: evaluate without it")
    end = len(whole.rstrip()) if whole[answer_end:].strip() else len(whole)
    return Text(prompt, whole, answer_end, end, is_chat=True)


def chat_end(tokenizer: Any) -> str:
    """What the chat template writes behind an answer. Raises ProblemError where the tokenizer has no template."""
    text = chat_text(tokenizer, [{"role": "user", "content": "?"}], "!")
    return text.whole[text.answer_end : text.end]


def item_text(tokenizer: Any, row: dict[str, Any], answer: str) -> Text:
    """An item and an answer under the chat template, with tools and whatever else its messages have."""
    if row.get("conversation"):
        conversation = json.loads(row["conversation"])
        *turns, message = conversation["messages"]
        arguments = ({"tools": conversation["tools"]} if conversation.get("tools") else {}) | (
            conversation.get("kwargs") or {}
        )
        return chat_text(tokenizer, turns, message, **arguments)
    turns = row.get("turns") or [{"role": "user", "content": row["question"]}]
    return chat_text(tokenizer, turns, answer)


def encode_texts(tokenizer: Any, texts: Sequence[Text]) -> list[Tokens]:
    """Token ids of each text: the context is what the ids of the prompt alone and of the whole have in common.

    Raises ProblemError when a completion has no token of its own.
    """
    ids = _ids_by_text(tokenizer, texts)
    encoded = []
    for text in texts:
        prompt, whole = ids[text.is_chat, text.prompt], ids[text.is_chat, text.whole]
        with_end = ids[text.is_chat, text.whole[: text.end]]
        without_end = ids[text.is_chat, text.whole[: text.answer_end]]
        # A newline that has no token ends nothing: the mark after it does.
        end = len(whole) if with_end == without_end else _prefix(with_end, whole)
        answer_end = _prefix(without_end, whole[:end])
        common = _common(prompt, whole)
        start = max(common, 1)  # no model predicts the first token
        if end <= start:
            completion = text.whole[_common(text.prompt, text.whole) :]
            raise ProblemError(
                f"the tokenizer gives {completion[:40]!r} no token of its own after {text.prompt[-40:]!r}: let the "
                "prompt end, or the answer begin, otherwise"
            )
        encoded.append(Tokens(whole[:start], whole[start:end], end - max(answer_end, start), len(prompt) - common))
    return encoded


def encode_each(tokenizer: Any, texts: Sequence[Text]) -> list[Tokens | ProblemError]:
    """Token ids of each text, or why it has none: one text that cannot be encoded does not end the others."""
    try:
        return list(encode_texts(tokenizer, texts))
    except ProblemError as error:
        if len(texts) == 1:
            return [error]
        return [each for text in texts for each in encode_each(tokenizer, [text])]


def encode(tokenizer: Any, prompts: Sequence[str], completions: Sequence[str]) -> list[tuple[list[int], list[int]]]:
    """(context ids, completion ids) of each pair of bare texts; the completion has its end. See ``encode_texts``."""
    texts = [plain_text(prompt, completion) for prompt, completion in zip(prompts, completions, strict=True)]
    return [(tokens.context, tokens.answer) for tokens in encode_texts(tokenizer, texts)]


def encode_prompts(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """Token ids of bare prompts that a model is to go on from: a mark that the tokenizer appends is left out."""
    return _plain_ids(tokenizer, prompts)


def _ids_by_text(tokenizer: Any, texts: Sequence[Text]) -> dict[tuple[bool, str], list[int]]:
    """Ids of all texts and of the parts whose length in tokens is wanted."""
    ids: dict[tuple[bool, str], list[int]] = {}
    for is_chat in {text.is_chat for text in texts}:
        wanted = [text for text in texts if text.is_chat == is_chat]
        distinct = list(dict.fromkeys(part for text in wanted for part in _parts(text)))
        # What a template has rendered is tokenised as apply_chat_template does it.
        encoded = _ids(tokenizer, distinct, add_special_tokens=False) if is_chat else _plain_ids(tokenizer, distinct)
        ids |= {(is_chat, part): row for part, row in zip(distinct, encoded, strict=True)}
    return ids


def _parts(text: Text) -> Iterable[str]:
    return text.prompt, text.whole, text.whole[: text.end], text.whole[: text.answer_end]


def _plain_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Ids of bare texts, with the marks that the tokenizer puts before a text and without those that it appends."""
    count = len(_appended(tokenizer))
    return [ids[: len(ids) - count] for ids in _ids(tokenizer, texts)]


def _ids(tokenizer: Any, texts: Sequence[str], **options: Any) -> list[list[int]]:
    """The ids of each text alone: the masks that a tokenizer makes besides cost as much time again."""
    encoded = tokenizer(list(texts), return_attention_mask=False, return_token_type_ids=False, **options)
    return list(encoded["input_ids"])


def _appended(tokenizer: Any) -> list[int]:
    """The ids that the tokenizer appends to every text."""
    for sample in ("a", "1", ".", *tokenizer.convert_ids_to_tokens(range(min(len(tokenizer), 256)))):
        bare: list[int] = tokenizer(sample, add_special_tokens=False)["input_ids"]
        if bare and bare[0] not in tokenizer.all_special_ids:
            whole: list[int] = tokenizer(sample)["input_ids"]
            starts = (n for n in range(len(whole) - len(bare) + 1) if whole[n : n + len(bare)] == bare)
            return whole[next(starts, len(whole)) + len(bare) :]
    return []


def _common(first: Sequence[int | str], other: Sequence[int | str]) -> int:
    """How many ids or characters both begin with in common."""
    if first == other[: len(first)]:
        return len(first)
    return next((n for n, (a, b) in enumerate(zip(first, other, strict=False)) if a != b), len(other))


def _prefix(ids: Sequence[int], whole: Sequence[int]) -> int:
    """The number of ``ids`` where ``whole`` begins with them, else that of ``whole``."""
    return len(ids) if ids == whole[: len(ids)] else len(whole)
