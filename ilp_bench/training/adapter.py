"""A new LoRA adapter on a model that is to be trained."""

from __future__ import annotations

from typing import Any

from ilp_bench.core.logs import quiet
from ilp_bench.models.nano import NANO, nano_path
from ilp_bench.models.resolve import Located


def add_adapter(model: Any, located: Located, rank: int, seed: int) -> Any:
    """The model with a new LoRA adapter on all linear layers; the model itself, with all weights trained, at rank 0."""
    if not rank:
        return model.requires_grad_(True)  # also what came out of an adapter, which freezes its base
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    root = located.root
    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM", revision=root.revision
    )
    with quiet():
        adapted = get_peft_model(model, config)
    is_embedded = root.name in NANO and root.folder == nano_path(root.name)
    name = root.name if is_embedded or root.revision else str(root.folder.resolve())
    adapted.peft_config["default"].base_model_name_or_path = name
    return adapted
