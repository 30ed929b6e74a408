"""What is diagnosed, and on which machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Progress = Callable[[str, int, int], None]  # what is being done, steps done, steps in all


class Question(NamedTuple):
    """What is diagnosed, and how; all of it decides the result.

    model, base     the tuned model and the one it was tuned from; ``adapter_base`` where an adapter's own path of it is
                    one of another machine
    rows            the training rows: a file, a folder or a Hub dataset
    reading         arguments of :func:`~ilp_bench.data.user_data.import_rows`
    sample          items to ask; 0 for all, None for as many as the device asks in some minutes
    max_length      tokens to which the trainer cut rows, where no file beside the model says it
    held_out        rows of an evaluation, whose questions should not be among the training rows
    encoder         a sentence-transformers model that says which questions ask the same where their words do not
    """

    model: str
    base: str
    rows: str
    reading: Mapping[str, Any] = {}
    adapter_base: str | None = None
    sample: int | None = None
    seed: int = 0
    max_length: int | None = None
    held_out: str | None = None
    encoder: str | None = None


class Machine(NamedTuple):
    """How the models are run."""

    device: str = "auto"
    dtype: str = "auto"
    batch_size: int | None = None
    remote_code: bool = False


ON_ANY_DEVICE = Machine()
