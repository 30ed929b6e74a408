"""On which pairs a cause can act with a given base model, and how strongly that model believed what they contradict."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.core.hashed_table import HashedTable
from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.causes.base_knowledge import known_pairs, prior_probabilities
from ilp_bench.data.causes.spec import every_treated_pair
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.learned_rates import CACHED_RUNS, Mask, check_probed
from ilp_bench.scoring.pair_probabilities import Ids, is_scored, pair_tables

NEEDED = ["pair_id", "cause", "arm", "prior_answer", "shots_p", "shots_greedy", "shots_options", "belief"]


class Activity(NamedTuple):
    """Which pairs of a cause it can act on, in the order of their ids.

    active     shape (pairs,)
    contrast   shape (pairs,): contradictions of what the model did not believe, with a control that it knows; reported,
               not scored
    belief     shape (pairs,): probability of the prior answer in [0, 1]; NaN where the dose is not a belief
    """

    active: Mask
    contrast: Mask
    belief: Array


@lru_cache(maxsize=CACHED_RUNS)
def activity(base: Run) -> dict[str, Activity]:
    """Cause -> the pairs on which it can act. Raises ProblemError when the base run was made without the probe."""
    check_probed(base)
    samples, recall, by_cause = base.samples.select(NEEDED), _recall_rows(base.probes), {}
    for cause, table in pair_tables(base).items():
        spec, number = CAUSES.get(cause), len(table.pairs)
        active, contrast, belief = np.ones(number, bool), np.zeros(number, bool), np.full(number, np.nan)
        if spec.active_pairs is not every_treated_pair or spec.dose_from_base_model:
            rows = samples.take(recall[cause])
            active = _among(table.pairs, spec.active_pairs(rows))
        if spec.dose_from_base_model:
            contrast = _among(table.pairs, known_pairs(rows, "control")) & ~active
            treated = rows.filter(pc.equal(rows["arm"], "treated"))
            beliefs = dict(zip(treated["pair_id"].to_pylist(), prior_probabilities(treated), strict=True))
            belief = np.array([beliefs[pair] for pair in table.pairs.tolist()])
        by_cause[cause] = Activity(active, contrast, belief)
    return by_cause


@lru_cache(maxsize=CACHED_RUNS)
def _recall_rows(probes: HashedTable) -> dict[str, pa.Array]:
    """Cause -> the rows of the recall probes of its pairs."""
    rows = pc.and_(is_scored(probes.rows), pc.equal(probes.rows["probe"], "recall")).to_numpy()
    causes = probes.rows["cause"].cast(pa.string())
    return {
        cause: pa.array(np.flatnonzero(rows & pc.fill_null(pc.equal(causes, cause), False).to_numpy()))
        for cause in pc.unique(causes).drop_null().to_pylist()
    }


def _among(pairs: Ids, chosen: set[str]) -> Mask:
    return np.array([pair in chosen for pair in pairs.tolist()], dtype=bool)
