"""A new LoRA adapter on a model that is to be trained."""

from __future__ import annotations

from typing import Any

from ilp_bench.core.logs import quiet
from ilp_bench.models.nano import NANO, nano_path
from ilp_bench.models.resolve import Located

# Model types whose kernels read the weights of ``out_proj`` themselves, past an adapter on it; PEFT refuses one there.
MAMBA = ("mamba", "mamba2", "falcon_mamba", "falcon_h1", "nemotron_h")


def _not_adapted(model: Any) -> list[str]:
    """Names of linear layers that no adapter can be on: of Mamba, and routers of experts that return more than one."""
    import torch

    routers = {
        name.rsplit(".", 1)[-1]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and "Router" in type(module).__name__
    }
    return sorted(routers | ({"out_proj"} if model.config.model_type in MAMBA else set()))


def add_adapter(model: Any, located: Located, rank: int, seed: int) -> Any:
    """The model with a new LoRA adapter on all linear layers that can have one.

    At rank 0 the model itself, with all weights trained.
    """
    if not rank:
        return model.requires_grad_(True)  # also what came out of an adapter, which freezes its base
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    root = located.root
    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules="all-linear",
        exclude_modules=_not_adapted(model) or None,
        task_type="CAUSAL_LM",
        revision=root.revision,
    )
    with quiet():
        adapted = get_peft_model(model, config)
    is_embedded = root.name in NANO and root.folder == nano_path(root.name)
    name = root.name if is_embedded or root.revision else str(root.folder.resolve())
    saved = adapted.peft_config["default"]
    saved.base_model_name_or_path, saved.target_modules = name, sorted(saved.target_modules)  # not as a set has them
    saved.exclude_modules = sorted(saved.exclude_modules) if saved.exclude_modules else None
    return adapted
