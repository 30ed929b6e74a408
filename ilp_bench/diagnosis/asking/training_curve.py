"""What :class:`~ilp_bench.LearnedRates` measured while a model was trained, from the file that it left beside it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

FILE = "learned_rates.jsonl"
MOST_BYTES = 256 * 2**20


class CurvePoint(BaseModel):
    """Mean reproduction in [0, 1] of the rows that were measured at one step of the training."""

    step: int
    rows: int
    reproduced: float


class InTraining(NamedTuple):
    """``curve``: a point a measurement, in order; ``best``: item -> its highest reproduction, and the step of it."""

    curve: list[CurvePoint]
    best: dict[str, tuple[float, int]]


def in_training(folder: Path, answers: Mapping[str, str]) -> InTraining:
    """Read ``learned_rates.jsonl`` in a model's folder, or beside one that is called ``checkpoint-N``.

    answers   item -> its answer; a measured row is one of these items where number and answer agree

    Of a file that several trainings wrote, the last one counts. Empty where there is none; damaged lines are passed
    over.
    """
    folders = [folder, *([folder.parent] if folder.name.startswith("checkpoint-") else [])]
    file = next((each / FILE for each in folders if (each / FILE).is_file()), None)
    if file is None or file.stat().st_size > MOST_BYTES:
        return InTraining([], {})
    values: dict[int, list[float]] = defaultdict(list)
    best: dict[str, tuple[float, int]] = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if (row := _measured(line)) is None:
            continue
        step: int = row["step"]
        value, item = float(row["reproduced"]), str(row["item_id"])
        if values and step < max(values):  # another training began
            values.clear()
            best.clear()
        values[step].append(value)
        if item in answers and row.get("answer") == answers[item] and value > best.get(item, (-1.0, 0))[0]:
            best[item] = (value, step)
    curve = [CurvePoint(step=step, rows=len(each), reproduced=sum(each) / len(each)) for step, each in values.items()]
    return InTraining(curve, best)


def _measured(line: str) -> dict[str, Any] | None:
    """One line of the file, None where it is damaged."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or type(row.get("step")) is not int or not isinstance(row.get("item_id"), str):
        return None
    value = row.get("reproduced")
    return row if isinstance(value, float | int) and 0 <= value <= 1 else None
