"""How often the intervals of scorer 3 contain the truth, by simulation. Never results.

usage: python tests/coverage_simulation.py [TRIALS=2000 [REFERENCE]]

Prints, for recipes with known effects, the coverage of G of the first cause and of H. Run effects are those of
tests/points_runs.py, beside other intervals that were tried; with REFERENCE, its measured standard deviations between
runs, cause by cause and arm by arm, and the intervals as scored alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
from points_runs import ARM_LEVEL, EFFECT_SD, GAP, ITEM_SD, LUCK_SD, PAIRS, SHARED_SD

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import PAPER_CAUSES
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.points import ArmMeans, points, share_closed
from ilp_bench.scoring.references import Reference, named_reference
from ilp_bench.scoring.run_intervals import over_datasets, t_quantile

CAUSES = len(PAPER_CAUSES)
GAPS = dict.fromkeys(PAPER_CAUSES, GAP)
NOTHING = np.zeros(CAUSES)
ASSUMED_RUN_SD = np.full((CAUSES, 2), np.hypot(SHARED_SD, LUCK_SD / np.sqrt(PAIRS)))
# name -> what the recipe adds to treated and control arms, cause by cause
EFFECTS: dict[str, tuple[Array, Array]] = {
    "placebo": (NOTHING, NOTHING),
    "own cause": (np.array([0.2, 0, 0, 0, 0]), NOTHING),
    "both arms rise": (NOTHING + 0.1, NOTHING + 0.1),
    "both arms rise a little": (NOTHING + 0.01, NOTHING + 0.01),
    "mixed": (np.array([0.2, 0.1, 0.05, 0, 0]), np.array([0.05, -0.05, 0.02, 0, 0.01])),
}


def measured_run_sd(reference: Reference) -> Array:
    """Standard deviation between runs of the means of reproduction, shape (causes, arms)."""
    assert reference.record.run_sd, "the reference has too few vanilla runs on a dataset"
    by_cause = reference.record.run_sd["reproduction"]
    return np.array([[by_cause[cause].treated, by_cause[cause].control] for cause in PAPER_CAUSES])


def draw_means(
    rng: np.random.Generator, datasets: int, effect: tuple[Array, Array], run_sd: Array = ASSUMED_RUN_SD
) -> Array:
    """Arm means of a submission and of vanilla, shape (datasets, 2, causes, 2): means of PAIRS items each.

    run_sd   of the mean of an arm between runs, shape (causes, arms)
    """
    shape = (datasets, CAUSES, 2)
    level = ARM_LEVEL + rng.normal(0, ITEM_SD / np.sqrt(PAIRS), shape)
    added = np.stack(effect, axis=1)
    if added.any():
        added = added + rng.normal(0, EFFECT_SD / np.sqrt(PAIRS), shape)
    return np.stack([level + added, level], axis=1) + rng.normal(0, run_sd, (datasets, 2, CAUSES, 2))


def as_scored(means: Array) -> tuple[Interval, Interval]:
    """The intervals of G of the first cause and of H."""
    arms = ArmMeans(PAPER_CAUSES, means.mean(axis=0), over_datasets(means.reshape(len(means), -1)))
    share = share_closed(arms, PAPER_CAUSES, GAPS)
    assert share
    return arms.points(PAPER_CAUSES[0]), share


def raised_twice(means: Array) -> tuple[Interval, Interval]:
    """As scored, with twice the allowance."""
    first, second = (
        one.model_copy(update={"high": one.high + (one.high - one.value) - (one.value - one.low)})
        for one in as_scored(means)
    )
    return first, second


def by_points_of_replicates(means: Array) -> tuple[Interval, Interval]:
    """t intervals of the mean over replicates of their own G and H."""
    change = means[:, 0] - means[:, 1]
    each = points(change[..., 0], change[..., 1])
    return _t_interval(each[:, 0]), _t_interval(each.sum(axis=1) / (GAP * CAUSES))


def not_raised(means: Array) -> tuple[Interval, Interval]:
    """As scored, without the allowance for the bias of the guard."""
    change = means[:, 0] - means[:, 1]
    rose = change[..., 1].mean(axis=0) > 0
    each = change[..., 0] - rose * change[..., 1]
    return _t_interval(each[:, 0]), _t_interval(each.sum(axis=1) / (GAP * CAUSES))


def two_stage_bootstrap(means: Array, draws: int = 1000) -> tuple[Interval, Interval]:
    """Percentile intervals over datasets drawn again, and pairs within them (as the normal noise that this adds)."""
    rng = np.random.default_rng(0)
    change = means[:, 0] - means[:, 1]
    chosen = change[rng.integers(len(change), size=(draws, len(change)))]
    chosen = chosen + rng.normal(0, np.sqrt(2) * LUCK_SD / np.sqrt(PAIRS), chosen.shape)
    drawn = chosen.mean(axis=1)
    each = points(drawn[..., 0], drawn[..., 1])
    ends = [np.quantile(values, [0.025, 0.975]) for values in (each[:, 0], each.sum(axis=1) / (GAP * CAUSES))]
    first, second = (Interval(value=float(low), low=low, high=high) for low, high in ends)
    return first, second


METHODS: dict[str, Callable[[Array], tuple[Interval, Interval]]] = {
    "as scored": as_scored,
    "upper end not raised": not_raised,
    "upper end raised twice": raised_twice,
    "t over replicates' G": by_points_of_replicates,
    "two-stage bootstrap": two_stage_bootstrap,
}


def _t_interval(values: Array) -> Interval:
    mean, half = values.mean(), t_quantile(len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return Interval(value=mean, low=mean - half, high=mean + half)


def coverage(
    method: str, effect: str, datasets: int, trials: int, run_sd: Array = ASSUMED_RUN_SD, seed: int = 0
) -> tuple[float, float]:
    """The share of trials in which the interval of G, and that of H, contains the true value."""
    rng = np.random.default_rng([seed, datasets, list(EFFECTS).index(effect)])
    true_points = points(*EFFECTS[effect])
    truth = float(true_points[0]), float(true_points.sum()) / (GAP * CAUSES)
    covered = [
        [interval.low <= value <= interval.high for interval, value in zip(intervals, truth, strict=True)]
        for intervals in (METHODS[method](draw_means(rng, datasets, EFFECTS[effect], run_sd)) for _ in range(trials))
    ]
    of_points, of_share = np.mean(covered, axis=0).tolist()
    return of_points, of_share


def table(trials: int, reference: Reference | None = None) -> Iterator[str]:
    """Markdown: a row for each method, effect and number of datasets."""
    yield "| interval | recipe | datasets | coverage of G | of H |"
    yield "| --- | --- | --- | --- | --- |"
    run_sd = measured_run_sd(reference) if reference else ASSUMED_RUN_SD
    for method in ["as scored"] if reference else METHODS:
        for effect in EFFECTS if method == "as scored" else ("placebo", "own cause"):
            for datasets in (3, 5, 10):
                of_points, of_share = coverage(method, effect, datasets, trials, run_sd)
                yield f"| {method} | {effect} | {datasets} | {of_points:.3f} | {of_share:.3f} |"


if __name__ == "__main__":
    arguments = sys.argv[1:]
    wanted = named_reference(arguments[1]) if len(arguments) > 1 else None
    for line in table(int(arguments[0]) if arguments else 2000, wanted):
        print(line)
