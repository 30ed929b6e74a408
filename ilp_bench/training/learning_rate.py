"""The learning rate of supervised training where none is given: by the size of the model."""

from __future__ import annotations

from ilp_bench.core.errors import ProblemError
from ilp_bench.data.hub import hub_errors
from ilp_bench.models.resolve import Located
from ilp_bench.models.weight_files import count_values

# Learning rates below so many parameters, and that of larger models; adapters take ten times as much.
RATES = ((10_000_000, 2e-4), (1_000_000_000, 5e-5))
LARGE_RATE = 2e-5
LORA_RATE = 10


def rate_of_size(parameters: int, *, lora: bool = False) -> float:
    """The learning rate for a model of so many parameters, or for an adapter of it."""
    return next((rate for limit, rate in RATES if parameters < limit), LARGE_RATE) * (LORA_RATE if lora else 1)


def default_rate(located: Located, *, lora: bool = False) -> float:
    """The learning rate for a model on this machine, by the number of values of its weights."""
    return rate_of_size(count_values(located.root.folder), lora=lora)


def size_on_the_hub(name: str) -> int | None:
    """The number of parameters of a model on the Hub, ``org/name`` or ``org/name@revision``; None where it is silent.

    That is so without network, or where the model has no safetensors.
    """
    from huggingface_hub import HfApi

    repository, _, revision = name.partition("@")
    try:
        with hub_errors(repository):
            weights = HfApi().model_info(repository, revision=revision or None, expand=["safetensors"]).safetensors
    except ProblemError:
        return None
    return weights.total if weights else None
