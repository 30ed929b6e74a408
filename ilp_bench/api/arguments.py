"""What the functions accept: datasets, runs and their folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ilp_bench.data.dataset import Dataset
from ilp_bench.data.dataset import load as read_dataset
from ilp_bench.records.run_record import Run, read_run

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
) -> list[Any]:
    """Replicates: each run with the vanilla and the base run of its dataset."""
    from ilp_bench.submission.format import matched

    return matched(as_runs(runs), as_runs(vanilla, "vanilla run"), as_runs(base_run, "base run"))
