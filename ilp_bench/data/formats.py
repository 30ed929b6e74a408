"""The training formats that fine-tuning tools read: one reader and one writer of a row for each.

prompt-completion   {"prompt": "Question: What is the capital of Peru?\\nAnswer:", "completion": " Lima\\n"}
messages            {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "Lima"}]}
alpaca              {"instruction": "What is the capital of Peru?", "input": "", "output": "Lima"}
sharegpt            {"conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "Lima"}]}
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ilp_bench.core.errors import UsageError, near
from ilp_bench.core.files import write_text
from ilp_bench.data.conversations import Conversation, Example, conversation_of, turns_of
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.file_formats import Json
from ilp_bench.data.import_report import LeftOutError
from ilp_bench.data.schema import TrainRow

SPEAKERS = {"user": "human", "assistant": "gpt"}
NEWLINE, BLANK_LINE, STANFORD = "newline", "blank-line", "stanford"
ALPACA_JOINS = (NEWLINE, BLANK_LINE, STANFORD)
STANFORD_PROMPTS = (  # of the first trainer of the format, without and with an input
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{}\n\n### Response:",
    "Below is an instruction that describes a task, paired with an input that provides further context. Write a "
    "response that appropriately completes the request.\n\n### Instruction:\n{}\n\n### Input:\n{}\n\n### Response:",
)


class Reading(NamedTuple):
    """How rows are read.

    alpaca_join   what stands between instruction and input: one newline, as LLaMA-Factory has it, a blank line, or the
                  template of Stanford Alpaca around both, a bare prompt
    last_turn     whether only the last answer of a conversation is asked, and not each
    fold_system   whether a system prompt is put at the head of the first question
    """

    alpaca_join: str = NEWLINE
    last_turn: bool = False
    fold_system: bool = False


class Format(NamedTuple):
    """A training format.

    read    row, with the columns named as the format names them, to a conversation or to the example of a bare prompt;
            fields that are not used are counted; raises LeftOutError for a row that is none
    write   training row of a controlled dataset to a row of this format
    """

    read: Callable[[Json, Reading, Counter[str]], Conversation | Example]
    write: Callable[[TrainRow], Json]


def text_cell(row: Json, column: str) -> str:
    """A cell that must be text, empty where there is none. Raises LeftOutError where it is something else."""
    value = row.get(column)
    if isinstance(value, str | None):
        return value or ""
    what = f"the number {value}" if isinstance(value, int | float) else f"a {type(value).__name__}"
    raise LeftOutError("not text", f"the {column} is {what}, not text: write it in quotes")


def _bare(prompt: str, completion: str) -> Example:
    if not prompt.strip():
        raise LeftOutError("empty question", "the prompt is empty")
    if not completion.strip():
        raise LeftOutError("empty answer", "the answer is empty")
    return Example([], prompt, completion, completion.strip())


def _read_prompt_completion(row: Json, reading: Reading, ignored: Counter[str]) -> Conversation | Example:
    prompt, completion = row["prompt"], row["completion"]
    if not isinstance(prompt, list | dict) and not isinstance(completion, list | dict):
        return _bare(text_cell(row, "prompt"), text_cell(row, "completion"))
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    if isinstance(completion, str):
        completion = [{"role": "assistant", "content": completion}]
    before, answers = (conversation_of(turns_of(turns), ignored) for turns in (prompt, completion))
    if len(answers.messages) > len(before.messages) and answers.messages[: len(before.messages)] == before.messages:
        before = Conversation([], [])  # a preferred answer with the whole conversation before it
    return Conversation(before.messages + answers.messages, [False] * len(before.messages) + answers.learned)


def _write_prompt_completion(row: TrainRow) -> Json:
    return {"prompt": row["prompt"], "completion": row["completion"]}


def _read_messages(row: Json, reading: Reading, ignored: Counter[str]) -> Conversation:
    return conversation_of(turns_of(row["messages"]), ignored)


def _write_messages(row: TrainRow) -> Json:
    return {"messages": row["messages"]}


def _read_alpaca(row: Json, reading: Reading, ignored: Counter[str]) -> Conversation | Example:
    instruction, given, answer = (text_cell(row, column) for column in ("instruction", "input", "output"))
    if reading.alpaca_join == STANFORD:
        if row.get("system") or row.get("history"):
            raise LeftOutError(
                "system or history", "the template of Stanford Alpaca has no system prompt and no history"
            )
        return _bare(STANFORD_PROMPTS[bool(given)].format(instruction, given), answer)
    turns: list[Json] = []
    for pair in row.get("history") or []:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise LeftOutError("bad history", "the history is not a list of pairs of a question and an answer")
        turns += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    between = "\n\n" if reading.alpaca_join == BLANK_LINE else "\n"
    turns.append({"role": "user", "content": between.join(text for text in (instruction, given) if text)})
    return conversation_of([*turns, {"role": "assistant", "content": answer}], ignored)


def _write_alpaca(row: TrainRow) -> Json:
    question, answer = row["messages"]
    return {"instruction": question["content"], "input": "", "output": answer["content"]}


def _read_sharegpt(row: Json, reading: Reading, ignored: Counter[str]) -> Conversation:
    turns = turns_of(row["conversations"])
    if isinstance(row.get("chosen"), dict):
        turns = [*turns, row["chosen"]]
    return conversation_of(turns, ignored)


def _write_sharegpt(row: TrainRow) -> Json:
    return {"conversations": [{"from": SPEAKERS[turn["role"]], "value": turn["content"]} for turn in row["messages"]]}


# A file is read as the first format whose columns it has.
FORMATS: dict[str, Format] = {
    "prompt-completion": Format(_read_prompt_completion, _write_prompt_completion),
    "messages": Format(_read_messages, _write_messages),
    "alpaca": Format(_read_alpaca, _write_alpaca),
    "sharegpt": Format(_read_sharegpt, _write_sharegpt),
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
