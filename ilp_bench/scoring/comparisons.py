"""Which runs are compared with which: by dataset, with vanilla and base from a reference where none were given."""

from __future__ import annotations

from collections.abc import Sequence

from ilp_bench.core.errors import ProblemError
from ilp_bench.records.run_record import Run, RunRecord, Runs
from ilp_bench.scoring.compatibility import (
    check_asked_as_trained,
    check_comparable,
    check_distinct,
    check_one_base,
    check_replicates,
    trained,
)
from ilp_bench.scoring.pair_probabilities import scored_part
from ilp_bench.scoring.pair_sets import Comparison
from ilp_bench.scoring.points_schema import DATA_VERSION
from ilp_bench.scoring.references import Reference, reference_in_other_format
from ilp_bench.scoring.role_checks import check_models, check_trained_out
from ilp_bench.scoring.training_budget import division_of


def compare(
    submissions: Sequence[Run], vanillas: Sequence[Run], bases: Sequence[Run], reference: Reference | None
) -> tuple[list[Comparison], list[Comparison], bool]:
    """What is compared on each dataset, what else the reference trained, and whether runs were taken from it.

    Ordered by data seed. Raises ProblemError where runs do not belong together, were swapped, or are lacking.
    """
    if not submissions:
        raise ProblemError("no run to score")
    if any(run.record.data.is_user_data for run in submissions):
        raise ProblemError("rows of your own have no arms to compare: see 'ilp-bench diagnose'")
    _check_versions([*submissions, *vanillas, *bases])
    for run in submissions:
        check_asked_as_trained("submitted", run.record)
        if reference is not None:
            reference.check(run.record)
    if reference is not None:  # which holds the scored part of its runs alone
        submissions, vanillas, bases = ([scored_part(run) for run in runs] for runs in (submissions, vanillas, bases))
    datasets = {run.record.data.content_sha256: run.record.data.seed for run in submissions}
    _check_wanted(vanillas, datasets, "vanilla run")
    _check_wanted(bases, datasets, "base run")
    check_distinct(vanillas, "vanilla runs")
    check_one_base(bases)
    comparisons, used = [], False
    for dataset in sorted(datasets, key=lambda sha: (datasets[sha], sha)):
        own = tuple(run for run in submissions if run.record.data.content_sha256 == dataset)
        stored = reference.comparison(dataset) if reference else None
        vanilla = tuple(run for run in vanillas if run.record.data.content_sha256 == dataset)
        base = next((run for run in bases if run.record.data.content_sha256 == dataset), None)
        used = used or (stored is not None and not (vanilla and base))
        if not vanilla:
            vanilla = _others(stored.vanillas, own) if stored else ()
        if not vanilla:
            raise ProblemError(_no_vanilla(own[0].record, reference))
        comparisons.append(Comparison(own, vanilla, base or (stored.base if stored else None)))
    _check(comparisons)
    return comparisons, _further(reference, comparisons), used


def _others(vanillas: tuple[Run, ...], submissions: tuple[Run, ...]) -> tuple[Run, ...]:
    """Reference runs without those that were themselves submitted, where others remain."""
    submitted = {run.record.model.weights_sha256 for run in submissions}
    return tuple(run for run in vanillas if run.record.model.weights_sha256 not in submitted) or vanillas


def _no_vanilla(run: RunRecord, reference: Reference | None) -> str:
    seed = run.data.seed
    if reference is None and (other := reference_in_other_format(run)):
        return (
            f"reference {other.name} was asked in {other.record.prompt_format} prompts and this run in "
            f"{run.prompt_format} ones: evaluate the run as it was trained, or give vanilla and base runs in "
            f"{run.prompt_format} format"
        )
    if reference is None:
        return f"no vanilla run on the dataset of seed {seed}, and no reference that fits: give a vanilla run"
    seeds = ", ".join(str(seed) for seed in reference.seeds)
    return (
        f"no vanilla run on the dataset of seed {seed}, and reference {reference.name} has seeds {seeds}: give a "
        "vanilla run, or train on one of these datasets"
    )


def _check_versions(runs: Sequence[Run]) -> None:
    versions = sorted({run.record.data.version for run in runs})
    if versions and versions != [DATA_VERSION]:
        raise ProblemError(
            f"the runs are on dataset versions {', '.join(versions)}, and points are of version {DATA_VERSION}: "
            "score runs on one version together"
        )


def _check_wanted(runs: Sequence[Run], datasets: dict[str, int], what: str) -> None:
    for run in runs:
        if run.record.data.content_sha256 not in datasets:
            raise ProblemError(f"the {what} was measured on other data (seed {run.record.data.seed}) than any run")


def _check(comparisons: Sequence[Comparison]) -> None:
    """Check every submitted run against every vanilla run of its dataset, then the replicates together."""
    for comparison in comparisons:
        for run in comparison.submissions:
            for vanilla in comparison.vanillas:
                check_models(Runs(run, vanilla, comparison.base))
                check_comparable(run, vanilla, comparison.base)
                _check_divisions(run.record, vanilla.record)
                check_trained_out(vanilla)
    check_replicates(
        [Runs(run, one.vanillas[0], one.base) for one in comparisons for run in one.submissions],
    )


def _check_divisions(submission: RunRecord, vanilla: RunRecord) -> None:
    divisions = division_of(submission), division_of(vanilla)
    if None not in divisions and divisions[0] != divisions[1]:
        raise ProblemError(
            f"the submitted run was trained in budget division {divisions[0]} and vanilla in {divisions[1]}: give "
            "vanilla of the same division"
        )


def _further(reference: Reference | None, comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Reference runs that are in no comparison, by dataset: they too show what runs differ by.

    A vanilla run that stands alone in its comparison joins those of the reference on its dataset. Weights that were
    measured again are the same run, though their p may differ in the last digits.
    """
    used = {trained(run) for one in comparisons for run in (*one.submissions, *one.vanillas)}
    alone = {one.vanillas[0].record.data.content_sha256: one.vanillas for one in comparisons if len(one.vanillas) == 1}
    further = []
    for stored in reference.comparisons if reference else ():
        rest = tuple(run for run in stored.vanillas if trained(run) not in used)
        if rest:
            same = alone.get(rest[0].record.data.content_sha256, ())
            further.append(stored._replace(vanillas=(*rest, *same)))
    return further
