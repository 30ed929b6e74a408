"""The probabilities of matched pairs: the table between samples and the points of scorer 3.

There are two scores, never mixed: *reproduction*, of the prompt that was trained (recall probes), and
*internalisation*, of prompts that were never trained (paraphrase probes, of which an item has two; their mean). Decoys,
calibration items and held-out facts belong to no arm and are left out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.metrics import Array, unlearned
from ilp_bench.data.causes import CAUSES
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.learned_rates import ARMS, CACHED_RUNS, Mask
from ilp_bench.scoring.run_intervals import Indices

KINDS = ("reproduction", "internalisation")
PROBE_OF_KIND = {"reproduction": "recall", "internalisation": "paraphrase"}
MEASURES = ("p", "greedy", "unlearned")  # unlearned: (1 - p)^5, the paper's


class PairTable(NamedTuple):
    """The pairs of one cause under one run, in the order of their ids.

    pairs    their ids
    values   shape (measures, pairs, arms, kinds), each in [0, 1]: mean over an item's probes of that kind
    dose     shape (pairs,): dose of the treated item; NaN where it has none
    groups   shape (pairs,): pairs of one group share material and are resampled together; indices from 0
    """

    pairs: tuple[str, ...]
    values: Array
    dose: Array
    groups: Indices

    def p(self, kind: str) -> Array:
        """Shape (pairs, 2), treated first: the probability p of one kind of score."""
        return np.asarray(self.values[0, :, :, KINDS.index(kind)])

    def keep(self, mask: Mask) -> PairTable:
        """The pairs for which ``mask`` is true."""
        pairs = tuple(pair for pair, kept in zip(self.pairs, mask, strict=True) if kept)
        groups = np.unique(self.groups[mask], return_inverse=True)[1]
        return PairTable(pairs, self.values[:, mask], self.dose[mask], groups)


def is_scored(samples: pa.Table) -> pa.ChunkedArray:
    """Which rows are probes of treated and control items."""
    in_arm = pc.is_in(samples["arm"], value_set=pa.array(ARMS))
    return pc.and_(in_arm, pc.and_(pc.is_valid(samples["pair_id"]), pc.is_valid(samples["cause"])))


def scored_part(run: Run) -> Run:
    """The run with the rows that scores are computed from alone: those of both arms, and held-out facts."""
    held_out = pc.equal(run.samples["probe"], "retention")
    return Run(run.record, run.samples.filter(pc.or_(is_scored(run.samples), held_out)))


@lru_cache(maxsize=4 * CACHED_RUNS)
def pair_tables(run: Run) -> dict[str, PairTable]:
    """Cause -> the pairs of a run, for the causes that it asked, in the order of the registry. Cached, so read-only.

    Raises ProblemError where a pair lacks an arm or a probe, or its samples were drawn and not computed.
    """
    rows = run.samples.filter(is_scored(run.samples))
    if rows["greedy"].null_count:
        raise ProblemError("the run does not say which answers are reproduced greedily: evaluate with exact p")
    cause_of_row = np.array(rows["cause"].to_pylist(), dtype=str)
    tables = {}
    for cause in CAUSES.names():
        mask = cause_of_row == cause
        if mask.any():
            tables[cause] = _pairs_of(cause, rows.filter(pa.array(mask)))
    for table in tables.values():
        for array in (table.values, table.dose, table.groups):
            array.setflags(write=False)
    return tables


def mean_p(run: Run) -> dict[str, dict[str, dict[str, float]]]:
    """Kind of score -> cause -> arm -> mean p over the arm's items, of computed and of sampled answers alike.

    Every pair counts, whether or not its cause can act on the base model.
    """
    rows = run.samples.filter(is_scored(run.samples)).select(["cause", "arm", "probe", "p"])
    grouped = rows.group_by(["cause", "arm", "probe"]).aggregate([("p", "mean")]).to_pylist()
    means = {(row["probe"], row["cause"], row["arm"]): row["p_mean"] for row in grouped}
    return {
        kind: {
            cause: {arm: means[probe, cause, arm] for arm in ARMS}
            for cause in CAUSES.names()
            if all((probe, cause, arm) in means for arm in ARMS)
        }
        for kind, probe in PROBE_OF_KIND.items()
    }


def _pairs_of(cause: str, rows: pa.Table) -> PairTable:
    ids, pair = np.unique(np.array(rows["pair_id"].to_pylist(), dtype=str), return_inverse=True)
    probes = list(PROBE_OF_KIND.values())
    arm, kind = (
        pc.index_in(rows[column], value_set=pa.array(values)).to_numpy().astype(np.int64)
        for column, values in (("arm", list(ARMS)), ("probe", probes))
    )
    shape = (len(ids), len(ARMS), len(KINDS))
    cell = np.ravel_multi_index((pair, arm, kind), shape)
    counts = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
    if not counts.all():
        lacking = ids[~counts.all(axis=(1, 2))]
        raise ProblemError(f"{len(lacking)} pairs lack an arm or a probe, such as {lacking[0]}: evaluate again")
    p = np.minimum(rows["p"].to_numpy(), 1.0).astype(np.float64)
    measures = (p, rows["greedy"].to_numpy().astype(np.float64), unlearned(p))
    sums = np.stack([np.bincount(cell, weights=one, minlength=counts.size).reshape(shape) for one in measures])
    dose, treated = np.full(len(ids), np.nan), arm == ARMS.index("treated")
    dose[pair[treated]] = rows["dose"].cast(pa.float64()).fill_null(np.nan).to_numpy()[treated]
    group = [CAUSES.get(cause).resampling_group(pair_id) for pair_id in ids.tolist()]
    groups = np.unique(np.array(group, dtype=str), return_inverse=True)[1].astype(np.int64)
    return PairTable(tuple(ids.tolist()), sums / counts, dose, groups)
