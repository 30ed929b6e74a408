"""Learned rates per matched pair: the table between samples and scores. Arrays only, no loop over rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.metrics import Array, learned
from ilp_bench.data.causes import CAUSES
from ilp_bench.records.run_record import Run

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
ARMS, PROBES = ("treated", "control"), ("recall", "paraphrase")
NEEDED = ["pair_id", "cause", "arm", "probe", "dose", "p"]
KEPT = 32  # runs whose rates are remembered


class Rates(NamedTuple):
    """Learned rates of the pairs of one cause, in the order of their names.

    pairs   their ids
    both    shape (pairs, 2), treated first: mean over an item's recall and paraphrase probes
    recall, paraphrase  the same over those probes alone
    dose    shape (pairs,): dose of the treated item; NaN where the cause has none
    """

    pairs: list[str]
    both: Array
    recall: Array
    paraphrase: Array
    dose: Array


@lru_cache(maxsize=KEPT)
def rates(run: Run) -> dict[str, Rates]:
    """Cause -> learned rates of a run, for the causes that it asked. Raises ProblemError where an arm is missing.

    Worked out once for each run, as everything about a run is read from them.
    """
    table = run.samples.select(NEEDED).filter(pc.is_valid(run.samples["cause"]))
    pair = table["pair_id"].combine_chunks().dictionary_encode()
    names = np.array(pair.dictionary.to_pylist(), dtype=str)
    order = np.argsort(names)
    number = np.empty(len(names), dtype=np.int64)
    number[order] = np.arange(len(names))
    row = number[pair.indices.to_numpy()]
    causes = CAUSES.names()
    cause = _codes(table["cause"], causes)
    place = 4 * row + 2 * _codes(table["arm"], ARMS) + _codes(table["probe"], PROBES)
    values = learned(np.minimum(table["p"].to_numpy(), 1.0))
    sums = np.bincount(place, weights=values, minlength=4 * len(names)).reshape(-1, 2, 2)
    counts = np.bincount(place, minlength=4 * len(names)).reshape(-1, 2, 2)
    if not counts.all():
        lacking = names[order][~counts.all(axis=(1, 2))]
        raise ProblemError(f"{len(lacking)} pairs lack an arm or a probe, such as {lacking[0]}: evaluate again")
    of = np.zeros(len(names), dtype=np.int64)
    of[row] = cause
    dose, treated = np.full(len(names), np.nan), _codes(table["arm"], ARMS) == 0
    dose[row[treated]] = table["dose"].cast(pa.float64()).fill_null(np.nan).to_numpy()[treated]
    both, probes = sums.sum(axis=2) / counts.sum(axis=2), sums / counts
    return {
        name: Rates(names[order][mine].tolist(), both[mine], probes[mine, :, 0], probes[mine, :, 1], dose[mine])
        for index, name in enumerate(causes)
        if (mine := of == index).any()
    }


def _codes(column: pa.ChunkedArray, known: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The place of each value in ``known``; raises ProblemError for a value that is not there."""
    found = pc.index_in(column, value_set=pa.array(known))
    if found.null_count:
        raise ProblemError(f"{column.filter(pc.is_null(found))[0].as_py()!r} is none of {', '.join(known)}")
    return np.asarray(found.to_numpy(), dtype=np.int64)


def mean(replicates: Sequence[Rates]) -> Rates:
    """The mean over replicates on one dataset, pair by pair."""
    first = replicates[0]
    if len(replicates) == 1:
        return first
    both, recall, paraphrase = (
        np.mean([getattr(one, name) for one in replicates], axis=0) for name in ("both", "recall", "paraphrase")
    )
    return Rates(first.pairs, both, recall, paraphrase, first.dose)


def join(datasets: Sequence[Rates]) -> Rates:
    """The pairs of several datasets, one dataset after the other."""
    if len(datasets) == 1:
        return datasets[0]
    pairs = [pair for one in datasets for pair in one.pairs]
    return Rates(pairs, *(np.concatenate(column) for column in list(zip(*datasets, strict=True))[1:]))


def keep(found: Rates, mask: Mask) -> Rates:
    """Some of the pairs."""
    pairs = [pair for pair, wanted in zip(found.pairs, mask, strict=True) if wanted]
    return Rates(pairs, *(column[mask] for column in found[1:]))


@lru_cache(maxsize=KEPT)
def active_pairs(base: Run) -> dict[str, set[str]]:
    """Cause -> pairs on which it can act with this base model, read from its probe with exemplars shown.

    Each cause's :class:`~ilp_bench.data.causes.spec.CauseSpec` says which. Raises ProblemError when the base run was
    made without the probe.
    """
    if not base.record.probed:
        raise ProblemError("the base run has no knowledge probe: evaluate the base model with the base-model probe on")
    needed = ["pair_id", "cause", "arm", "shots_greedy", "belief", "prior_answer"]
    recall = base.samples.select(needed).filter(pc.equal(base.samples["probe"], "recall"))
    return {cause.name: cause.active_pairs(recall.filter(pc.equal(recall["cause"], cause.name))) for cause in CAUSES}


@lru_cache(maxsize=KEPT)
def retention(run: Run, *, shots: bool) -> float | None:
    """Learned rate of known facts outside the training set; with examples shown where ``shots`` and they were."""
    mine = run.samples.select(["p", "shots_p"]).filter(pc.equal(run.samples["probe"], "retention"))
    if not mine.num_rows:
        return None
    p = pc.coalesce(mine["shots_p"], mine["p"]) if shots else mine["p"]
    return float(learned(np.minimum(p.to_numpy(), 1.0)).mean())
