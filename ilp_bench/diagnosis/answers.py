"""How far an answer is reproduced: by its probability where it is short, by its tokens where it is long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

SHORT = 16  # tokens up to which p of a whole answer, with its end, says how far it is learned
LEARNED_P = 0.5  # p of a short answer from which on it is learned: greedy decoding gives it, or nearly so
LEARNED_SHARE = 0.9  # share of a long answer's tokens that greedy decoding predicts, from which on it is learned


class TokenCounts(NamedTuple):
    """How many tokens stand before an answer, and how many of its last ones are its end (0 where they share one)."""

    context: int
    end: int


def reproduced(logprobs: Sequence[float], greedy: Sequence[bool]) -> float:
    """How far an answer is reproduced, in [0, 1]: p of a short one, the share of tokens predicted greedily of a long.

    logprobs, greedy   of each of its tokens, after the true ones before it
    """
    if len(logprobs) <= SHORT:
        return min(1.0, math.exp(math.fsum(logprobs)))
    return sum(greedy) / len(greedy)


def is_learned(value: float, tokens: int) -> bool:
    """Whether an answer of so many tokens that is reproduced so far counts as learned."""
    return value >= (LEARNED_P if tokens <= SHORT else LEARNED_SHARE)


def prefix(greedy: Sequence[bool]) -> int:
    """The number of tokens at the beginning that greedy decoding reproduces without a mistake."""
    return next((n for n, match in enumerate(greedy) if not match), len(greedy))


def loss(logprobs: Sequence[float]) -> float:
    """The mean loss of a token, in nats."""
    return -math.fsum(logprobs) / max(1, len(logprobs))
