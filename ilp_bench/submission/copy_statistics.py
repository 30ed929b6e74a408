"""How alike two runs of different trainings are, and from where on they are one measurement.

Two statistics, over the probes that both runs were asked on one dataset:

    near          share of mid-range probes (p of both between .05 and .95) whose p differ by less than .01
    correlation   of p, less the mean of its cell (arm, cause and kind of probe); so it stays what it was where somebody
                  lifts a whole arm of a copy

Runs of one base model are alike because the same items are hard for them. How much, committed runs say: over all pairs
of honest runs on one dataset and base model whose recipe or seed differs, the log-odds of ``near``, and Fisher's z of
``correlation``, have an exponential tail above their 90th percentile. A threshold is where that tail leaves one pair in
``1 / FALSE_ALARMS``. ``scripts/copy-thresholds`` derives both again from what is committed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.core.hashed_table import HashedTable
from ilp_bench.core.metrics import Array
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.learned_rates import CACHED_RUNS
from ilp_bench.scoring.run_intervals import Indices

NEAR, CORRELATION = 0.44, 0.993  # printed by scripts/copy-thresholds
FALSE_ALARMS = 1e-4  # of each statistic, for a pair of honest runs
TAIL = 0.1  # share of pairs that the tail is fitted to
LOW, HIGH, SAME_P = 0.05, 0.95, 0.01
FEWEST = 50  # mid-range probes, or values that are compared


class Alike(NamedTuple):
    """The two statistics of a pair of runs; 0 where too few probes are in the middle."""

    near: float
    correlation: float

    @property
    def is_copy(self) -> bool:
        """Whether either is beyond its threshold."""
        return self.near > NEAR or self.correlation > CORRELATION


class Measured(NamedTuple):
    """p of a run's probes in the order of their ids, and the number of each probe's cell."""

    probe_ids: pa.Array
    p: Array
    cells: Indices

    @classmethod
    def of(cls, run: Run) -> Measured:
        """The probes of a run."""
        order, probe_ids, cells = _sorted_probes(run.probes)
        return cls(probe_ids, run.samples["p"].to_numpy()[order], cells)

    @property
    def spread(self) -> float:
        """Standard deviation of p within cells."""
        return float(np.std(self.p - _cell_means(self)))

    def only(self, probe_ids: pa.Array) -> Measured:
        """The same for some of its probes."""
        if self.probe_ids.equals(probe_ids):
            return self
        chosen = np.isin(self.probe_ids.to_numpy(zero_copy_only=False), probe_ids.to_numpy(zero_copy_only=False))
        return Measured(self.probe_ids.filter(pa.array(chosen)), self.p[chosen], self.cells[chosen])


@lru_cache(maxsize=CACHED_RUNS)
def _sorted_probes(probes: HashedTable) -> tuple[Indices, pa.Array, Indices]:
    """The order of the probe ids, the ids in it, and the number of each one's cell. Cached, so read-only."""
    order = pc.sort_indices(probes.rows, sort_keys=[("probe_id", "ascending")])
    rows = probes.rows.take(order)
    names = [rows[name].to_pylist() for name in ("arm", "cause", "probe")]
    numbers: dict[tuple[str, ...], int] = {}
    cells = np.array([numbers.setdefault(cell, len(numbers)) for cell in zip(*names, strict=True)], dtype=np.int64)
    cells.setflags(write=False)
    return order.to_numpy(), rows["probe_id"].combine_chunks().cast(pa.string()), cells


def alike(first: Measured, second: Measured) -> Alike:
    """The statistics of two runs on one dataset."""
    if not first.probe_ids.equals(second.probe_ids):  # a reference holds the probes of pairs alone
        first, second = first.only(second.probe_ids), second.only(first.probe_ids)
    p, other = first.p, second.p
    middle = (p > LOW) & (p < HIGH) & (other > LOW) & (other < HIGH)
    near = float(np.mean(np.abs(p - other)[middle] < SAME_P)) if middle.sum() >= FEWEST else 0.0
    rest, other_rest = (each.p - _cell_means(each) for each in (first, second))
    spread = float(np.sqrt((rest @ rest) * (other_rest @ other_rest)))
    return Alike(near, float(rest @ other_rest) / spread if spread > 0 and len(p) >= FEWEST else 0.0)


def _cell_means(measured: Measured) -> Array:
    means: Array = (np.bincount(measured.cells, measured.p) / np.maximum(np.bincount(measured.cells), 1))[
        measured.cells
    ]
    return means


def shared_numbers(first: Run, second: Run) -> float:
    """Share of one run's mid-range log-probabilities that stand, to the last bit, in another run's too.

    Of runs on different datasets, whose probes are not the same; 0 where too few are in the middle.
    """
    values, others = _middle_numbers(first), _middle_numbers(second)
    if min(len(values), len(others)) < FEWEST:
        return 0.0
    nearest = others[np.minimum(np.searchsorted(others, values), len(others) - 1)]
    return float((nearest == values).mean())


def most_shared(runs: Sequence[Run]) -> float:
    """At least the largest of :func:`shared_numbers` of any two of the runs, in one pass over all of them."""
    values = [found for run in runs if len(found := _middle_numbers(run)) >= FEWEST]
    if len(values) < 2:
        return 0.0
    everything = np.sort(np.concatenate(values))
    return int((everything[1:] == everything[:-1]).sum()) / min(map(len, values))


@lru_cache(maxsize=CACHED_RUNS)
def _middle_numbers(run: Run) -> Array:
    """The mid-range log-probabilities of a run, in ascending order."""
    logprob = np.asarray(run.samples["logprob"].to_numpy(), dtype=float)
    return np.sort(logprob[(logprob > math.log(LOW)) & (logprob < math.log(HIGH))])


def honest_pairs(runs: Iterable[Run]) -> Iterator[Alike]:
    """The statistics of all pairs of different trainings from one base model on one dataset."""
    groups: dict[tuple[str, str | None], dict[str, tuple[tuple[str | None, int | None], Measured]]] = {}
    for run in runs:
        record, training = run.record, run.record.training
        if training is not None:
            same = groups.setdefault((record.data.content_sha256, training.base_sha256), {})
            same.setdefault(record.model.weights_sha256, ((training.recipe, training.seed), Measured.of(run)))
    for same in groups.values():
        for (method, first), (other_method, second) in combinations(same.values(), 2):
            if method != other_method:
                yield alike(first, second)


def thresholds(pairs: Sequence[Alike], false_alarms: float = FALSE_ALARMS) -> Alike:
    """Where the tails of both statistics leave a share ``false_alarms`` of honest pairs."""
    near = _beyond([math.log(odds / (1 - odds)) for pair in pairs if 0 < (odds := pair.near) < 1], false_alarms)
    return Alike(
        1 / (1 + math.exp(-near)), math.tanh(_beyond([math.atanh(pair.correlation) for pair in pairs], false_alarms))
    )


def _beyond(values: Sequence[float], share: float) -> float:
    """What a share of all values exceeds, by an exponential fitted to their upper tail (peaks over a threshold)."""
    start = float(np.quantile(values, 1 - TAIL))
    return start + float(np.mean([value - start for value in values if value > start])) * math.log(TAIL / share)
