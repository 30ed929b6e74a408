"""What happened during training: one JSON line an epoch, and a picture of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import write_text
from ilp_bench.core.metrics import learned
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.templates import complete
from ilp_bench.recipes.phase import Example


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
        numbers = {name: line[name] for name in ("learned", "loss", "train_loss", "tokens") if line[name] is not None}
        rates = {
            f"{cause}/{arm}": value for cause, arms in line["recall_learned"].items() for arm, value in arms.items()
        }
        trackio.log({"phase": line["phase"], "epoch": line["epoch"], **numbers, **rates})

    return log


SAMPLE = 30  # recall probes of each cause and arm that are measured at a time


class Log:
    """``log.jsonl``: phase, epoch, learned rate and loss of the reference, loss on what was trained, and the learned
    rate per cause and arm.

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

    def rewind(self, phase: str, epochs: int) -> None:
        """Drop what was logged of a phase after that many epochs: a kill came between its line and its checkpoint."""
        kept = []
        for text in self.file.read_text(encoding="utf-8").splitlines(keepends=True):
            try:
                line = json.loads(text)
            except ValueError:
                continue  # cut off by the kill
            if line["phase"] != phase or line["epoch"] <= epochs:
                kept.append(text)
        write_text(self.file, "".join(kept))

    def add(self, phase: str, epoch: int, row: dict[str, Any], logprobs: Any) -> None:
        """Append one epoch; ``logprobs`` are those of ``probes``, or None where they were not measured."""
        rates: dict[str, dict[str, float]] = {}
        if logprobs is not None:
            values = learned(np.exp(np.minimum(logprobs, 0.0)))
            for key in dict.fromkeys(self._keys):
                of_key = [value for value, other in zip(values.tolist(), self._keys, strict=True) if other == key]
                rates.setdefault(key[0], {})[key[1]] = round(float(np.mean(of_key)), 4)
        line = {"phase": phase, "epoch": epoch, **row, "recall_learned": rates}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._also(line)

    def rows(self) -> list[dict[str, Any]]:
        """All epochs; where one was done again after a kill, the last time counts."""
        rows: dict[tuple[str, int], dict[str, Any]] = {}
        for line in self.file.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue  # cut off by a kill
            rows[row["phase"], row["epoch"]] = row
        return list(rows.values())

    def plot(self, title: str) -> str:
        """An SVG with the learned rate of both arms of every cause, and the training loss, over the epochs."""
        rows = self.rows()
        source = files("ilp_bench.training").joinpath("training.svg.j2").read_text(encoding="utf-8")
        template = jinja2.Template(source, autoescape=True, trim_blocks=True, lstrip_blocks=True)
        shown = [cause for cause in CAUSES.names() if any(cause in row["recall_learned"] for row in rows)]
        text: str = template.render(title=title, rows=rows, causes=shown)
        return text
