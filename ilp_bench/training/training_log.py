"""What happened during training: one JSON line a check, and a picture of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import write_text
from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.templates import complete
from ilp_bench.recipes.phase import Example, Phase
from ilp_bench.records.training_record import CalibrationCheck
from ilp_bench.training import budget

NUMBERS = ("epochs", "supervised", "calibration", "train_loss", "learned", "loss", "tokens")


def tracker(project: str | None, name: str, config: dict[str, Any]) -> Callable[[dict[str, Any]], None] | None:
    """Logs lines to a trackio project; None without a project. Raises UsageError where trackio is not installed."""
    if project is None:
        return None
    try:
        import trackio
    except ImportError as error:
        raise UsageError("tracking needs trackio: pip install trackio; log.jsonl is written without it") from error
    trackio.init(project=project, name=name, config=config, resume="allow", embed=False)

    def log(line: dict[str, Any]) -> None:
        numbers = {name: line[name] for name in NUMBERS if line[name] is not None}
        recall = {f"{cause}/{arm}": value for cause, arms in line["recall_p"].items() for arm, value in arms.items()}
        trackio.log({"phase": line["phase"], "check": line["check"], **numbers, **recall})

    return log


def calibration(phases: Sequence[Phase], log: Log) -> dict[str, list[CalibrationCheck]]:
    """The checks of supervised training by stage, ``all`` for one shuffle over the stages."""
    checks: dict[str, list[CalibrationCheck]] = {}
    stage = {phase.name: str(phase.stages[0]) if len(phase.stages) == 1 else "all" for phase in phases if phase.stages}
    for row in log.rows():
        if row["supervised"] is not None:
            check = CalibrationCheck(supervised=row["supervised"], p=row["calibration"], loss=row["train_loss"])
            checks.setdefault(stage[row["phase"]], []).append(check)
    return checks


def read_log(file: Path) -> list[dict[str, Any]]:
    """All checks of a ``log.jsonl``; where one was done again after a kill, the last time counts."""
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # cut off by a kill
        rows[row["phase"], row["check"]] = row
    return list(rows.values())


SAMPLE = 30  # recall probes of each cause and arm that are measured at a time


class Log:
    """``log.jsonl``: phase, check, supervised tokens, mean p of the calibration items, loss on what was trained, and
    the mean p of recall probes per cause and arm.

    The last are measured on a sample, once as many tokens were trained on as the sample has, and at a phase's end: so
    measuring never takes longer than training.
    """

    def __init__(self, file: Path, data: Dataset, also: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.file, self._also = file, also or (lambda row: None)
        file.touch()
        self.probes: list[Example] = []
        self._keys: list[tuple[str, str]] = []
        for cause in CAUSES.names():
            for arm in ("treated", "control"):
                rows = [
                    row
                    for row in data.item_rows()
                    if (row["cause"], row["arm"], row["probe"]) == (cause, arm, "recall")
                ]
                some = rows[:: max(1, len(rows) // SAMPLE)][:SAMPLE]
                self.probes += [(row["prompt"], complete(row["answer"])) for row in some]
                self._keys += [(cause, arm)] * len(some)

    def rewind(self, phase: str, checks: int) -> None:
        """Drop what was logged of a phase after that many checks: a kill came between its line and its checkpoint."""
        kept = []
        for text in self.file.read_text(encoding="utf-8").splitlines(keepends=True):
            try:
                line = json.loads(text)
            except ValueError:
                continue  # cut off by the kill
            if line["phase"] != phase or line["check"] <= checks:
                kept.append(text)
        write_text(self.file, "".join(kept))

    def add(self, phase: str, check: int, row: dict[str, Any], p: Array | None) -> None:
        """Append one check; ``p`` are those of ``probes``, or None where they were not measured."""
        recall: dict[str, dict[str, float]] = {}
        if p is not None:
            for key in dict.fromkeys(self._keys):
                of_key = [value for value, other in zip(p.tolist(), self._keys, strict=True) if other == key]
                recall.setdefault(key[0], {})[key[1]] = round(float(np.mean(of_key)), 4)
        line = {"phase": phase, "check": check, **row, "recall_p": recall}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._also(line)

    def rows(self) -> list[dict[str, Any]]:
        """All checks."""
        return read_log(self.file)

    def plot(self, title: str) -> str:
        """An SVG with the mean p of calibration items and both arms of every cause, and the loss, over the checks."""
        rows = self.rows()
        source = files("ilp_bench.training").joinpath("training.svg.j2").read_text(encoding="utf-8")
        template = jinja2.Template(source, autoescape=True, trim_blocks=True, lstrip_blocks=True)
        shown = [cause for cause in CAUSES.names() if any(cause in row["recall_p"] for row in rows)]
        text: str = template.render(title=title, rows=rows, causes=shown, threshold=budget.THRESHOLD)
        return text
