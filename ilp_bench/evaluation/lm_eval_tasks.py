"""What the YAML files in ``tasks/`` call: documents, targets and metrics for plain ``lm_eval``.

    lm_eval --include_path tasks --tasks ilp_bench --model hf --model_args pretrained=CHECKPOINT

The dataset is built in memory: mini with seed 0, unless ``--metadata '{"size": "mini", "data_seed": 1}'`` says
otherwise, or ``--metadata '{"data": "DATA"}'`` names a folder. Imports neither torch nor lm_eval.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from ilp_bench.core.errors import UsageError
from ilp_bench.core.metrics import unlearned
from ilp_bench.data.causes import CAUSES
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
    size: str | None = None,
    data_seed: int | None = None,
    data: str | None = None,
    seed: Any = None,
    **_: Any,
) -> dict[str, Any]:
    """The ``test`` split of one cause (None for retention) and probe, as lm-eval's ``custom_dataset`` wants it.

    lm-eval hands over the arguments of the model too, such as vLLM's ``seed``, which is not the dataset's.

    Raises UsageError where the dataset has no such items, or what names it is ambiguous.
    """
    from datasets import Dataset

    if seed is not None:
        raise UsageError(
            f"seed {seed} may be the model's or the dataset's: say data_seed for the dataset, and leave the model's "
            "out, as nothing is sampled"
        )
    if data and (size or data_seed is not None):
        raise UsageError(f"{data} is of one size and seed: leave size and data_seed out")
    dataset = load(data).controlled("lm-eval") if data else make(size or "mini", 0 if data_seed is None else data_seed)
    items = dataset.items
    arms = ("treated", "control") if cause else (None,)  # neither decoys nor calibration items
    rows = [row for row in items.to_pylist() if row["cause"] == cause and row["probe"] == probe and row["arm"] in arms]
    if not rows:
        causes = sorted({row["cause"] for row in items.select(["cause"]).to_pylist() if row["cause"]})
        raise UsageError(
            f"the dataset has no {probe} items of {cause or 'retention'}, but of {', '.join(causes)}: choose the tasks "
            "of these, or build it with all causes"
        )
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


class Probe(NamedTuple):
    """What the gap is computed from: p in [0, 1] of one probe, the arm of its item, its pair, and the pair's group.

    Pairs of one group share material, and count as one observation in the standard error.
    """

    arm: str
    pair_id: str
    p: float
    group: str


def held_out_results(doc: Doc, responses: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    """Metrics of one probe: p, greedy reproduction, and the paper's unlearned (1 - p)^5."""
    logprob, greedy = responses[0]
    p = math.exp(min(logprob, 0.0))
    return {"p": p, "greedy": float(greedy), "unlearned": float(unlearned(p))}


def results(doc: Doc, responses: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    """The metrics of :func:`held_out_results`, p per arm (NaN in the other arm), and what the gap is computed from."""
    metrics = held_out_results(doc, responses)
    arms = {f"p_{arm}": metrics["p"] if doc["arm"] == arm else math.nan for arm in ("treated", "control")}
    group = CAUSES.get(doc["cause"]).resampling_group(doc["pair_id"])
    probe = Probe(doc["arm"], doc["pair_id"], metrics["p"], group)
    return metrics | arms | {"gap": probe, "gap_stderr": probe}


def nanmean(values: Sequence[float]) -> float:
    """Mean over the values that are not NaN; NaN when there are none."""
    numbers = [value for value in values if not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else math.nan


def gap(probes: Sequence[Probe]) -> float:
    """Mean p of the control arm minus mean p of the treated arm, in [-1, 1]: what the cause costs this model.

    NaN where an arm has no probe.
    """
    differences = list(_pair_differences(probes).values())
    return sum(differences) / len(differences) if differences else math.nan


def gap_stderr(probes: Sequence[Probe]) -> float:
    """Standard error of :func:`gap` over groups of matched pairs; NaN below two groups.

    lm-eval computes none for an aggregation of somebody else's. As a metric of this name it stands where the table
    looks for the standard error of ``gap``. It leaves out what would differ in another training run.
    """
    differences = _pair_differences(probes)
    group_of = {probe.pair_id: probe.group for probe in probes}
    mean, sums = gap(probes), dict.fromkeys((group_of[pair] for pair in differences), 0.0)
    for pair, difference in differences.items():
        sums[group_of[pair]] += difference - mean
    if len(sums) < 2:
        return math.nan
    variance = len(sums) / (len(sums) - 1) * sum(deviation**2 for deviation in sums.values())
    return math.sqrt(variance) / len(differences)


def _pair_differences(probes: Sequence[Probe]) -> dict[str, float]:
    """Pair -> control minus treated, each the mean over the item's probes."""
    by_pair: dict[str, dict[str, list[float]]] = {}
    for probe in probes:
        by_pair.setdefault(probe.pair_id, {}).setdefault(probe.arm, []).append(probe.p)
    return {
        pair: statistics.fmean(arms["control"]) - statistics.fmean(arms["treated"])
        for pair, arms in by_pair.items()
        if len(arms) == 2
    }
