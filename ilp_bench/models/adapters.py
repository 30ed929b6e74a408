"""PEFT adapters: checked against the model that they adapt, and merged into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import read_json
from ilp_bench.models.weight_files import adapter_file, named, tensor_shapes

# Kinds whose weights are virtual tokens in front of the prompt: nothing can be merged.
PROMPT_LEARNING = ("PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "ADAPTION_PROMPT", "CPT")
EMBEDDINGS = ("embed_tokens", "lm_head", "wte", "embed_in", "embed_out")


def apply_adapter(model: Any, folder: Path, *, merge: bool = True) -> Any:
    """The model with the adapter merged into its weights, or, without ``merge``, computed beside them.

    Raises ProblemError where the kind cannot be merged, or where weights of the adapter find no place in the model,
    or the adapter lacks weights that its configuration declares.
    """
    from peft import PeftModel, get_peft_model_state_dict

    kind = str(read_json(folder / "adapter_config.json").get("peft_type", "")).upper()
    if kind in PROMPT_LEARNING:
        raise ProblemError(
            f"{folder} is a {kind} adapter, whose virtual tokens cannot be merged into weights: it is not supported; "
            "use LoRA or full weights"
        )
    given = tensor_shapes(adapter_file(folder))
    try:
        adapted = PeftModel.from_pretrained(model, str(folder))
    except (ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ProblemError(f"the adapter in {folder} does not fit its base model: {reason}") from error
    expected = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    missing = {name for name in expected if name not in given}
    unexpected = {name for name in given if name not in expected and not _saved_embedding(name)}
    if missing or unexpected:
        wrong = [
            f"{what} weights {named(names)}"
            for what, names in (("missing", missing), ("unexpected", unexpected))
            if names
        ]
        raise ProblemError(
            f"the adapter in {folder} does not fit its base model: {'; '.join(wrong)}: name the base that it was "
            "trained on"
        )
    if not hasattr(adapted, "merge_and_unload"):
        raise ProblemError(f"{folder} is a {kind} adapter, which cannot be merged into weights: it is not supported")
    return adapted.merge_and_unload() if merge else adapted.get_base_model()


def resized_for(model: Any, folder: Path) -> Any:
    """The model, its embeddings resized to those that the adapter saved, where it saved some (added tokens)."""
    rows = {shape[0] for name, shape in tensor_shapes(adapter_file(folder)).items() if _saved_embedding(name) and shape}
    if rows and max(rows) != model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(max(rows), mean_resizing=False)
    return model


def _saved_embedding(name: str) -> bool:
    """Whether a weight of an adapter is a whole embedding or head, as PEFT saves it where tokens were added."""
    return "lora_" not in name and any(part in EMBEDDINGS for part in name.split("."))
