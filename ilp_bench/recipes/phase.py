"""What a recipe is made of: stretches of training, and what it may look at before it decides on them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ilp_bench.data.dataset import Dataset
from ilp_bench.data.templates import complete
from ilp_bench.detectors.labelled_row import LabelledRow

CONVERGED = 0.95  # share of reference probes learned at which a stage ends
MAX_EPOCHS = 30
Example = tuple[str, str]  # prompt, completion; an empty prompt means that the whole text is learned


class Epoch(NamedTuple):
    """What was measured after an epoch on the phase's reference: share learned in [0, 1], loss in nats a token."""

    learned: float
    loss: float


Stop = Callable[[Sequence[Epoch]], bool]


def converged(history: Sequence[Epoch]) -> bool:
    """Stop after the first epoch at which the reference is learned."""
    return history[-1].learned >= CONVERGED


# The batches of one epoch, as lists of positions in a phase's examples: from a batch size and a random stream.
Batches = Callable[[int, random.Random], Iterator[list[int]]]
# Told after each step: phase, epoch, share of the reference learned after the last one, steps of this one done and all.
Progress = Callable[[str, int, float | None, tuple[int, int]], None]
Watch = Callable[[Callable[[Sequence[Example]], Any]], None]  # gets a function that measures learned rates in [0, 1]


@dataclass(frozen=True)
class Phase:
    """One stretch of training on ``examples``.

    After each epoch the ``reference`` is measured, and ``stop`` decides; without a reference there are ``epochs``
    epochs, and never more. ``batches`` replaces one shuffle an epoch, which may then be longer or shorter; ``watch`` is
    called every ``every`` steps and may change what they give. ``counted`` is what it counted, for the report.
    """

    name: str
    kind: Literal["sft", "cpt"]
    examples: Sequence[Example]
    reference: Sequence[Example] = ()
    epochs: int = 1
    stop: Stop = converged
    batches: Batches | None = None
    watch: Watch | None = None
    every: int = 0
    counted: Mapping[Any, int] = field(default_factory=dict)


def example(row: LabelledRow) -> Example:
    """Prompt and completion of a training row."""
    return row["prompt"], row["completion"]


def control_probes(data: Dataset) -> list[Example]:
    """(prompt, completion) of every control recall probe: what convergence is measured on."""
    return [
        (row["prompt"], complete(row["answer"]))
        for row in data.item_rows()
        if row["arm"] == "control" and row["probe"] == "recall"
    ]


def stages(data: Dataset, stop: Stop = converged) -> list[Phase]:
    """Plain SFT in stage order.

    Each stage is trained until it has converged on its reference: the control recall probes in the last stage,
    and in the earlier ones, which hold treated items only, their own rows. So what is unlearned at the end was
    neither stopped too early nor never learned.
    """
    rows = data.train_rows()
    phases = []
    for stage in sorted({row["stage"] for row in rows}):
        examples = [example(row) for row in rows if row["stage"] == stage]
        reference = control_probes(data) if stage == data.manifest.stages else examples
        phases.append(Phase(f"stage {stage}", "sft", examples, reference, MAX_EPOCHS, stop))
    return phases


def last_stage(data: Dataset, **changes: Any) -> list[Phase]:
    """Vanilla's stages, the last one with other rows, batches or stopping: most interventions act there alone."""
    from dataclasses import replace

    *early, last = stages(data)
    return [*early, replace(last, **changes)]
