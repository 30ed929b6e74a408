"""What the functions accept: datasets, runs and their folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.dataset import load as read_dataset
from ilp_bench.records.run_record import Run, Runs, read_run

Location = str | Path
RunLike = Run | str | Path  # a run in memory, or its folder
Progress = Callable[[int, int], None]  # requests done, requests in all


def as_dataset(data: Dataset | Location) -> Dataset:
    """The dataset itself, or the one in that folder."""
    return data if isinstance(data, Dataset) else read_dataset(data)


def as_run(run: RunLike, what: str = "run") -> Run:
    """The run itself, or the one in that folder; ``what`` names it in errors."""
    return run if isinstance(run, Run) else read_run(run, what)


def as_runs(runs: RunLike | Sequence[RunLike] | None, what: str = "run") -> list[Run]:
    """The runs of an argument that is one run, a sequence of runs, or None."""
    if runs is None:
        return []
    return [as_run(run, what) for run in ([runs] if isinstance(runs, Run | str | Path) else runs)]


def as_replicates(
    runs: RunLike | Sequence[RunLike],
    vanilla: RunLike | Sequence[RunLike],
    base_run: RunLike | Sequence[RunLike] | None,
) -> list[Runs]:
    """Replicates on dataset 2: each run with the vanilla run given in the same place, and the base run of its dataset.

    Raises as ``_matched`` does.
    """
    return _matched(as_runs(runs), as_runs(vanilla, "vanilla run"), as_runs(base_run, "base run"))


def _matched(runs: Sequence[Run], vanillas: Sequence[Run], bases: Sequence[Run]) -> list[Runs]:
    """Put each run beside its vanilla (given in the same order) and the base run on its dataset.

    Ordered by data seed and training seed, so that the order of the arguments does not count. Raises UsageError when
    there are not as many vanilla runs as runs, ProblemError when a dataset has no base run or a base run no dataset.
    """
    if len(vanillas) != len(runs):
        raise UsageError(f"{len(runs)} runs and {len(vanillas)} vanilla runs: give one for each run, in the same order")
    by_data = {base.record.data.content_sha256: base for base in bases}
    wanted = {run.record.data.content_sha256: run.record.data.seed for run in runs}
    for base in bases:
        if base.record.data.content_sha256 not in wanted:
            raise ProblemError(f"the base run was measured on other data (seed {base.record.data.seed}) than any run")
    if bases and (lacking := [seed for data, seed in wanted.items() if data not in by_data]):
        raise ProblemError(f"no base run on the dataset of seed {lacking[0]}: give one for each dataset")
    replicates = [
        Runs(run, vanilla, by_data.get(run.record.data.content_sha256))
        for run, vanilla in zip(runs, vanillas, strict=True)
    ]
    return sorted(replicates, key=_order)


def _order(runs: Runs) -> tuple[int, str, str]:
    record = runs.submission.record
    seed = record.training.seed if record.training else None
    return record.data.seed, f"{'' if seed is None else seed!s:>12}", record.model.weights_sha256
