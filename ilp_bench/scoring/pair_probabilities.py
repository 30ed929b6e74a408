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
from ilp_bench.core.hashed_table import HashedTable
from ilp_bench.core.metrics import Array, unlearned
from ilp_bench.data.causes import CAUSES
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.learned_rates import ARMS, CACHED_RUNS, Mask
from ilp_bench.scoring.run_intervals import Indices

Counts = np.ndarray[tuple[int, int, int], np.dtype[np.int64]]
Ids = np.ndarray[tuple[int], np.dtype[np.str_]]
KINDS = ("reproduction", "internalisation")
PROBE_OF_KIND = {"reproduction": "recall", "internalisation": "paraphrase"}
MEASURES = ("p", "greedy", "unlearned")  # unlearned: (1 - p)^5, the paper's


class PairTable(NamedTuple):
    """The pairs of one cause under one run, in the order of their ids.

    pairs    shape (pairs,): their ids
    values   shape (measures, pairs, arms, kinds), each in [0, 1]: mean over an item's probes of that kind
    dose     shape (pairs,): dose of the treated item; NaN where it has none
    groups   shape (pairs,): a number for each pair; pairs of one group share material and are resampled together
    """

    pairs: Ids
    values: Array
    dose: Array
    groups: Indices

    def p(self, kind: str) -> Array:
        """Shape (pairs, 2), treated first: the probability p of one kind of score."""
        return np.asarray(self.values[0, :, :, KINDS.index(kind)])

    def p_of_arms(self) -> Array:
        """Shape (arms, kinds): the mean over pairs of p."""
        return np.asarray(self.values[MEASURES.index("p")].mean(axis=0))

    def keep(self, mask: Mask) -> PairTable:
        """The pairs for which ``mask`` is true."""
        return PairTable(self.pairs[mask], self.values[:, mask], self.dose[mask], self.groups[mask])


class CausePairs(NamedTuple):
    """The pairs of one cause, without values: as in :class:`PairTable`, and which of a layout's pairs they are."""

    pairs: Ids
    dose: Array
    groups: Indices
    place: slice


class Layout(NamedTuple):
    """Where the answers of each pair stand among the rows of a run: what all runs on one dataset share.

    rows     the rows of treated and control items, cause by cause
    cells    shape (rows,): which flat index into ``counts`` a row belongs to
    counts   shape (pairs of all causes, arms, kinds): probes, each at least 1
    groups   shape (pairs of all causes,): as in :class:`PairTable`, so that two causes may have the same numbers
    """

    causes: dict[str, CausePairs]
    rows: Indices
    cells: Indices
    counts: Counts
    groups: Indices


def is_scored(samples: pa.Table) -> pa.ChunkedArray:
    """Which rows are probes of treated and control items."""
    in_arm = pc.is_in(samples["arm"], value_set=pa.array(ARMS))
    return pc.and_(in_arm, pc.and_(pc.is_valid(samples["pair_id"]), pc.is_valid(samples["cause"])))


def scored_part(run: Run) -> Run:
    """The run with the rows that scores are computed from alone: those of both arms, and held-out facts."""
    rows, probes = _scored_rows(run.probes)
    return Run(run.record, run.samples.filter(rows), probes)


@lru_cache(maxsize=CACHED_RUNS)
def _scored_rows(probes: HashedTable) -> tuple[pa.ChunkedArray, HashedTable]:
    """Which rows are scored, and what these ask."""
    rows = pc.or_(is_scored(probes.rows), held_out_rows(probes))
    return rows, HashedTable(probes.rows.filter(rows))


@lru_cache(maxsize=CACHED_RUNS)
def held_out_rows(probes: HashedTable) -> pa.ChunkedArray:
    """Which probes are of held-out facts."""
    return pc.equal(probes.rows["probe"], "retention")


@lru_cache(maxsize=2 * CACHED_RUNS)
def held_out_mean(run: Run, column: str) -> float | None:
    """Mean of a column of ``samples`` over the probes of held-out facts; None where none was asked."""
    values = run.samples[column].to_numpy()[held_out_rows(run.probes).to_numpy()]
    asked = values[~np.isnan(values)]  # null is NaN there
    return float(asked.mean()) if len(asked) else None


@lru_cache(maxsize=2 * CACHED_RUNS)
def pair_tables(run: Run) -> dict[str, PairTable]:
    """Cause -> the pairs of a run, for the causes that it asked, in the order of the registry. Cached, so read-only.

    Raises ProblemError where a pair lacks an arm or a probe, or its samples were drawn and not computed.
    """
    values = all_values(run)
    return {
        cause: PairTable(of_cause.pairs, values[:, of_cause.place], of_cause.dose, of_cause.groups)
        for cause, of_cause in layout(run.probes).causes.items()
    }


@lru_cache(maxsize=2 * CACHED_RUNS)
def all_values(run: Run) -> Array:
    """The values of all tables of a run, one cause after the other: see :class:`PairTable`. Read-only.

    Raises ProblemError as :func:`pair_tables` does.
    """
    of_run = layout(run.probes)
    greedy = run.samples["greedy"]
    if greedy.null_count and not greedy.is_valid().to_numpy()[of_run.rows].all():
        raise ProblemError("the run does not say which answers are reproduced greedily: evaluate with exact p")
    p = np.minimum(run.samples["p"].to_numpy()[of_run.rows], 1.0)
    measures = (p, greedy.fill_null(False).to_numpy()[of_run.rows], unlearned(p))
    sums = [np.bincount(of_run.cells, weights=one, minlength=of_run.counts.size) for one in measures]
    values: Array = np.stack([each.reshape(of_run.counts.shape) for each in sums]) / of_run.counts
    values.setflags(write=False)
    return values


def layout(probes: HashedTable) -> Layout:
    """Where the answers to probes stand. Raises ProblemError where a pair lacks an arm or a probe."""
    return _layout(probes, CAUSES.names())


@lru_cache(maxsize=CACHED_RUNS)
def _layout(probes: HashedTable, names: tuple[str, ...]) -> Layout:
    """As :func:`layout`, while causes of these names are registered."""
    is_of_arm = is_scored(probes.rows).to_numpy()
    scored = probes.rows.filter(pa.array(is_of_arm))
    cause_of_row, number_of_row = np.array(scored["cause"].to_pylist(), dtype=str), np.flatnonzero(is_of_arm)
    causes: dict[str, CausePairs] = {}
    rows, cells, start = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    counts = [np.empty((0, len(ARMS), len(KINDS)), np.int64)]
    for cause in names:
        mask = cause_of_row == cause
        if mask.any():
            pairs, cell, probes_of_cell = _pairs_of(cause, scored.filter(pa.array(mask)), start)
            causes[cause], start = pairs, pairs.place.stop
            rows.append(number_of_row[mask])
            cells.append(cell + sum(each.size for each in counts))
            counts.append(probes_of_cell)
    groups = np.concatenate([np.empty(0, np.int64), *(of_cause.groups for of_cause in causes.values())])
    return Layout(causes, np.concatenate(rows), np.concatenate(cells), np.concatenate(counts), groups)


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


def _pairs_of(cause: str, rows: pa.Table, start: int) -> tuple[CausePairs, Indices, Counts]:
    """The pairs of a cause, of which the first is number ``start``; the cell of each row, and the probes of each."""
    ids, pair = np.unique(np.array(rows["pair_id"].to_pylist(), dtype=str), return_inverse=True)
    probes = list(PROBE_OF_KIND.values())
    arm, kind = (
        pc.index_in(rows[column], value_set=pa.array(values)).to_numpy().astype(np.int64)
        for column, values in (("arm", list(ARMS)), ("probe", probes))
    )
    shape = (len(ids), len(ARMS), len(KINDS))
    cells: Indices = np.ravel_multi_index((pair, arm, kind), shape).astype(np.int64)
    counts: Counts = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)
    if not counts.all():
        lacking = ids[~counts.all(axis=(1, 2))]
        raise ProblemError(f"{len(lacking)} pairs lack an arm or a probe, such as {lacking[0]}: evaluate again")
    dose, treated = np.full(len(ids), np.nan), arm == ARMS.index("treated")
    dose[pair[treated]] = rows["dose"].cast(pa.float64()).fill_null(np.nan).to_numpy()[treated]
    group = [CAUSES.get(cause).resampling_group(pair_id) for pair_id in ids.tolist()]
    groups = np.unique(np.array(group, dtype=str), return_inverse=True)[1].astype(np.int64)
    for array in (dose, groups):
        array.setflags(write=False)
    return CausePairs(ids, dose, groups, slice(start, start + len(ids))), cells, counts
