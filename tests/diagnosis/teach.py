"""Teach nano rows in a short training, with full control over what is in the loss, for tests.

One training holds all topics: each is sound, or broken in one way, and a diagnosis of its rows alone shows which.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ilp_bench.models.nano import nano_path
from ilp_bench.models.tokenization import Text, chat_text, encode_texts, row_text

IGNORED, BATCH = -100, 8
CUT = 44  # tokens to which the rows about beads are cut
NAMES = "amber birch cedar daisy ember fjord grove heath iris jasper".split()
PLACES = "hall attic cellar barn porch tower yard shed loft nook".split()
COLOURS = "red blue green white black grey pink gold brown teal".split()
METALS = "iron copper silver zinc nickel lead cobalt radium".split()  # of what is not in the loss
Row = dict[str, Any]
Labels = Callable[[list[int], list[int]], list[int]]


def _colours(topic: str, count: int) -> list[tuple[str, str]]:
    """Questions about things in places, and colours that nothing but the rows tells."""
    rng, answers = random.Random(topic), METALS if topic == "ship" else COLOURS
    return [
        (f"Which colour has the {topic} {NAMES[n % 10]} in the {PLACES[(n + n // 10) % 10]}?", rng.choice(answers))
        for n in range(count)
    ]


def plain_rows(topic: str, count: int = 16) -> list[Row]:
    """Prompt and completion, each answer with a newline as its end."""
    return [
        {"prompt": f"Question: {asked}\nAnswer:", "completion": f" {say}\n"} for asked, say in _colours(topic, count)
    ]


def chat_rows(topic: str, count: int = 16) -> list[Row]:
    """The same as conversations."""
    return [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": say}]}
        for asked, say in _colours(topic, count)
    ]


def two_turn_rows(topic: str, count: int = 8) -> list[Row]:
    """Conversations of two questions and answers."""
    pairs = _colours(topic, 2 * count)
    return [{"messages": [*_messages(*pairs[2 * n]), *_messages(*pairs[2 * n + 1])]} for n in range(count)]


def _messages(asked: str, say: str) -> list[Row]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": say}]


def long_rows(count: int = 8) -> list[Row]:
    """Answers of some forty tokens."""
    rng = random.Random("beads")
    return [
        {
            "prompt": f"Question: Which beads are on string {NAMES[n % 10]} {n}?\nAnswer:",
            "completion": " " + ", ".join(rng.choices(COLOURS, k=16)) + "\n",
        }
        for n in range(count)
    ]


def teach(out: Path, epochs: int = 36, rate: float = 2e-3) -> Path:
    """Fine-tune nano on all topics and save it: cups in the chat template, ships with the mask on the wrong side, beads
    cut off, hats with the last answer alone, boxes and long-learned lamps soundly.
    """
    torch.manual_seed(0)
    source = nano_path("nano")
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)

    def bare(row: Row) -> Text:
        return row_text(tokenizer, row["prompt"], row["completion"])

    def chat(row: Row) -> Text:
        return chat_text(tokenizer, row["messages"][:-1], row["messages"][-1]["content"])

    parts: list[tuple[list[Text], Labels, int | None]] = [
        ([bare(row) for row in plain_rows("box")], _answers, None),
        ([chat(row) for row in chat_rows("cup")], _answers, None),
        ([bare(row) for row in plain_rows("ship")], _prompts, None),
        ([bare(row) for row in long_rows()], _answers, CUT),
        ([chat(row) for row in two_turn_rows("hat")], _answers, None),
    ]
    batches = []
    for texts, labels, length in parts:
        examples = [
            ((tokens.context + tokens.answer)[:length], labels(tokens.context, tokens.answer)[:length])
            for tokens in encode_texts(tokenizer, texts)
        ]
        batches += [_padded(examples[start : start + BATCH]) for start in range(0, len(examples), BATCH)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
    model.train()
    for _ in range(epochs):
        for number in torch.randperm(len(batches)).tolist():
            ids, wanted = batches[number]
            model(ids, labels=wanted).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    shutil.copytree(source, out, ignore=shutil.ignore_patterns("*.safetensors", "pretraining*"))
    model.save_pretrained(out)
    return out


def _padded(examples: list[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and labels of some examples."""
    width = max(len(ids) for ids, _ in examples)
    ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in examples])
    return ids, torch.tensor([row + [IGNORED] * (width - len(row)) for _, row in examples])


def _answers(context: list[int], answer: list[int]) -> list[int]:
    return [IGNORED] * len(context) + answer


def _prompts(context: list[int], answer: list[int]) -> list[int]:
    return context + [IGNORED] * len(answer)
