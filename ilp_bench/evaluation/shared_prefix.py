"""Prompts that begin alike, such as those behind the same exemplars: their beginning is read once for a whole batch."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Sequence
from typing import Any

SHARED = 16  # tokens that all prompts of a batch must share before they are read only once
# How far back layers may look, by the names that configurations give it.
WINDOWS = ("sliding_window", "window_size", "attention_chunk_size", "local_attention", "attention_window_size")


def shared_tokens(prompts: Sequence[list[int]] | Sequence[tuple[int, ...]]) -> int:
    """How many tokens all prompts begin with, leaving each at least one of its own; 0 where it does not pay."""
    first, last = min(prompts), max(prompts)
    limit = min(map(len, prompts)) - 1
    common = next((n for n in range(min(limit, len(first))) if first[n] != last[n]), max(limit, 0))
    return common if common >= SHARED and len(prompts) > 1 else 0


class PrefixCache:
    """What a transformers model keeps of the beginning that it read last.

    argument    the name of the cache among the model's arguments and results
    keeps       whether the model can be told for which positions to keep logits
    can_repeat  whether its cache can be repeated for several sequences, as far as is known: not where a layer carries a
                state along instead of keys and values
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._accepted = inspect.signature(model.forward).parameters
        self.keeps = "logits_to_keep" in self._accepted
        self.argument = "cache" if "cache" in self._accepted else "past_key_values"  # before transformers 5.24
        self.can_repeat = self.keeps and self.argument in self._accepted
        self._last: tuple[tuple[int, ...], Any] | None = None

    def read(self, prefix: Sequence[int], count: int) -> Any:
        """The model's cache after ``prefix``, for ``count`` sequences; None where it cannot be repeated."""
        import torch
        from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

        if not self.can_repeat:
            return None
        if self._last is None or self._last[0] != tuple(prefix):
            ids = torch.tensor([list(prefix)], device=self._model.device)
            with torch.no_grad():
                result = self._model(ids, use_cache=True, logits_to_keep=1)
            # A model that keeps its state to itself, such as RecurrentGemma, has no cache among its results.
            self._last = tuple(prefix), result.get(self.argument)
        layers = getattr(self._last[1], "layers", None)
        self.can_repeat = bool(layers) and all(
            type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers or ()
        )
        if not self.can_repeat:
            return None
        cache = copy.deepcopy(self._last[1])
        cache.batch_repeat_interleave(count)
        return cache

    def gap_allowed(self) -> float:
        """Tokens within which padding may stand between two of them: as far as every layer looks back; else 0.

        A model that is not told positions takes them from the places of tokens, between which nothing may stand.
        """
        if "position_ids" not in self._accepted:
            return 0
        config = self._model.config.get_text_config()
        windows = [getattr(config, name, None) for name in WINDOWS]
        return min((window for window in windows if isinstance(window, int)), default=math.inf)
