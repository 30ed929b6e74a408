"""The training rows in the formats that fine-tuning tools read, as JSON Lines in training order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ilp_bench.core.errors import UsageError, near
from ilp_bench.core.files import write_text
from ilp_bench.data.dataset import Dataset

Row = dict[str, Any]


def _messages(row: Row) -> Row:
    return {"messages": row["messages"]}


def _prompt_completion(row: Row) -> Row:
    return {"prompt": row["prompt"], "completion": row["completion"]}


def _alpaca(row: Row) -> Row:
    asked, answered = row["messages"]
    return {"instruction": asked["content"], "input": "", "output": answered["content"]}


def _sharegpt(row: Row) -> Row:
    speakers = {"user": "human", "assistant": "gpt"}
    return {"conversations": [{"from": speakers[turn["role"]], "value": turn["content"]} for turn in row["messages"]]}


FORMATS: dict[str, Callable[[Row], Row]] = {
    "messages": _messages,
    "prompt-completion": _prompt_completion,
    "alpaca": _alpaca,
    "sharegpt": _sharegpt,
}


def export(dataset: Dataset, name: str, out: Path) -> int:
    """Write the training rows to ``out`` and return their number.

    Order is kept: train in it, or stages mean nothing. Raises UsageError for an unknown format, or where ``out``
    already exists.
    """
    dataset.controlled("export")
    if name not in FORMATS:
        raise UsageError(f"unknown format {name!r}.{near(name, FORMATS)}")
    if out.exists():
        raise UsageError(f"{out} already exists: choose another file")
    rows = dataset.train.to_pylist()
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, "".join(json.dumps(FORMATS[name](row), ensure_ascii=False) + "\n" for row in rows))
    return len(rows)
