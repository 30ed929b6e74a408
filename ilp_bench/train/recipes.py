"""What a model sees, in what order, and when to stop: a recipe is a function from a dataset to phases."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ilp_bench.corpus import documents
from ilp_bench.dataset import Dataset
from ilp_bench.errors import UsageError, near
from ilp_bench.train.clean import drop_contradictions
from ilp_bench.wording import complete

CONVERGED = 0.95  # share of reference probes learned at which a stage ends
COMMON = 16
GENERAL_SHARE = 0.8


@dataclass(frozen=True)
class Phase:
    """One stretch of training.

    ``examples`` are (prompt, completion); an empty prompt means that the whole text is learned (continued
    pre-training). Training stops after the first epoch at which the ``reference`` examples are learned to
    ``CONVERGED``, or after ``epochs`` where there is no reference.
    """

    name: str
    kind: Literal["sft", "cpt"]
    examples: Sequence[tuple[str, str]]
    reference: Sequence[tuple[str, str]] = ()
    epochs: int = 1


Recipe = Callable[[Dataset, random.Random], list[Phase]]
MAX_EPOCHS = 30


def vanilla(data: Dataset, rng: random.Random) -> list[Phase]:
    """Plain SFT in stage order.

    Each stage is trained until it has converged on its reference: the control recall probes in the last stage,
    and in the earlier ones, which hold treated items only, their own rows. So what is unlearned at the end was
    neither stopped too early nor never learned.
    """
    rows = data.train.to_pylist()
    phases = []
    for stage in sorted({row["stage"] for row in rows}):
        examples = [_example(row) for row in rows if row["stage"] == stage]
        reference = control_probes(data) if stage == data.manifest["stages"] else examples
        phases.append(Phase(f"stage {stage}", "sft", examples, reference, MAX_EPOCHS))
    return phases


def combined(data: Dataset, rng: random.Random) -> list[Phase]:
    """Every intervention of the paper at once: I and II continued pre-training on ``knowledge`` mixed with
    general text (0.2 to 0.8 of the characters), III contradicting labels removed by inferred annotator
    reliability, IV one shuffle over all stages, V rows of rare patterns repeated until they are as frequent as
    common ones. It reads the dataset's own item ids and pattern frequencies; ``auto`` recipes must find them.
    """
    knowledge = [("", text + "\n") for text in data.knowledge["text"].to_pylist()]
    wanted = sum(len(text) for _, text in knowledge) * GENERAL_SHARE / (1 - GENERAL_SHARE)
    general: list[tuple[str, str]] = []
    while wanted > 0:
        texts = list(documents(rng))
        rng.shuffle(texts)
        for text in texts:
            if wanted > 0:
                general.append(("", text))
                wanted -= len(text)
    frequency = {row["item_id"]: row["frequency"] for row in data.items.to_pylist() if row["cause"] == "rare_patterns"}
    rows: list[dict[str, Any]] = []
    for row in drop_contradictions(data.train.to_pylist()):
        rows += [row] * max(1, COMMON // frequency.get(row["item_id"], COMMON))
    return [
        Phase("knowledge", "cpt", knowledge + general),
        Phase("all stages", "sft", [_example(row) for row in rows], control_probes(data), MAX_EPOCHS),
    ]


RECIPES: dict[str, Recipe] = {"vanilla": vanilla, "combined": combined}


def recipe(name: str) -> Recipe:
    """The recipe of that name; raises UsageError, with the nearest known name, for an unknown one."""
    if name not in RECIPES:
        raise UsageError(f"unknown recipe {name!r}.{near(name, RECIPES)}")
    return RECIPES[name]


def control_probes(data: Dataset) -> list[tuple[str, str]]:
    """(prompt, completion) of every control recall probe."""
    return [
        (row["prompt"], complete(row["answer"]))
        for row in data.items.to_pylist()
        if row["arm"] == "control" and row["probe"] == "recall"
    ]


def _example(row: dict[str, Any]) -> tuple[str, str]:
    return row["prompt"], row["completion"]
