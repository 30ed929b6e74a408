"""Conversations in the dialects of training files, and the examples in them: one for each answer that is learned."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ilp_bench.data.file_formats import Json
from ilp_bench.data.import_report import LeftOutError
from ilp_bench.data.templates import complete
from ilp_bench.detectors.labelled_row import Message

ROLES = {  # how roles are called in training files, in lower case -> as chat templates call them
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(
        ("assistant", "gpt", "model", "chatgpt", "bing", "bard", "bot", "ai", "function_call"), "assistant"
    ),
    **dict.fromkeys(("tool", "observation", "function_response"), "tool"),
    **{role: role for role in ("system", "developer", "function", "ipython")},
}
# Fields of a message that chat templates render, beside role and content.
RENDERED = ("reasoning_content", "reasoning", "thinking", "tool_calls", "function_call", "tool_call_id", "name")
LEARNED = ("weight", "train", "training", "trainable", "loss")  # fields of a message that say whether it is learned
NOT_LEARNED = "the answer has weight 0, or train or loss false"
PLAIN_TURNS = {"user": "Question: {}\nAnswer:", "assistant": " {}\n"}  # how a conversation is written as bare text


class Example(NamedTuple):
    """An answer of a training row, and what it answers, as turns of a conversation or as a bare prompt.

    turns         the turns before the answer; empty for a bare prompt
    prompt        the same as bare text
    completion    the answer that follows ``prompt``, with its leading space
    answer        the answer as it was trained, in a conversation; without outer space after a bare prompt
    conversation  JSON of all that a chat template renders (``messages`` with the answer, ``tools``, ``kwargs``), where
                  that is more than roles and texts; else empty
    context       a word that stands for what ``conversation`` has beside roles, texts and the called tools
    """

    turns: list[Message]
    prompt: str
    completion: str
    answer: str
    conversation: str = ""
    context: str = ""


class Conversation(NamedTuple):
    """The messages of a row, with the fields that templates render, and which of them are learned."""

    messages: list[Json]
    learned: list[bool]


def turns_of(value: Any) -> list[Json]:
    """The turns in a list, in its JSON text, or in a table of two columns. Raises LeftOutError for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if isinstance(value, dict) and value and all(isinstance(column, list) for column in value.values()):
        value = [dict(zip(value, cells, strict=False)) for cells in zip(*value.values(), strict=False)]
    if not isinstance(value, list) or not value or not all(isinstance(turn, dict) for turn in value):
        raise LeftOutError(
            "not a conversation", "the messages are not a list of role and content, or of from and value"
        )
    return value


def conversation_of(turns: Sequence[Json], ignored: Counter[str]) -> Conversation:
    """Read turns in any dialect; fields that no template renders are counted in ``ignored``."""
    conversation = Conversation([], [])
    for turn in turns:
        speaker = turn.get("role") if turn.get("role") is not None else turn.get("from")
        name = speaker.casefold() if isinstance(speaker, str) else ""
        role = ROLES.get(name)
        if role is None:
            raise LeftOutError("unknown role", f"the role {speaker!r} is none of {', '.join(ROLES)}")
        content = turn.get("content") if turn.get("content") is not None else turn.get("value")
        message: Json = {"role": role, "content": _text(content)}
        message |= {field: without_none(turn[field]) for field in RENDERED if not empty(turn.get(field))}
        if name == "function_call" and (calls := _calls(message["content"])):
            message |= {"content": "", "tool_calls": calls}
        used = ("role", "from", "content", "value", *RENDERED, *LEARNED)
        ignored.update(f"messages.{field}" for field, value in turn.items() if field not in used and not empty(value))
        conversation.messages.append(message)
        marks = [turn[field] for field in LEARNED if turn.get(field) is not None]
        conversation.learned.append(role == "assistant" and not any(map(says_no, marks)))
    return conversation


def says_no(mark: Any) -> bool:
    """Whether a mark of a row or a message says that it is not learned: 0, false, or the text of either."""
    return mark.strip().casefold() in ("false", "0", "0.0", "no") if isinstance(mark, str) else mark in (False, 0)


def examples_of(conversation: Conversation, tools: Any, kwargs: Json | None) -> Iterator[Example | LeftOutError]:
    """The example of each answer, or why there is none."""
    messages = conversation.messages
    for n, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        asked = messages[n - 1] if n else {"role": "", "content": ""}
        if not conversation.learned[n]:
            yield LeftOutError("not learned", NOT_LEARNED, sound=True)
        elif asked["role"] in ("", "system", "developer", "assistant"):
            yield LeftOutError(
                "no question", f"an answer follows {asked['role'] or 'nothing'}, not a question of the user"
            )
        elif asked["role"] == "user" and not asked["content"].strip():
            yield LeftOutError("empty question", "the question is empty")
        elif not plain_text(message).strip():
            yield LeftOutError("empty answer", "the answer is empty")
        else:
            yield _example(messages[:n], message, tools, kwargs)
    if not any(message["role"] == "assistant" for message in messages):
        yield LeftOutError("no answer", "no message is an answer of the assistant")


def fold_system(conversation: Conversation) -> Conversation:
    """The conversation with its system prompt at the head of the first question, for templates that have no system."""
    messages, learned = conversation
    if len(messages) < 2 or messages[0]["role"] not in ("system", "developer") or messages[1]["role"] != "user":
        return conversation
    first = messages[1] | {"content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
    return Conversation([first, *messages[2:]], learned[1:])


def plain_text(message: Json) -> str:
    """What a message says as bare text: its content, and the tools it calls as JSON."""
    calls = message.get("tool_calls") or message.get("function_call")
    parts = [message["content"], _json(calls) if calls else ""]
    return "\n".join(part for part in parts if part)


def empty(value: Any) -> bool:
    """Whether a cell of a row says nothing."""
    return value is None or value == "" or value == [] or value == {}


def _example(before: Sequence[Json], message: Json, tools: Any, kwargs: Json | None) -> Example:
    turns: list[Message] = [{"role": turn["role"], "content": turn["content"]} for turn in before]
    prompt = f"Tools: {_json(tools)}\n" if tools else ""
    prompt += "".join(PLAIN_TURNS.get(turn["role"], "{}\n").format(plain_text(turn)) for turn in before)
    if before[-1]["role"] != "user":
        prompt += "Answer:"
    text = plain_text(message)
    # The calls of the answer are what is answered; all else belongs to what is asked.
    beside = [_fields(turn) for turn in before] + [
        {name: value for name, value in _fields(message).items() if name not in ("tool_calls", "function_call")}
    ]
    everything = {"messages": [*before, message], "tools": tools, "kwargs": kwargs}
    rendered = tools or kwargs or any(beside) or _fields(message)
    context = tools or kwargs or any(beside)
    return Example(
        turns,
        prompt,
        complete(text.strip()),
        message["content"] if message["content"].strip() else text,
        _json({name: value for name, value in everything.items() if value}) if rendered else "",
        _word([tools, kwargs, beside]) if context else "",
    )


def _fields(message: Json) -> Json:
    return {name: value for name, value in message.items() if name not in ("role", "content")}


def _word(value: Any) -> str:
    """A word of letters for a value, the same for the same value."""
    digest = hashlib.sha256(_json(value).encode("utf-8", "surrogatepass")).digest()
    return "context" + "".join(chr(ord("a") + byte % 26) for byte in digest[:12])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _text(content: Any) -> str:
    """A message's content: a text, nothing, or the texts among its parts."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        for part in content:
            kind = part.get("type", "text")
            if kind not in ("text", "input_text", "output_text") or not isinstance(part.get("text"), str):
                name = str(kind).removesuffix("_url").removeprefix("input_")
                raise LeftOutError(f"{name} parts", f"a message has a part of type {kind!r}, which is not text")
        return "".join(part["text"] for part in content)
    raise LeftOutError("not text", f"the content of a message is {content!r:.40}, not text")


def _calls(text: str) -> list[Json]:
    """The tool calls in a ShareGPT turn ``function_call``, one or several; empty where it holds none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    calls = value if isinstance(value, list) else [value]
    if not calls or not all(isinstance(call, dict) and "name" in call for call in calls):
        return []
    return [{"type": "function", "function": call} for call in calls]


def without_none(value: Any) -> Any:
    """The value without keys whose value is None: tables give every struct the keys of all."""
    if isinstance(value, dict):
        return {name: without_none(each) for name, each in value.items() if each is not None}
    return [without_none(each) for each in value] if isinstance(value, list) else value
