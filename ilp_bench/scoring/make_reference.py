"""Make a reference of the runs of a base model and of vanilla models that were fine-tuned from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import file_sha256, new_folder
from ilp_bench.records.reference_record import Arms, ReferenceDataset, ReferenceRecord
from ilp_bench.records.run_record import Run, RunRecord, Runs
from ilp_bench.scoring.arm_means import arm_means, pair_values, usable
from ilp_bench.scoring.compatibility import base_sha256, check_comparable
from ilp_bench.scoring.learned_rates import ARMS
from ilp_bench.scoring.pair_probabilities import KINDS, scored_part
from ilp_bench.scoring.pair_sets import Comparison
from ilp_bench.scoring.points_schema import DATA_VERSION
from ilp_bench.scoring.references import (
    Reference,
    read_reference,
    reference_table,
    write_record,
)
from ilp_bench.scoring.role_checks import check_models
from ilp_bench.scoring.score_points import active_pairs
from ilp_bench.scoring.training_budget import budget_of, division_of

MAX_BYTES = 8_000_000


def make_reference(runs: Sequence[Run], out: Path) -> Reference:
    """Write the reference folder ``out`` and return it; its name is the folder's.

    runs   runs of one base model and of vanilla models, told apart by their training; on each dataset one base run and
           one or more vanilla runs of different training seeds and one budget

    Raises ProblemError where the runs do not belong together, UsageError where ``out`` is in use.
    """
    comparisons = _comparisons([scored_part(run) for run in runs])
    first = comparisons[0].vanillas[0].record
    with new_folder(out) as folder:
        datasets = [_write(folder, comparison) for comparison in comparisons]
        # The constants are of what is stored, in single precision, so that whoever reads it finds the same.
        stored = Reference(folder, _record(first, comparisons, datasets)).comparisons
        write_record(folder, _record(first, stored, datasets))
    return read_reference(out)


def _comparisons(runs: Sequence[Run]) -> list[Comparison]:
    by_dataset: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: (run.record.data.seed, run.record.data.content_sha256)):
        by_dataset.setdefault(run.record.data.content_sha256, []).append(run)
    comparisons = []
    for same in by_dataset.values():
        seed = same[0].record.data.seed
        bases = [run for run in same if run.record.training is None]
        vanillas = sorted((run for run in same if run.record.training), key=_training_order)
        if len(bases) != 1 or not vanillas:
            raise ProblemError(
                f"on the dataset of seed {seed} there are {len(bases)} base runs and {len(vanillas)} vanilla runs: "
                "give one base run and at least one vanilla run on each dataset"
            )
        comparisons.append(Comparison((), tuple(vanillas), bases[0]))
    _check(comparisons)
    return comparisons


def _training_order(run: Run) -> tuple[int, str]:
    seed = run.record.training.seed if run.record.training else None
    return -1 if seed is None else seed, run.record.model.weights_sha256


def _check(comparisons: Sequence[Comparison]) -> None:
    if not comparisons:
        raise ProblemError("no run to make a reference of")
    identities = set()
    for comparison in comparisons:
        for run in comparison.vanillas:
            check_models(Runs(run, run, comparison.base))
            check_comparable(run, run, comparison.base)
            record = run.record
            identities.add((base_sha256(record), record.data.size, record.data.version, division_of(record)))
        weights = [run.record.model.weights_sha256 for run in comparison.vanillas]
        if len(set(weights)) < len(weights):
            raise ProblemError(f"a vanilla run on seed {comparison.vanillas[0].record.data.seed} is given twice")
        if len({budget_of(run.record) for run in comparison.vanillas}) > 1:
            raise ProblemError(
                f"the vanilla runs on seed {comparison.vanillas[0].record.data.seed} spent different budgets: train "
                "one to find it, and the others with the budget of that one"
            )
    if len(identities) > 1:
        raise ProblemError("the runs differ in base model, data size, version or budget division: one reference each")
    base, _, version, division = next(iter(identities))
    if version != DATA_VERSION or base is None or division is None:
        raise ProblemError(
            f"a reference is of dataset version {DATA_VERSION}, and of vanilla runs that name base model and budget "
            "division: train them with ilp-bench"
        )


def _write(folder: Path, comparison: Comparison) -> ReferenceDataset:
    assert comparison.base
    file = folder / f"seed-{comparison.base.record.data.seed}.parquet"
    pq.write_table(reference_table(comparison), file, compression="zstd", compression_level=19)
    if file.stat().st_size > MAX_BYTES:
        raise ProblemError(f"{file.name} would have {file.stat().st_size} bytes, more than {MAX_BYTES}: use fewer runs")
    return ReferenceDataset(
        file=file.name,
        sha256=file_sha256(file),
        budget=budget_of(comparison.vanillas[0].record),
        base=comparison.base.record,
        vanilla=[run.record for run in comparison.vanillas],
    )


def _record(vanilla: RunRecord, comparisons: Sequence[Comparison], datasets: list[ReferenceDataset]) -> ReferenceRecord:
    base, division = base_sha256(vanilla), division_of(vanilla)
    assert base
    assert division
    arms = {kind: _mean_arms(comparisons, kind) for kind in KINDS}
    return ReferenceRecord(
        base_name=datasets[0].base.model.name,
        base_sha256=base,
        size=vanilla.data.size,
        version=vanilla.data.version,
        division=division,
        gaps={
            kind: {cause: mean.control - mean.treated for cause, mean in each.items()} for kind, each in arms.items()
        },
        arms=arms,
        run_sd=_run_sd(comparisons),
        datasets=datasets,
    )


def _mean_arms(comparisons: Sequence[Comparison], kind: str) -> dict[str, Arms]:
    """Cause -> mean over all vanilla runs on datasets with enough active pairs."""
    means: dict[str, list[list[float]]] = {}
    for comparison in comparisons:
        selection = active_pairs(comparison)
        for cause in usable([selection], [comparison]):
            for run in comparison.vanillas:
                values = pair_values((run,), cause, selection[cause], kind)
                means.setdefault(cause, []).append(values.mean(axis=0).tolist())
    return {
        cause: Arms(**dict(zip(ARMS, np.mean(each, axis=0).tolist(), strict=True))) for cause, each in means.items()
    }


def _run_sd(comparisons: Sequence[Comparison]) -> dict[str, dict[str, Arms]] | None:
    """Standard deviation of arm means between vanilla runs on one dataset; None where it cannot be told."""
    several = [one._replace(submissions=one.vanillas) for one in comparisons if len(one.vanillas) > 1]
    if not several:
        return None
    by_kind: dict[str, dict[str, Arms]] = {}
    for kind, means in arm_means(several[:2], active_pairs, several[2:]).items():
        if means.uncertainty.kind != "runs":
            return None
        size = means.values.shape[1] * len(ARMS)
        share = sum(1 / len(one.vanillas) for one in several[:2]) / len(several[:2]) ** 2
        variances = np.diag(means.uncertainty.runs)[:size].reshape(-1, len(ARMS)) / share
        by_kind[kind] = {
            cause: Arms(**dict(zip(ARMS, np.sqrt(row).tolist(), strict=True)))
            for cause, row in zip(means.causes, variances, strict=True)
        }
    return by_kind
