"""Learned rates: the table between samples and scores, and the only definition of them. Arrays, no loop over rows.

A probe with probability p is learned to the degree 1 - (1 - p)^5. The learned rate of an item is the mean over all
ways it was asked: once in its training template (recall), twice in templates that were never trained (paraphrase). The
rate of an arm is the mean over its items.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.metrics import Array, learned
from ilp_bench.data.causes import CAUSES
from ilp_bench.records.run_record import Run
from ilp_bench.scoring import version_2

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
Indices = np.ndarray[tuple[int], np.dtype[np.int64]]
ARMS, PROBES = ("treated", "control"), ("recall", "paraphrase", "retention")
RECALL, PARAPHRASE = 0, 1  # columns of PROBES
NEEDED = ["pair_id", "cause", "arm", "probe", "dose", "p"]
CACHED_RUNS = 32


class PairRates(NamedTuple):
    """Learned rates of the pairs of one cause, in the order of their ids.

    pairs   their ids
    both    shape (pairs, 2), treated first: mean over an item's recall and paraphrase probes
    recall, paraphrase  the same over those probes alone
    dose    shape (pairs,): dose of the treated item; NaN where the cause has none
    """

    pairs: tuple[str, ...]
    both: Array
    recall: Array
    paraphrase: Array
    dose: Array


class _ProbeSums(NamedTuple):
    """Sums of ``learned`` and numbers of probes of some items, each of shape (items, kinds of probe)."""

    learned: Array
    probes: NDArray[np.int64]

    def rates(self) -> Array:
        """Shape (items,): the learned rate of each item, the mean over all its probes."""
        return np.asarray(self.learned.sum(axis=1) / self.probes.sum(axis=1))


def _sum_probes(samples: pa.Table, item: Indices, items: int) -> _ProbeSums:
    """Add up the probes of items; ``item`` is the index of each row's item."""
    cell = len(PROBES) * item + _codes(samples["probe"], PROBES)
    cells = len(PROBES) * items
    sums: Array = np.bincount(cell, weights=learned_probes(samples["p"]), minlength=cells).astype(np.float64)
    counts: Indices = np.bincount(cell, minlength=cells).astype(np.int64)
    return _ProbeSums(sums.reshape(items, -1), counts.reshape(items, -1))


def learned_probes(p: pa.ChunkedArray) -> Array:
    """The degree in [0, 1] to which each probe is learned, of probabilities that rounding may have put above 1."""
    return learned(np.minimum(p.to_numpy(), 1.0))


@lru_cache(maxsize=CACHED_RUNS)
def pair_rates(run: Run) -> dict[str, PairRates]:
    """Cause -> learned rates of a run's pairs, for the causes that it asked. Cached, so read-only.

    Raises ProblemError where a pair lacks an arm or a probe.
    """
    table = run.samples.select(NEEDED).filter(pc.is_valid(run.samples["pair_id"]))
    encoded = table["pair_id"].combine_chunks().dictionary_encode()
    ids = np.array(encoded.dictionary.to_pylist(), dtype=str)
    order = np.argsort(ids)
    rank = np.empty(len(ids), dtype=np.int64)
    rank[order] = np.arange(len(ids))
    pair, arm = rank[encoded.indices.to_numpy()], _codes(table["arm"], ARMS)
    sums = _sum_probes(table, 2 * pair + arm, 2 * len(ids))
    counts = sums.probes.reshape(-1, 2, len(PROBES))[:, :, :2]
    if not counts.all():
        lacking = ids[order][~counts.all(axis=(1, 2))]
        raise ProblemError(f"{len(lacking)} pairs lack an arm or a probe, such as {lacking[0]}: evaluate again")
    causes = CAUSES.names()
    cause_of_pair = np.zeros(len(ids), dtype=np.int64)
    cause_of_pair[pair] = _codes(table["cause"], causes)
    dose, treated = np.full(len(ids), np.nan), arm == ARMS.index("treated")
    dose[pair[treated]] = table["dose"].cast(pa.float64()).fill_null(np.nan).to_numpy()[treated]
    both, by_probe = sums.rates().reshape(-1, 2), sums.learned.reshape(-1, 2, len(PROBES))[:, :, :2] / counts
    everything = PairRates(tuple(ids[order].tolist()), both, by_probe[..., RECALL], by_probe[..., PARAPHRASE], dose)
    masks = {name: cause_of_pair == index for index, name in enumerate(causes)}
    rates = {name: keep(everything, mask) for name, mask in masks.items() if mask.any()}
    for arrays in rates.values():
        for array in arrays[1:]:
            array.setflags(write=False)
    return rates


def item_rates(run: Run) -> dict[str, float]:
    """Item id -> learned rate, of every item that a run asked; on a pair's items the same as :func:`pair_rates`."""
    encoded = run.samples["item_id"].combine_chunks().dictionary_encode()
    ids = encoded.dictionary.to_pylist()
    rates = _sum_probes(run.samples, encoded.indices.to_numpy().astype(np.int64), len(ids)).rates()
    return dict(zip(ids, rates.tolist(), strict=True))


def arm_rates(run: Run) -> dict[str, dict[str, float]]:
    """Cause -> arm -> learned rate, the mean over the arm's items. Raises ProblemError as :func:`pair_rates` does."""
    means = {cause: rates.both.mean(axis=0) for cause, rates in pair_rates(run).items()}
    return {cause: dict(zip(ARMS, mean.tolist(), strict=True)) for cause, mean in means.items()}


def _codes(column: pa.ChunkedArray, values: Sequence[str]) -> Indices:
    """The index of each row in ``values``; raises ProblemError for a row that is none of them."""
    codes = pc.index_in(column, value_set=pa.array(values))
    if codes.null_count:
        raise ProblemError(f"{column.filter(pc.is_null(codes))[0].as_py()!r} is none of {', '.join(values)}")
    return np.asarray(codes.to_numpy(), dtype=np.int64)


def mean(replicates: Sequence[PairRates]) -> PairRates:
    """The mean over replicates on one dataset, pair by pair."""
    first = replicates[0]
    if len(replicates) == 1:
        return first
    both, recall, paraphrase = (
        np.mean([getattr(rates, name) for rates in replicates], axis=0) for name in ("both", "recall", "paraphrase")
    )
    return PairRates(first.pairs, both, recall, paraphrase, first.dose)


def join(datasets: Sequence[PairRates]) -> PairRates:
    """The pairs of several datasets, one dataset after the other."""
    if len(datasets) == 1:
        return datasets[0]
    pairs = tuple(pair for rates in datasets for pair in rates.pairs)
    return PairRates(pairs, *(np.concatenate(column) for column in list(zip(*datasets, strict=True))[1:]))


def keep(rates: PairRates, mask: Mask) -> PairRates:
    """The pairs for which ``mask`` is true."""
    pairs = tuple(pair for pair, kept in zip(rates.pairs, mask, strict=True) if kept)
    return PairRates(pairs, *(column[mask] for column in rates[1:]))


def check_probed(base: Run) -> None:
    """Raise ProblemError where a base run was made without the knowledge probe."""
    if not base.record.probed:
        raise ProblemError("the base run has no knowledge probe: evaluate the base model with the base-model probe on")


@lru_cache(maxsize=CACHED_RUNS)
def active_pairs(base: Run) -> dict[str, frozenset[str]]:
    """Cause -> pairs on which it can act with this base model, read from its probe with few-shot exemplars.

    Each cause's :class:`~ilp_bench.data.causes.spec.CauseSpec` says which. Raises ProblemError when the base run was
    made without the probe.
    """
    check_probed(base)
    is_version_2 = base.record.data.version == version_2.VERSION
    by_name = version_2.ACTIVE_PAIRS if is_version_2 else {}
    needed = ["pair_id", "cause", "arm", "shots_greedy", "belief", "prior_answer"]
    recall = base.samples.select(needed if is_version_2 else [*needed, "shots_p", "shots_options"]).filter(
        pc.equal(base.samples["probe"], "recall")
    )
    return {
        cause.name: frozenset(
            by_name.get(cause.name, cause.active_pairs)(recall.filter(pc.equal(recall["cause"], cause.name)))
        )
        for cause in CAUSES
    }


@lru_cache(maxsize=CACHED_RUNS)
def held_out_fact_retention(run: Run, *, few_shot: bool) -> float | None:
    """Learned rate in [0, 1] of known facts outside the training set; None where none was asked.

    ``few_shot``: with few-shot exemplars, where the run was asked with them.
    """
    facts = run.samples.select(["p", "shots_p"]).filter(pc.equal(run.samples["probe"], "retention"))
    if not facts.num_rows:
        return None
    return float(learned_probes(pc.coalesce(facts["shots_p"], facts["p"]) if few_shot else facts["p"]).mean())
