"""Runs beside those of the reference of their base model: vanilla no weaker than runs differ, items no easier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.learned_rates import ARMS
from ilp_bench.scoring.pair_probabilities import KINDS, pair_tables
from ilp_bench.scoring.references import Reference
from ilp_bench.submission.copy_statistics import Measured, alike

# Standard deviations by which an arm may differ. Of 15 committed vanilla runs, each beside the others of its reference,
# the largest of all their arms differs by 3.8.
MOST_DEVIATIONS = 5.0
FEWEST_RUNS = 3  # of a reference, to know what runs differ by
# The least correlation of p within cells with the reference's vanilla, and the least spread that asks for any. Over the
# pairs of committed runs of one base model on one dataset (scripts/copy-thresholds), the lowest is .109.
LEAST_CORRELATION, LEAST_SPREAD = 0.1, 0.1


def vanilla_problems(vanillas: Sequence[Run], reference: Reference) -> Iterator[str]:
    """Own vanilla runs, on datasets that the reference lacks, of which an arm differs by more than runs do."""
    stored = [arm_levels(run) for comparison in reference.comparisons for run in comparison.vanillas]
    if len(stored) < FEWEST_RUNS:
        return
    for number, run in enumerate(vanillas):
        for arm, value, mean, limit in unlike(arm_levels(run), stored):
            yield (
                f"vanillas.{number}: {arm} has a mean p of {value:.2f}, and {mean:.2f} in reference {reference.name}, "
                f"where runs differ by {limit:.2f} at most: train vanilla as the reference was, or submit on its seeds"
            )
            break


def invention_problems(runs: Sequence[Run], reference: Reference) -> Iterator[str]:
    """Runs whose hard items are others than those of vanilla on the same dataset: numbers that were made up carelessly.

    A run that learned nearly everything has no hard items, and is not asked.
    """
    for number, run in enumerate(runs):
        comparison = reference.comparison(run.record.data.content_sha256)
        measured = Measured.of(run)
        if comparison is None or measured.spread < LEAST_SPREAD:
            continue
        found = [alike(measured, Measured.of(vanilla)).correlation for vanilla in comparison.vanillas]
        if (correlation := float(np.mean(found))) < LEAST_CORRELATION:
            yield (
                f"runs.{number}: its p have a correlation of {correlation:.2f} with vanilla's on the same items, less "
                f"than the {LEAST_CORRELATION} of any training from that base: evaluate again"
            )


def unlike(levels: dict[str, float], stored: Sequence[dict[str, float]]) -> Iterator[tuple[str, float, float, float]]:
    """The arms of a run that differ from those of stored runs: name, value, stored mean, and the allowed difference."""
    names = [name for name in levels if all(name in each for each in stored)]
    matrix: Array = np.array([[each[name] for name in names] for each in stored])
    means, spreads = matrix.mean(axis=0), matrix.var(axis=0, ddof=1)
    for is_mean in (True, False):
        chosen = [index for index, name in enumerate(names) if name.startswith("all") == is_mean]
        limit = MOST_DEVIATIONS * float(np.sqrt(spreads[chosen].mean() * (1 + 1 / len(stored))))
        for index in chosen:
            if abs(levels[names[index]] - means[index]) > limit:
                yield names[index], levels[names[index]], float(means[index]), limit


def arm_levels(run: Run) -> dict[str, float]:
    """Mean p by kind of score, cause and arm, and over all causes."""
    levels: dict[str, float] = {}
    for kind in KINDS:
        tables = {cause: table.p(kind).mean(axis=0) for cause, table in pair_tables(run).items()}
        means = tables | {"all causes": np.mean(list(tables.values()), axis=0)}
        for cause, values in means.items():
            levels |= {f"{cause}, {kind}, {arm}": float(value) for arm, value in zip(ARMS, values, strict=True)}
    return levels
