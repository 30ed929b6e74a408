"""What a base model knows, read from its own run with exemplars shown: recall rows of one cause, as Arrow tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes.spec import pair_ids

KNOWN = 0.5  # probability from which on a base model is said to know an answer


def known_pairs(recall: pa.Table, arm: str) -> set[str]:
    """Pairs of which the model knows the answer of that arm's item (columns pair_id, arm, shots_p)."""
    return pair_ids(recall, pc.and_(pc.equal(recall["arm"], arm), pc.greater_equal(recall["shots_p"], KNOWN)))


def prior_probabilities(recall: pa.Table) -> Array:
    """Shape (rows,): probability in [0, 1] of the prior answer where that is the preferred option, as it is from one
    half on; else 0 (columns belief, prior_answer, shots_options).
    """
    preferred = pc.fill_null(pc.equal(recall["belief"], recall["prior_answer"]), False).to_numpy(zero_copy_only=False)
    best = np.array([max(options) if options else -np.inf for options in recall["shots_options"].to_pylist()])
    return np.asarray(np.where(preferred, np.exp(np.minimum(best, 0.0)), 0.0))
