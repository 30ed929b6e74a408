"""Vanilla runs of one's own beside those of the reference of their base model: no weaker than runs differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.learned_rates import ARMS
from ilp_bench.scoring.pair_probabilities import KINDS, pair_tables
from ilp_bench.scoring.references import Reference

# Standard deviations by which an arm may differ. Of 15 committed vanilla runs, each beside the others of its reference,
# the largest of all their arms differs by 3.8.
MOST_DEVIATIONS = 5.0
FEWEST_RUNS = 3  # of a reference, to know what runs differ by


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
