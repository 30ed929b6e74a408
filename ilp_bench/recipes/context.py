"""What a recipe may look at before it decides on phases."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ilp_bench.data.dataset import Dataset
from ilp_bench.detectors.beliefs import Answer
from ilp_bench.detectors.similarity import Near, word_similarity


@dataclass(frozen=True)
class RecipeContext:
    """What a recipe has before it: the data, a random stream, the replay corpus, and the base model to ask.

    ``replay`` gives texts of the replay corpus with about so many characters.

    ``answers`` gives the base model's greedy :class:`Answer` to each (exemplars + prompt); ``near`` gives the
    pairs of questions that are nearly the same.
    """

    data: Dataset
    rng: random.Random
    replay: Callable[[int], list[str]]
    answers: Callable[[Sequence[str]], list[Answer]]
    near: Near = word_similarity
    notes: dict[str, Any] = field(default_factory=dict)  # what was found; goes into training.json
