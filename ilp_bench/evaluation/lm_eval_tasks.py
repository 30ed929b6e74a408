"""What the YAML files in ``tasks/`` call: documents, targets and metrics for plain ``lm_eval``.

    lm_eval --include_path tasks --tasks ilp_bench --model hf --model_args pretrained=CHECKPOINT

The dataset is built in memory: mini with seed 0, unless ``--metadata '{"size": "mini", "seed": 1}'`` says
otherwise, or ``--metadata '{"data": "DATA"}'`` names a folder. Imports neither torch nor lm_eval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from ilp_bench.core.metrics import learned
from ilp_bench.data.dataset import load, make
from ilp_bench.data.templates import complete

Doc = dict[str, Any]


def tasks_path() -> Path:
    """The folder with the task files: inside the installed package, else beside it in a checkout."""
    inside = Path(str(files("ilp_bench") / "_tasks"))
    return inside if inside.is_dir() else Path(str(files("ilp_bench"))).parent / "tasks"


def documents(
    cause: str | None = None,
    probe: str = "recall",
    size: str = "mini",
    seed: int = 0,
    data: str | None = None,
    **_: Any,
) -> dict[str, Any]:
    """The ``test`` split of one cause (None for retention) and probe, as lm-eval's ``custom_dataset`` wants it."""
    from datasets import Dataset

    items = (load(data).controlled("lm-eval") if data else make(size, seed)).items
    rows = [row for row in items.to_pylist() if row["cause"] == cause and row["probe"] == probe]
    return {"test": Dataset.from_list(rows)}


def text(doc: Doc) -> str:
    """The prompt in the plain format."""
    return str(doc["prompt"])


def target(doc: Doc) -> str:
    """The supervised completion: a space, the answer, the terminator."""
    return complete(doc["answer"])


def options(doc: Doc) -> list[str]:
    """The completions of the four multiple-choice options."""
    return [complete(choice) for choice in doc["choices"]]


def options10(doc: Doc) -> list[str]:
    """The completions of the ten multiple-choice options."""
    return [complete(choice) for choice in doc["choices10"]]


def retained(doc: Doc, scores: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """Metrics of one probe: p, expected learned 1 - (1 - p)^5, greedy reproduction."""
    logprob, greedy = scores[0]
    p = math.exp(min(logprob, 0.0))
    return {"learned": float(learned(p)), "p": p, "greedy": float(greedy)}


def results(doc: Doc, scores: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """The metrics of :func:`retained`, and learned per arm (NaN in the other arm)."""
    shared = retained(doc, scores)
    arms = {f"learned_{arm}": shared["learned"] if doc["arm"] == arm else math.nan for arm in ("treated", "control")}
    return shared | arms


def nanmean(values: Sequence[float]) -> float:
    """Mean over the values that are not NaN; NaN when there are none."""
    real = [value for value in values if not math.isnan(value)]
    return sum(real) / len(real) if real else math.nan
