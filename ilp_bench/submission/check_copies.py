"""What only many entries show: samples that are another's, and weights that were measured in two ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import softmax

from ilp_bench.records.run_record import Run
from ilp_bench.scoring.references import committed_references
from ilp_bench.submission.copy_statistics import Measured, alike
from ilp_bench.submission.format import Submission
from ilp_bench.submission.sample_store import storage_keys
from ilp_bench.submission.validate import Checked

P_TOLERANCE = {"float32": 1e-3}  # of p, measured again; batch sizes and machines move it by some 1e-5
HALF_PRECISION = 5e-2
MOST_OTHER_ANSWERS = 0.01  # share of greedy answers and beliefs that ties may decide otherwise
REFERENCE, STANDING, NEW = range(3)  # how old a measurement is


class Measurement:
    """A run, whose it is, and how old: of a reference, of an entry that stood before, or of a new one."""

    def __init__(self, where: str, age: int, team: tuple[str, str], role: str, run: Run) -> None:
        self.where, self.age, self.role, self.run = where, age, role, run
        self.org, self.model = team

    @property
    def weights(self) -> str:
        """The hash of the weights that were measured."""
        return self.run.record.model.weights_sha256

    @cached_property
    def measured(self) -> Measured:
        """p of its probes."""
        return Measured.of(self.run)

    @cached_property
    def samples(self) -> pa.Table:
        """The samples in the order of the probe ids."""
        return self.run.samples.sort_by("probe_id")


def measurements(entries: Sequence[Checked], old: Path | None) -> list[Measurement]:
    """Every run of the entries of schema 3 and of the references on their datasets, the oldest first.

    old   an earlier state of the folder: entries that it has are older than others. Without it, all are of one age
    """
    found: list[Measurement] = []
    for entry in entries:
        if not isinstance(entry.submission, Submission) or not entry.runs:
            continue
        stood = old is not None and (old / entry.folder.parent.name / entry.folder.name).is_dir()
        team = entry.submission.meta.org, entry.submission.meta.model
        for key in dict.fromkeys(storage_keys(entry.submission.run_records).values()):
            age = STANDING if stood else NEW
            found.append(Measurement(str(entry.folder), age, team, key[0], entry.runs[key]))
    datasets = {each.run.record.data.content_sha256 for each in found}
    stored = [
        Measurement(f"reference {reference.name}", REFERENCE, ("", ""), role, run)
        for reference in committed_references().values()
        for dataset in sorted(datasets)
        if (comparison := reference.comparison(dataset)) is not None and comparison.base is not None
        for role, run in [("base", comparison.base), *(("vanilla", run) for run in comparison.vanillas)]
    ]
    return sorted([*stored, *found], key=lambda each: each.age)


def copy_problems(found: Sequence[Measurement]) -> Iterator[str]:
    """Trained models whose samples are those of another training, but for noise or some changed rows.

    Runs of the same weights are one measurement, and :func:`measurement_problems` compares them.
    """
    by_dataset: dict[str, list[Measurement]] = {}
    for each in found:
        if each.role != "base":
            by_dataset.setdefault(each.run.record.data.content_sha256, []).append(each)
    for same_data in by_dataset.values():
        for first, second in combinations(same_data, 2):
            if first.where == second.where or _is_one_model(first, second):
                continue
            if (pair := alike(first.measured, second.measured)).is_copy:
                yield (
                    f"{second.where}: the {second.role} run has the samples of {_whose(first, second)}: "
                    f"{100 * pair.near:.0f} % of mid-range p within .01, correlation {pair.correlation:.3f}; submit "
                    "what you measured"
                )


def _is_one_model(first: Measurement, second: Measurement) -> bool:
    """Whether two runs may have the same samples: vanilla is no one's own, and methods of one team may coincide."""
    shared = "vanilla" in (first.role, second.role)
    methods_of_one_team = first.org == second.org and first.model != second.model
    return first.weights == second.weights and (shared or methods_of_one_team)


def _whose(first: Measurement, second: Measurement) -> str:
    """The older of two, or both where nothing says which is older."""
    if first.age != second.age:
        return first.where
    return f"{first.where}, or that one has those of this (nothing here says which is older)"


def measurement_problems(found: Sequence[Measurement]) -> Iterator[str]:
    """The same weights on the same data, asked alike, must give the same samples, whoever measured, in every role."""
    seen: dict[tuple[str, ...], Measurement] = {}
    for each in found:
        record = each.run.record
        key = (each.weights, record.data.content_sha256, record.prompt_format, record.dtype)
        first = seen.setdefault(key, each)
        if first is each or first.run is each.run:
            continue
        for column, difference, allowed in _differences(first, each):
            yield (
                f"{each.where}: the {each.role} run names the weights {key[0][:12]} of a run in {_whose(first, each)}, "
                f"but was measured otherwise ({column} differs by {difference:.3g}, {allowed:.3g} allowed): evaluate "
                "those weights again"
            )
            break


def _differences(first: Measurement, second: Measurement) -> Iterator[tuple[str, float, float]]:
    """The columns in which two measurements differ by more than other machines explain, by how much, and the limit."""
    allowed = P_TOLERANCE.get(first.run.record.dtype, HALF_PRECISION)
    left, right = first.samples, second.samples
    if not left["probe_id"].equals(right["probe_id"]):
        left, right = _common(left, right), _common(right, left)
    for column in ("p", "shots_p", "belief_p"):
        values, others = (np.asarray(table[column].to_numpy(), dtype=float) for table in (left, right))
        asked = np.isfinite(values) & np.isfinite(others)
        difference = float(np.abs(values - others)[asked].max(initial=0.0))
        if difference > allowed:
            yield column, difference, allowed
    for column in ("shots_options", "options"):
        difference = _options_difference(left[column], right[column])
        if difference > allowed:
            yield column, difference, allowed
    for column in ("greedy", "shots_greedy", "belief"):
        values, others = (_plain(table[column]) for table in (left, right))
        differs = pc.mean(pc.not_equal(values, others).cast(pa.float64())).as_py() or 0.0
        if differs > MOST_OTHER_ANSWERS:
            yield column, differs, MOST_OTHER_ANSWERS


def _common(table: pa.Table, other: pa.Table) -> pa.Table:
    return table.filter(pc.is_in(_plain(table["probe_id"]), value_set=_plain(other["probe_id"]).combine_chunks()))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _options_difference(first: pa.ChunkedArray, second: pa.ChunkedArray) -> float:
    """The largest difference of an option's share of the probability, over rows where both runs asked."""
    asked = pc.and_(pc.is_valid(first), pc.is_valid(second))
    largest = 0.0
    for values, others in zip(first.filter(asked).to_pylist(), second.filter(asked).to_pylist(), strict=True):
        if len(values) != len(others):
            return 1.0
        largest = max(largest, float(np.abs(softmax(values) - softmax(others)).max(initial=0.0)))
    return largest
