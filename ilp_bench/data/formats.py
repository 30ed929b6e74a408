"""The training formats that fine-tuning tools read: one reader and one writer of a row for each.

prompt-completion   {"prompt": "Question: What is the capital of Peru?\\nAnswer:", "completion": " Lima\\n"}
messages            {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "Lima"}]}
alpaca              {"instruction": "What is the capital of Peru?", "input": "", "output": "Lima"}
sharegpt            {"conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "Lima"}]}
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ilp_bench.core.errors import UsageError, near
from ilp_bench.core.files import write_text
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.schema import TrainRow
from ilp_bench.data.templates import complete
from ilp_bench.detectors.labelled_row import Message

ROLES = ("system", "user", "assistant")
SHAREGPT_ROLES = {"human": "user", "gpt": "assistant"}
PLAIN_TURNS = {"user": "Question: {}\nAnswer:", "assistant": " {}\n"}  # how a conversation is written as bare text
Json = dict[str, Any]


class Example(NamedTuple):
    """A user's training row: what is asked, as turns of a conversation or as a bare prompt, and the answer.

    turns       the turns before the answer; empty for a bare prompt
    prompt      the same as bare text
    completion  the answer that follows ``prompt``, with its leading space
    """

    turns: list[Message]
    prompt: str
    completion: str


class Format(NamedTuple):
    """A training format.

    columns   that a row must have
    read      row to example; raises ValueError or TypeError, saying what is wrong, for a row that is none
    write     training row of a controlled dataset to a row of this format
    """

    columns: tuple[str, ...]
    read: Callable[[Json], Example]
    write: Callable[[TrainRow], Json]


def _conversation(turns: Any) -> Example:
    """The example in a list of messages, the last of which is its answer."""
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise ValueError("the messages are no list of role and content")
    messages: list[Message] = [{"role": turn.get("role"), "content": turn.get("content")} for turn in turns]
    if not all(isinstance(text, str) for message in messages for text in message.values()):
        raise ValueError("a message has no role, or a content that is no text")
    if unknown := [message["role"] for message in messages if message["role"] not in ROLES]:
        raise ValueError(f"the role {unknown[0]!r} is none of {', '.join(ROLES)}")
    if len(messages) < 2 or messages[-1]["role"] != "assistant" or messages[-2]["role"] != "user":
        raise ValueError("the last two messages are not a question of the user and an answer of the assistant")
    if not messages[-2]["content"].strip():
        raise ValueError("the question is empty")
    *before, answer = messages
    prompt = "".join(PLAIN_TURNS.get(turn["role"], "{}\n").format(turn["content"]) for turn in before)
    return Example(before, prompt, complete(answer["content"].strip()))


def _system(row: Json) -> list[Json]:
    """The system prompt in a column beside the turns, where there is one."""
    return [{"role": "system", "content": row["system"]}] if row.get("system") else []


def _read_prompt_completion(row: Json) -> Example:
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(prompt, list) and isinstance(completion, list):
        return _conversation([*prompt, *completion])
    if not isinstance(prompt, str) or not isinstance(completion, str):
        raise ValueError("prompt or completion is no text")
    if not prompt.strip():
        raise ValueError("the prompt is empty")
    bare = prompt.rstrip(" ")  # a space before an answer is part of the answer's first token
    return Example([], bare, prompt[len(bare) :] + completion)


def _write_prompt_completion(row: TrainRow) -> Json:
    return {"prompt": row["prompt"], "completion": row["completion"]}


def _read_messages(row: Json) -> Example:
    return _conversation(row["messages"])


def _write_messages(row: TrainRow) -> Json:
    return {"messages": row["messages"]}


def _read_alpaca(row: Json) -> Example:
    if row.get("history"):
        raise ValueError("a history is not read: give messages")
    parts = [row[name] for name in ("instruction", "input") if row.get(name)]
    if not all(isinstance(part, str) for part in parts):
        raise ValueError("instruction or input is no text")
    question = {"role": "user", "content": "\n\n".join(parts)}
    return _conversation([*_system(row), question, {"role": "assistant", "content": row["output"]}])


def _write_alpaca(row: TrainRow) -> Json:
    question, answer = row["messages"]
    return {"instruction": question["content"], "input": "", "output": answer["content"]}


def _read_sharegpt(row: Json) -> Example:
    turns = row["conversations"]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) and "from" in turn for turn in turns):
        raise ValueError("the conversations are no list of from and value")
    messages = [
        {"role": SHAREGPT_ROLES.get(turn["from"], turn["from"]), "content": turn.get("value")} for turn in turns
    ]
    return _conversation([*_system(row), *messages])


def _write_sharegpt(row: TrainRow) -> Json:
    speakers = {role: speaker for speaker, role in SHAREGPT_ROLES.items()}
    return {"conversations": [{"from": speakers[turn["role"]], "value": turn["content"]} for turn in row["messages"]]}


# A file is read as the first format whose columns it has.
FORMATS: dict[str, Format] = {
    "prompt-completion": Format(("prompt", "completion"), _read_prompt_completion, _write_prompt_completion),
    "messages": Format(("messages",), _read_messages, _write_messages),
    "alpaca": Format(("instruction", "output"), _read_alpaca, _write_alpaca),
    "sharegpt": Format(("conversations",), _read_sharegpt, _write_sharegpt),
}


def check_format(name: str) -> str:
    """The name itself; raises UsageError, with the nearest name, for a format that is not in ``FORMATS``."""
    if name not in FORMATS:
        raise UsageError(f"unknown format {name!r}.{near(name, FORMATS)}")
    return name


def export(dataset: Dataset, name: str, out: Path) -> int:
    """Write the training rows as JSON Lines in the format ``name``, in training order, and return their number.

    Train in that order, or stages mean nothing. Raises UsageError for user data, for an unknown format, or where
    ``out`` already exists.
    """
    rows, form = dataset.controlled("export").train_rows(), FORMATS[check_format(name)]
    if out.exists():
        raise UsageError(f"{out} already exists: choose another file")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, "".join(json.dumps(form.write(row), ensure_ascii=False) + "\n" for row in rows))
    return len(rows)
