"""What honest runs of dataset 3 do not show: numbers that agree with one another and still cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.core.hashed_table import HashedTable
from ilp_bench.records.run_record import Run
from ilp_bench.records.training_record import CALIBRATED
from ilp_bench.scoring.learned_rates import ARMS, CACHED_RUNS, Mask
from ilp_bench.scoring.pair_probabilities import pair_tables
from ilp_bench.submission.archive import DatasetKey, dataset_items
from ilp_bench.submission.copy_statistics import Measured, alike, most_shared, shared_numbers
from ilp_bench.submission.format import SubmittedRuns

MOST_SHARED = 0.05  # share of exact log-probabilities that runs on different datasets have in common by chance
TEMPLATES = 0.2  # p of an untrained prompt may be so much higher than that of the trained one, not more
# How far vanilla may stay below the threshold of calibration. Where it found its budget, it passed the threshold, but
# for rounding; with the budget of another, its luck counts (on nano, 0.73 where the first run had 0.84).
CALIBRATED_SLACK, OTHER_SLACK = 0.05, 0.15


def plausibility_problems(runs: SubmittedRuns) -> Iterator[str]:
    """Weak vanilla runs, runs that are there twice, and those that know best what they were never trained on."""
    for number, run in enumerate(runs.vanillas):
        training = run.record.training
        least = CALIBRATED - (CALIBRATED_SLACK if training and training.calibrated else OTHER_SLACK)
        p = calibration_p(run)
        if p is not None and p < least:
            yield (
                f"vanillas.{number}: weak vanilla: its mean p of the last stage's calibration items is {p:.2f}, less "
                f"than {least:.2f}: it was stopped too early; train it with the recipe vanilla until it is calibrated"
            )
    yield from _twin_problems(runs)
    yield from _repeated_numbers([*runs.runs, *runs.vanillas])
    for number, run in enumerate(runs.runs):
        yield from (f"runs.{number}: {problem}" for problem in _template_problems(run))


def _twin_problems(runs: SubmittedRuns) -> Iterator[str]:
    """Runs of one dataset that are two trainings by their records, and one measurement by their samples."""
    named = [(f"runs.{number}", run) for number, run in enumerate(runs.runs)]
    named += [(f"vanillas.{number}", run) for number, run in enumerate(runs.vanillas)]
    for (name, first), (later, second) in combinations(named, 2):
        if first.record.data != second.record.data or first.record == second.record:
            continue
        if alike(Measured.of(first), Measured.of(second)).is_copy:
            yield f"{later} has the samples of {name}: give each run once"


def _repeated_numbers(runs: Sequence[Run]) -> Iterator[str]:
    """Runs on different datasets whose log-probabilities are the same numbers, in whatever order."""
    if most_shared(runs) <= MOST_SHARED:  # as in all honest submissions
        return
    for (number, first), (later, second) in combinations(enumerate(runs), 2):
        if first.record.data != second.record.data and (share := shared_numbers(second, first)) > MOST_SHARED:
            yield (
                f"runs.{later} has {100 * share:.0f} % of its mid-range log-probabilities from runs.{number}, to the "
                "last bit, on another dataset: evaluate each model on its own"
            )


def calibration_p(run: Run) -> float | None:
    """Mean p, in [0, 1], of the recall probes of the last stage's calibration items; None where none was asked."""
    data = run.record.data
    rows = _calibration_rows(run.probes, DatasetKey(data.version, data.size, data.seed), data.content_sha256)
    return None if rows is None else float(np.mean(run.samples["p"].to_numpy()[rows]))


@lru_cache(maxsize=CACHED_RUNS)
def _calibration_rows(probes: HashedTable, dataset: DatasetKey, content_sha256: str) -> Mask | None:
    """Which probes are recall probes of the last stage's calibration items; None where the dataset has none."""
    items = dataset_items(dataset, content_sha256).items
    if "stage" not in items.column_names:
        return None
    asked = items.filter(pc.and_(pc.equal(items["arm"], "calibration"), pc.equal(items["probe"], "recall")))
    if not asked.num_rows:
        return None
    last = asked.filter(pc.equal(asked["stage"], pc.max(asked["stage"])))["probe_id"].combine_chunks()
    return np.asarray(pc.is_in(probes.rows["probe_id"].cast(pa.string()), value_set=last).to_numpy())


def _template_problems(run: Run) -> Iterator[str]:
    for cause, table in pair_tables(run).items():
        for arm, (trained, other) in zip(ARMS, table.p_of_arms().tolist(), strict=True):
            if other > trained + TEMPLATES:
                yield (
                    f"{cause}, {arm}: p is {other:.2f} for prompts never trained, {trained:.2f} for the trained one: "
                    "implausible; evaluate again, or explain it in an issue"
                )
