"""From a model folder to a model and its tokenizer in memory."""

from __future__ import annotations

from typing import Any

import torch

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.logs import quiet
from ilp_bench.models.resolve import Located


def load_model(located: Located, *, dtype: str = "float32", device: str = "cpu", remote_code: bool = False) -> Any:
    """(model, tokenizer) from safetensors only; an adapter is merged into its base.

    Raises ProblemError when the folder cannot be loaded.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as hf_logging

    hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    root = located.root
    try:
        with quiet():
            model: Any = AutoModelForCausalLM.from_pretrained(
                root.folder, dtype=getattr(torch, dtype), use_safetensors=True, trust_remote_code=remote_code
            )
            tokenizer = AutoTokenizer.from_pretrained(root.folder, trust_remote_code=remote_code)
            if located.base:
                from peft import PeftModel

                model = PeftModel.from_pretrained(model, located.folder).merge_and_unload()
        return model.to(device).eval(), tokenizer
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "tokenizer" in reason:
            reason = "it has no tokenizer that can be read: save it there with tokenizer.save_pretrained"
        if "ignore_mismatched_sizes" in reason:
            reason = "its weights do not have the shapes that its config.json says"
        raise ProblemError(f"the model in {located.folder} cannot be loaded: {reason}") from error
    except ImportError as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"the model in {located.folder} needs a package that is missing: {reason}") from error
