"""Bootstrap draws of entries on the same pairs, all with the same weights, so that what they share cancels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.stored_rates import STORED_ONE, StoredRates
from ilp_bench.scoring.bootstrap import SEED, stream_number
from ilp_bench.scoring.recovery import recovery

DRAWS = 2_000
Floats = np.ndarray[Any, np.dtype[np.float32]]
Indexes = np.ndarray[Any, np.dtype[np.int64]]
Weights = dict[str, tuple[Indexes, Floats]]


def pair_weights(layout: StoredRates) -> Weights:
    """Cause -> indexes of the pairs that count, and their weights in DRAWS resamplings, shape (pairs, DRAWS)."""
    weights = {}
    for cause in CAUSES.names():
        spans = [range(start, end) for name, start, end in layout.spans if name == cause]
        pairs = [pair for span in spans for pair in span if layout.active[pair]]
        if pairs:
            weights[cause] = np.array(pairs), _resampling(cause, len(pairs))
    return weights


@lru_cache(maxsize=64)
def _resampling(cause: str, pairs: int) -> Floats:
    """Weights of DRAWS resamplings, shape (pairs, DRAWS), read-only: each cause has draws of its own."""
    rng = np.random.default_rng([SEED, stream_number(cause)])
    counts = rng.multinomial(pairs, np.full(pairs, 1 / pairs), size=DRAWS)
    weights = np.asarray((counts / pairs).T, dtype=np.float32)
    weights.setflags(write=False)
    return weights


class PairedDraws:
    """Draws of some entries, each of shape (entries, DRAWS).

    recovery   by cause; NaN in a draw where vanilla leaves no gap
    treated    by cause: treated learned rate
    aggregate  learned rate over all items of both arms
    overall    mean of the recoveries, each held within -1 and 1
    """

    def __init__(self, entries: Sequence[StoredRates], weights: Weights) -> None:
        rates = (np.stack([entry.values for entry in entries]) / np.float32(STORED_ONE)).astype(np.float32)
        self.recovery: dict[str, Floats] = {}
        self.treated: dict[str, Floats] = {}
        self.aggregate: Floats = np.zeros((len(entries), DRAWS), dtype=np.float32)
        for cause, (pairs, weight) in weights.items():
            treated, control, vanilla_treated, vanilla_control = np.moveaxis(rates[:, :, pairs] @ weight, 1, 0)
            self.recovery[cause] = recovery(treated, vanilla_treated, vanilla_control)
            self.treated[cause] = treated
            self.aggregate += (treated + control) / np.float32(2 * len(weights))
        self.overall: Floats = np.mean([np.clip(draws, -1, 1) for draws in self.recovery.values()], axis=0)
