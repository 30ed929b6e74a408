"""Whether a model writes from left to right, as p of an answer takes for granted."""

from __future__ import annotations

import inspect
from typing import Any

from ilp_bench.core.errors import ProblemError

LOOKS_AHEAD = 0.05  # of the probability: what half precision or another choice of experts moves is far less
TEXT = "The capital city of France is the city of"


def require_causal(model: Any, tokenizer: Any) -> None:
    """Raise ProblemError where a token changes what the model predicts before it.

    So it is with encoders such as BERT, which transformers loads as language models too, and with models that write by
    diffusion: they have read the answer when they are asked for it. The last token of a text is replaced, and what is
    predicted before it is compared by total variation. Nothing is said of texts of fewer than three tokens.
    """
    import torch

    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    if len(ids) < 3 or ids[0] == ids[-1]:
        return
    rows = torch.tensor([ids, [*ids[:-1], ids[0]]], device=model.device)
    extra = {"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {}
    with torch.no_grad():
        first, second = model(rows, **extra).logits[:, :-1].float().softmax(-1)
    if float((first - second).abs().sum(-1).max()) / 2 > LOOKS_AHEAD:
        raise ProblemError(
            f"{type(model).__name__} reads an answer before it is asked for it, as encoders do, so its p would say "
            "nothing: use a causal language model"
        )
