"""What a recipe is made of: stretches of training, each with the stages whose budget it spends."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from ilp_bench.data.dataset import Dataset
from ilp_bench.data.templates import complete
from ilp_bench.detectors.labelled_row import LabelledRow

CONVERGED = 0.95  # of user data: share of the rows learned at which training ends
MAX_EPOCHS = 30  # within which it must be reached
Example = tuple[str, str]  # prompt, completion; an empty prompt means that the whole text is learned


class Epoch(NamedTuple):
    """What was measured after an epoch on a phase's reference: share learned in [0, 1], loss in nats a token."""

    learned: float
    loss: float


Stop = Callable[[Sequence[Epoch]], bool]


def converged(history: Sequence[Epoch]) -> bool:
    """Stop after the first epoch at which the reference is learned."""
    return history[-1].learned >= CONVERGED


# The batches of one epoch, as lists of positions in a phase's examples: from a batch size and a random stream.
Batches = Callable[[int, random.Random], Iterator[list[int]]]
# Told after each step: phase, epoch, share of the reference learned or mean p of the calibration items at the last
# check (None before it), and how far: what is done and all of it, in supervised tokens or steps of pre-training. Before
# the first phase, while the base model is asked: that, 0, None, and prompts.
Progress = Callable[[str, int, float | None, tuple[int, int]], None]
Measure = Callable[[Sequence[Example]], Any]  # learned rates of examples as the model is now, in [0, 1]
Watch = Callable[[Measure], None]


@dataclass(frozen=True)
class Phase:
    """One stretch of training on ``examples``; an epoch is one pass over them.

    Supervised training spends the budget of its ``stages``. Of user data, which have no budget, ``stop`` decides after
    each epoch by what was measured on the ``reference``, within ``epochs`` epochs. Continued pre-training is one epoch.

    ``batches`` replaces one shuffle an epoch, which may then be longer or shorter; ``watch`` is called every ``every``
    steps and may change what they give. ``counted`` is what it counted, for the report.
    """

    name: str
    kind: Literal["sft", "cpt"]
    examples: Sequence[Example]
    stages: Sequence[int] = ()
    reference: Sequence[Example] = ()
    stop: Stop | None = None
    epochs: int = MAX_EPOCHS
    batches: Batches | None = None
    watch: Watch | None = None
    every: int = 0
    counted: Mapping[Any, int] = field(default_factory=dict)


def example(row: LabelledRow) -> Example:
    """Prompt and completion of a training row."""
    return row["prompt"], row["completion"]


def recall_probes(data: Dataset, arm: str, stages: Collection[int] | None = None) -> list[Example]:
    """(prompt, completion) of every recall probe of an arm, in ``stages`` or in all of them."""
    return [
        (row["prompt"], complete(row["answer"]))
        for row in data.item_rows()
        if row["arm"] == arm and row["probe"] == "recall" and (stages is None or row["stage"] in stages)
    ]


def stages(data: Dataset) -> list[Phase]:
    """Plain SFT in stage order: a phase a stage, which spends that stage's budget."""
    rows = data.train_rows()
    return [
        Phase(f"stage {stage}", "sft", [example(row) for row in rows if row["stage"] == stage], (stage,))
        for stage in stages_of(data)
    ]


def stages_of(data: Dataset) -> tuple[int, ...]:
    """The stages of the training rows, in order."""
    return tuple(sorted(set(data.train["stage"].to_pylist())))


def last_stage(data: Dataset, **changes: Any) -> list[Phase]:
    """Vanilla's stages, the last one with other rows or batches: most interventions act there alone."""
    *early, last = stages(data)
    return [*early, replace(last, **changes)]
