"""On which pairs a cause can act with a given base model, from what that model knows with exemplars shown.

A fact is *known* to a base model if it gives its answer a probability of at least one half with four exemplars shown.

    I         the control is known and the treated item is not
    II        the control is known and the prior answer, which the treated item contradicts, is believed
    others    every pair
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.metrics import Array
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.learned_rates import CACHED_RUNS, Mask
from ilp_bench.scoring.pair_probabilities import is_scored, pair_tables

KNOWN = 0.5
NEEDED = ["pair_id", "cause", "arm", "prior_answer", "shots_p", "shots_options", "belief"]


class PairKnowledge(NamedTuple):
    """What a base model knows about both items of a pair, each in [0, 1].

    control, treated   probability of the trained answer
    prior              probability of the answer that the treated item contradicts; 0 where there is none, or where the
                       model prefers another option
    """

    control: float
    treated: float
    prior: float


class Activity(NamedTuple):
    """Which pairs of a cause it can act on, in the order of their ids.

    active     shape (pairs,)
    contrast   shape (pairs,): contradictions of what the model did not believe, with a known control; reported, not
               scored
    belief     shape (pairs,): probability of the prior answer
    """

    active: Mask
    contrast: Mask
    belief: Array


def _gap_acts(pair: PairKnowledge) -> bool:
    return pair.control >= KNOWN and pair.treated < KNOWN


def _conflict_acts(pair: PairKnowledge) -> bool:
    return pair.control >= KNOWN and pair.prior >= KNOWN


ACTS: dict[str, Callable[[PairKnowledge], bool]] = {
    "knowledge_gap": _gap_acts,
    "knowledge_conflict": _conflict_acts,
}


@lru_cache(maxsize=CACHED_RUNS)
def activity(base: Run) -> dict[str, Activity]:
    """Cause -> the pairs on which it can act. Raises ProblemError when the base run was made without the probe."""
    if not base.record.probed:
        raise ProblemError("the base run has no knowledge probe: evaluate the base model with the base-model probe on")
    mask = pc.and_(is_scored(base.samples), pc.equal(base.samples["probe"], "recall"))
    rows: dict[str, dict[str, Any]] = {}
    for row in base.samples.select(NEEDED).filter(mask).to_pylist():
        rows.setdefault(row["pair_id"], {})[row["arm"]] = row
    by_cause = {}
    for cause, table in pair_tables(base).items():
        acts = ACTS.get(cause)
        knowledge = [_knowledge(rows[pair]) for pair in table.pairs] if acts else []
        everything = np.ones(len(table.pairs), dtype=bool)
        active = np.array([acts(pair) for pair in knowledge], dtype=bool) if acts else everything
        contrast, belief = ~everything, np.full(len(table.pairs), np.nan)
        if cause == "knowledge_conflict":
            contrast = np.array([pair.control >= KNOWN for pair in knowledge], dtype=bool) & ~active
            belief = np.array([pair.prior for pair in knowledge])
        by_cause[cause] = Activity(active, contrast, belief)
    return by_cause


def _knowledge(pair: dict[str, dict[str, Any]]) -> PairKnowledge:
    treated, control = pair["treated"], pair["control"]
    return PairKnowledge(control["shots_p"] or 0.0, treated["shots_p"] or 0.0, _prior_probability(treated))


def _prior_probability(treated: dict[str, Any]) -> float:
    """Probability of the prior answer where it is the preferred option, which it is if it has one half; else 0."""
    options = treated["shots_options"]
    if not options or treated["prior_answer"] is None or treated["belief"] != treated["prior_answer"]:
        return 0.0
    return math.exp(min(max(options), 0.0))
