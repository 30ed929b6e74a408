"""From runs to arm means and their uncertainty, for any choice of pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.learned_rates import ARMS, Mask
from ilp_bench.scoring.pair_probabilities import KINDS, MEASURES, PairTable, pair_tables
from ilp_bench.scoring.points import ROLES, ArmMeans
from ilp_bench.scoring.points_schema import ArmRates
from ilp_bench.scoring.run_intervals import (
    MIN_DATASETS,
    Indices,
    RunCovariance,
    Uncertainty,
    block_diagonal,
    group_covariance,
    over_datasets,
    pairs_only,
    run_covariance,
)

MIN_PAIRS = 10  # of a cause on a dataset; fewer are reported without an interval, and do not count


class Comparison(NamedTuple):
    """All runs on one dataset: submissions and vanillas that differ in the training seed, and their base model.

    A dataset that only a reference has has no submissions.
    """

    submissions: tuple[Run, ...]
    vanillas: tuple[Run, ...]
    base: Run | None


Masks = np.ndarray[tuple[int, int], np.dtype[np.bool_]]
Selection = Mapping[str, Mask]  # cause -> which of its pairs, in the order of their ids
Select = Callable[[Comparison], Selection]


def mean_table(runs: Sequence[Run], cause: str, mask: Mask) -> PairTable:
    """The chosen pairs of a cause, their values averaged over runs on one dataset."""
    first = pair_tables(runs[0])[cause].keep(mask)
    return first if len(runs) == 1 else first._replace(values=_mean_values(runs, cause, mask))


def _mean_values(runs: Sequence[Run], cause: str, mask: Mask) -> Array:
    """All values of the chosen pairs of a cause, the mean over runs on one dataset; as in :class:`PairTable`."""
    return _over_runs([pair_tables(run)[cause].values[:, mask] for run in runs])


def pair_values(runs: Sequence[Run], cause: str, mask: Mask, kind: str) -> Array:
    """p of the chosen pairs of a cause, the mean over runs on one dataset: shape (pairs, 2), treated first."""
    return _over_runs([pair_tables(run)[cause].p(kind)[mask] for run in runs])


def arm_mean(values: Array) -> Array:
    """Mean over pairs of ``values`` with shape (pairs, 2); as ``values.mean(axis=0)``, in a third of the time."""
    return np.asarray(np.add.reduce(values, axis=0) / len(values))


def usable(selections: Sequence[Selection], comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Causes of which enough pairs, in two groups or more, are chosen on every dataset."""
    chosen = list(zip(comparisons, selections, strict=True))
    return tuple(
        cause
        for cause in selections[0]
        if all(_is_enough(pair_tables(one.vanillas[0])[cause].groups[selection[cause]]) for one, selection in chosen)
    )


def _is_enough(groups: Indices) -> bool:
    """Whether that many pairs, of those groups, have an interval."""
    return len(groups) >= MIN_PAIRS and bool((groups != groups[0]).any())


def have_interval(comparisons: Sequence[Comparison], cause: str, masks: Sequence[Masks]) -> Mask:
    """Which of several sets of a cause's pairs are :func:`usable`; ``masks`` as in :func:`set_means`."""
    groups = [pair_tables(comparison.vanillas[0])[cause].groups for comparison in comparisons]
    return np.array(
        [
            all(_is_enough(of_dataset[mask]) for of_dataset, mask in zip(groups, masks_of_set, strict=True))
            for masks_of_set in zip(*masks, strict=True)
        ],
        dtype=bool,
    )


def set_means(comparisons: Sequence[Comparison], cause: str, masks: Sequence[Masks]) -> Array:
    """Mean p of several sets of a cause's pairs: shape (datasets, sets, roles, arms, kinds).

    ``masks``: for each dataset, which pairs are in each set, shape (sets, pairs). NaN where none is.
    """
    means = []
    for comparison, mask in zip(comparisons, masks, strict=True):
        runs_of_role = (comparison.submissions, comparison.vanillas)
        values = np.stack([_mean_p(runs, cause) for runs in runs_of_role], axis=1)
        with np.errstate(invalid="ignore"):
            means.append(np.tensordot(mask.astype(float), values, 1) / mask.sum(axis=1)[:, None, None, None])
    return np.array(means)


def _mean_p(runs: Sequence[Run], cause: str) -> Array:
    """p of a cause's pairs, the mean over runs on one dataset: shape (pairs, arms, kinds)."""
    return _over_runs([pair_tables(run)[cause].values[MEASURES.index("p")] for run in runs])


def _over_runs(values: Sequence[Array]) -> Array:
    """The mean over runs of one array each; of a single run that array itself."""
    return values[0] if len(values) == 1 else np.asarray(np.mean(values, axis=0))


def arm_means(
    comparisons: Sequence[Comparison], kind: str, select: Select, further: Sequence[Comparison] = ()
) -> ArmMeans:
    """Arm means of the causes that are :func:`usable`, the mean over datasets, each of which counts the same.

    kind      ``reproduction`` or ``internalisation``
    select    the pairs to look at, of the causes to look at
    further   datasets on which only vanilla was trained; they too show what runs differ by
    """
    selections = [select(comparison) for comparison in comparisons]
    causes, values = dataset_means(comparisons, kind, selections)
    if causes and len(comparisons) >= MIN_DATASETS:
        uncertainty = over_datasets(values.reshape(len(comparisons), -1))
    else:
        uncertainty = _within_datasets(comparisons, selections, kind, causes, [(one, select(one)) for one in further])
    return ArmMeans(causes, values.mean(axis=0), uncertainty)


def dataset_means(
    comparisons: Sequence[Comparison], kind: str, selections: Sequence[Selection]
) -> tuple[tuple[str, ...], Array]:
    """The causes that are :func:`usable`, and their means: shape (datasets, roles, causes, arms)."""
    causes = usable(selections, comparisons)
    means = [
        [arm_mean(pair_values(runs, cause, selection[cause], kind)) for cause in causes]
        for comparison, selection in zip(comparisons, selections, strict=True)
        for runs in (comparison.submissions, comparison.vanillas)
    ]
    return causes, np.array(means).reshape(len(comparisons), len(ROLES), len(causes), len(ARMS))


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
    """The covariance of vanilla over datasets, where that is all there is: larger than that of runs on one dataset."""
    means = [
        np.concatenate([values.mean(axis=0) for values in _blocks(comparison.vanillas[0], kind, causes, selection)])
        for comparison, selection in datasets
        if all(cause in selection and selection[cause].sum() >= MIN_PAIRS for cause in causes)
    ]
    if len(means) < MIN_DATASETS:
        return None
    between = np.cov(np.array(means), rowvar=False)
    return RunCovariance(between, np.zeros_like(between), len(means) - 1)


def _blocks(run: Run, kind: str, causes: Sequence[str], selection: Selection) -> list[Array]:
    return [pair_values((run,), cause, selection[cause], kind) for cause in causes]


def arm_rates(datasets: Iterable[tuple[Sequence[Run], Mask]], cause: str) -> dict[str, ArmRates | None]:
    """Kind -> all measures of both arms, the mean over datasets that have a chosen pair; None where none has.

    ``datasets``: the runs on one dataset, if any, whose values are averaged, and the chosen pairs.
    """
    each = [_mean_values(runs, cause, mask).mean(axis=1) for runs, mask in datasets if runs and mask.any()]
    if not each:
        return dict.fromkeys(KINDS)
    rates: dict[str, ArmRates | None] = {}
    for kind, by_measure in zip(KINDS, np.moveaxis(np.mean(each, axis=0), -1, 0).tolist(), strict=True):
        arms = {name: {"treated": row[0], "control": row[1]} for name, row in zip(MEASURES, by_measure, strict=True)}
        rates[kind] = ArmRates.model_validate(arms)
    return rates
