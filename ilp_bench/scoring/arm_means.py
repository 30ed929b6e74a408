"""From runs to arm means and their uncertainty, for any choice of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.learned_rates import ARMS, Mask
from ilp_bench.scoring.pair_probabilities import KINDS, PairTable, pair_tables
from ilp_bench.scoring.pair_sets import (
    MIN_PAIRS,
    Comparison,
    Masks,
    Select,
    Selection,
    have_interval,
    over_runs,
    place_masks,
    set_means,
)
from ilp_bench.scoring.points import ROLES, ArmMeans
from ilp_bench.scoring.run_intervals import (
    MIN_DATASETS,
    RunCovariance,
    Uncertainty,
    block_diagonal,
    group_covariance,
    over_datasets,
    pairs_only,
    run_covariance,
)


def mean_table(runs: Sequence[Run], cause: str, mask: Mask) -> PairTable:
    """The chosen pairs of a cause, their values averaged over runs on one dataset."""
    values = [pair_tables(run)[cause].values[:, mask] for run in runs]
    return pair_tables(runs[0])[cause].keep(mask)._replace(values=over_runs(values))


def pair_values(runs: Sequence[Run], cause: str, mask: Mask, kind: str) -> Array:
    """p of the chosen pairs of a cause, the mean over runs on one dataset: shape (pairs, 2), treated first."""
    return over_runs([pair_tables(run)[cause].p(kind)[mask] for run in runs])


def usable(selections: Sequence[Selection], comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Causes of which enough pairs, in two groups or more, are chosen on every dataset."""
    return _usable(selections, comparisons)[0]


def _usable(selections: Sequence[Selection], comparisons: Sequence[Comparison]) -> tuple[tuple[str, ...], list[Masks]]:
    """As :func:`usable`, and the chosen pairs of these causes on each dataset."""
    causes = [cause for cause in selections[0] if all(cause in selection for selection in selections)]
    masks = [
        place_masks([(cause, selection[cause]) for cause in causes], comparison.vanillas[0])
        for comparison, selection in zip(comparisons, selections, strict=True)
    ]
    is_usable = have_interval(comparisons, masks)
    return tuple(compress(causes, is_usable)), [mask[is_usable] for mask in masks]


def arm_means(
    comparisons: Sequence[Comparison], select: Select, further: Sequence[Comparison] = ()
) -> dict[str, ArmMeans]:
    """Kind of score -> arm means of the causes that are :func:`usable`, the mean over datasets, which count the same.

    select    the pairs to look at, of the causes to look at
    further   datasets on which only vanilla was trained; they too show what runs differ by
    """
    selections = [select(comparison) for comparison in comparisons]
    causes, of_kinds = dataset_means(comparisons, selections)
    is_over_datasets = bool(causes) and len(comparisons) >= MIN_DATASETS
    others = [] if is_over_datasets else [(one, select(one)) for one in further]
    means = {}
    for kind, values in zip(KINDS, np.moveaxis(of_kinds, -1, 0), strict=True):
        if is_over_datasets:
            uncertainty = over_datasets(values.reshape(len(comparisons), -1))
        else:
            uncertainty = _within_datasets(comparisons, selections, kind, causes, others)
        means[kind] = ArmMeans(causes, values.mean(axis=0), uncertainty)
    return means


def dataset_means(comparisons: Sequence[Comparison], selections: Sequence[Selection]) -> tuple[tuple[str, ...], Array]:
    """The causes that are :func:`usable`, and their means: shape (datasets, roles, causes, arms, kinds)."""
    causes, masks = _usable(selections, comparisons)
    return causes, np.moveaxis(set_means(comparisons, masks), 1, 2)


def _within_datasets(
    comparisons: Sequence[Comparison],
    selections: Sequence[Selection],
    kind: str,
    causes: tuple[str, ...],
    further: Sequence[tuple[Comparison, Selection]],
) -> Uncertainty:
    """Uncertainty by groups of pairs, and by runs where runs of one recipe on one dataset show it."""
    number, size = len(comparisons), len(ROLES) * len(causes) * len(ARMS)
    pairs, groups = np.zeros((size, size)), []
    index = np.arange(size).reshape(len(ROLES), len(causes), len(ARMS))
    for comparison, selection in zip(comparisons, selections, strict=True):
        for place, cause in enumerate(causes):
            columns, mask = index[:, place].ravel(), selection[cause]
            both = np.concatenate([pair_values(runs, cause, mask, kind) for runs in comparison[:2]], axis=1)
            group = pair_tables(comparison.vanillas[0])[cause].groups[mask]
            pairs[np.ix_(columns, columns)] += group_covariance(both, group) / number**2
            groups.append(len(np.unique(group)))
    freedom = min(groups, default=2) - 1
    datasets = [*zip(comparisons, selections, strict=True), *further]
    if not causes:
        return pairs_only(pairs, freedom)
    between = _run_covariance(datasets, kind, causes) or _over_reference_datasets(datasets, kind, causes)
    if between is None:
        return pairs_only(pairs, freedom)
    # Every run of a role and dataset counts 1 / (datasets x runs of them), and runs are independent.
    runs_of_role = [[len(one.submissions), len(one.vanillas)] for one in comparisons]
    shares = (1 / np.array(runs_of_role)).sum(axis=0) / number**2
    runs, explained = (
        block_diagonal([share * matrix for share in shares]) for matrix in (between.between, between.by_pairs)
    )
    return Uncertainty(pairs, freedom, runs, explained, between.freedom, "runs")


def _run_covariance(
    datasets: Sequence[tuple[Comparison, Selection]], kind: str, causes: Sequence[str]
) -> RunCovariance | None:
    """What runs differ by, from every recipe that was run several times on one dataset."""
    cells, groups = [], []
    for comparison, selection in datasets:
        if any(cause not in selection or selection[cause].sum() < MIN_PAIRS for cause in causes):
            continue
        for runs in comparison[:2]:
            if len(runs) > 1:
                cells.append([_blocks(run, kind, causes, selection) for run in runs])
                groups.append([pair_tables(runs[0])[cause].groups[selection[cause]] for cause in causes])
    return run_covariance(cells, groups)


def _over_reference_datasets(
    datasets: Sequence[tuple[Comparison, Selection]], kind: str, causes: Sequence[str]
) -> RunCovariance | None:
    """The covariance of vanilla over datasets, where that is all there is: larger than that of runs on one dataset.

    A dataset counts once, by the first of its vanilla runs, though it may be among the further ones too.
    """
    means: dict[str, Array] = {}
    for comparison, selection in datasets:
        run = comparison.vanillas[0]
        if all(cause in selection and selection[cause].sum() >= MIN_PAIRS for cause in causes):
            blocks = _blocks(run, kind, causes, selection)
            means.setdefault(run.record.data.content_sha256, np.concatenate([each.mean(axis=0) for each in blocks]))
    if len(means) < MIN_DATASETS:
        return None
    between = np.cov(np.array([*means.values()]), rowvar=False)
    return RunCovariance(between, np.zeros_like(between), len(means) - 1)


def _blocks(run: Run, kind: str, causes: Sequence[str], selection: Selection) -> list[Array]:
    return [pair_values((run,), cause, selection[cause], kind) for cause in causes]
