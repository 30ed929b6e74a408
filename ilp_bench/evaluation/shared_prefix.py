"""Prompts that begin alike, such as those behind the same exemplars: their beginning is read once for a whole batch."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

SHARED = 16  # tokens that all prompts of a batch must share before they are read only once


def shared_tokens(prompts: Sequence[list[int]] | Sequence[tuple[int, ...]]) -> int:
    """How many tokens all prompts begin with, leaving each at least one of its own; 0 where it does not pay."""
    first, last = min(prompts), max(prompts)
    limit = min(map(len, prompts)) - 1
    common = next((n for n in range(min(limit, len(first))) if first[n] != last[n]), max(limit, 0))
    return common if common >= SHARED and len(prompts) > 1 else 0


class PrefixCache:
    """What a transformers model keeps of the beginning that it read last."""

    def __init__(self, model: Any) -> None:
        self._model = model
        accepted = inspect.signature(model.forward).parameters
        self.can_read = "logits_to_keep" in accepted
        self.argument = "cache" if "cache" in accepted else "past_key_values"  # its name before transformers 5.24
        self._last: tuple[tuple[int, ...], Any] | None = None

    def read(self, prefix: Sequence[int], count: int) -> Any:
        """The model's cache after ``prefix``, for ``count`` sequences; None where it cannot be repeated."""
        import torch

        if not self.can_read:
            return None
        if self._last is None or self._last[0] != tuple(prefix):
            ids = torch.tensor([list(prefix)], device=self._model.device)
            with torch.no_grad():
                self._last = tuple(prefix), self._model(ids, use_cache=True, logits_to_keep=1)[self.argument]
        cache = self._last[1]
        if not hasattr(cache, "batch_repeat_interleave"):
            return None
        cache = copy.deepcopy(cache)
        cache.batch_repeat_interleave(count)
        return cache
