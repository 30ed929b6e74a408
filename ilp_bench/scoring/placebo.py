"""Placebos: vanilla scored against vanilla, where every interval should contain 0.

In a sound scorer about one interval in twenty does not. Runs differ in the training seed alone, so whatever is found
is noise; a share far above that says that intervals leave something out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np

from ilp_bench.core.errors import ProblemError
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.arm_means import arm_means
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.pair_probabilities import scored_part
from ilp_bench.scoring.pair_sets import Comparison
from ilp_bench.scoring.points import share_closed
from ilp_bench.scoring.rank_reasons import MIN_GAP
from ilp_bench.scoring.run_intervals import MIN_DATASETS
from ilp_bench.scoring.score_points import active_pairs

SHARE = "H"  # the cell of the share closed, beside one for each cause


class Cell(NamedTuple):
    """One interval of one placebo. ``cause`` is ``H`` for the share of the gap that is closed."""

    kind: str
    cause: str
    interval: Interval

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval says that something changed."""
        return self.interval.low > 0 or self.interval.high < 0


class Placebo(NamedTuple):
    """All cells of some placebos.

    single    one vanilla run against another on the same dataset, all but the first showing what runs differ by
    several   one on each of three datasets or more against another on each
    """

    single: list[Cell]
    several: list[Cell]


def placebo(runs: Sequence[Run]) -> Placebo:
    """Score every ordered pair of vanilla runs on one dataset, and, over three datasets or more, of training seeds.

    runs   vanilla runs of one base model, and its base runs, one for each dataset

    Raises ProblemError without two vanilla runs on a dataset.
    """
    datasets = list(_datasets(runs))
    if not datasets:
        raise ProblemError("a placebo wants two vanilla runs or more on one dataset: train vanilla with other seeds")
    single = [cell for dataset in datasets for cell in _single(dataset, datasets)]
    several = list(_several(datasets)) if len(datasets) >= MIN_DATASETS else []
    return Placebo(single, several)


def share_excluding_zero(cells: Sequence[Cell]) -> float:
    """The share of cells whose interval does not contain 0; NaN without cells."""
    return float(np.mean([cell.excludes_zero for cell in cells])) if cells else float("nan")


def _datasets(runs: Sequence[Run]) -> Iterator[Comparison]:
    """The vanilla runs of each dataset that has two or more, and its base run."""
    by_dataset: dict[tuple[int, str], list[Run]] = {}
    for run in runs:
        by_dataset.setdefault((run.record.data.seed, run.record.data.content_sha256), []).append(scored_part(run))
    for _, same in sorted(by_dataset.items(), key=lambda entry: entry[0]):
        base = next((run for run in same if run.record.training is None), None)
        vanillas = tuple(run for run in same if run.record.training is not None)
        if len(vanillas) > 1:
            yield Comparison((), vanillas, base)


def _single(dataset: Comparison, datasets: Sequence[Comparison]) -> Iterator[Cell]:
    others = [other for other in datasets if other is not dataset]
    for submitted, vanilla in permutations(dataset.vanillas, 2):
        rest = tuple(run for run in dataset.vanillas if run is not submitted)
        further = [dataset._replace(vanillas=rest), *others]
        yield from _cells([Comparison((submitted,), (vanilla,), dataset.base)], further)


def _several(datasets: Sequence[Comparison]) -> Iterator[Cell]:
    for first, second in permutations(range(min(len(dataset.vanillas) for dataset in datasets)), 2):
        yield from _cells(
            [Comparison((one.vanillas[first],), (one.vanillas[second],), one.base) for one in datasets], ()
        )


def _cells(comparisons: Sequence[Comparison], further: Sequence[Comparison]) -> Iterator[Cell]:
    for kind, means in arm_means(comparisons, active_pairs, further).items():
        for cause in means.causes:
            yield Cell(kind, cause, means.points(cause))
        gaps = {cause: means.gap(cause).value for cause in means.causes}
        share = share_closed(means, [cause for cause, gap in gaps.items() if gap >= MIN_GAP], gaps)
        if share:
            yield Cell(kind, SHARE, share)
