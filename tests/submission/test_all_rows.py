"""Rows looked at all at once are judged as run by run: what is wrong is found either way, in the same words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from points_entries import write_entry

from ilp_bench.submission import check_samples
from ilp_bench.submission.asked import Asked
from ilp_bench.submission.check_all_rows import all_rows_hold
from ilp_bench.submission.check_samples import sample_problems
from ilp_bench.submission.format import Submission, read_submission
from ilp_bench.submission.sample_store import FILE_SCHEMA, STRINGS, read_samples, rows_by_run, storage_keys

OTHER: dict[str, Any] = {name: "other" for name in STRINGS if name not in ("prior_answer", "belief")}
OTHER |= {"replicate": 7, "dose": 0.123, "prior_answer": "other", "tokens": 3, "tokens ": None, "logprob": 0.5}
OTHER |= {"logprob ": float("nan"), "p": 2.0, "p ": None, "greedy": None, "options": [-1.0, -2.0], "gold": 1}
OTHER |= {
    "entropy": 0.1,
    "shots_p": 1.5,
    "shots_greedy": None,
    "shots_options": [-1.0],
    "belief": None,
    "belief_p": 7.0,
}


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three replicates, each with vanilla and base."""
    return write_entry(tmp_path_factory.mktemp("entry") / "submissions", org="lab", model="model", seeds=(0, 1, 2))


@pytest.fixture(scope="module")
def submission(entry: Path) -> Submission:
    read = read_submission(entry)
    assert isinstance(read, Submission)
    return read


@pytest.fixture(scope="module")
def samples(entry: Path) -> pa.Table:
    return read_samples(entry / "samples.parquet")


def changed(samples: pa.Table, column: str, row: int, value: Any) -> pa.Table:
    name = column.strip()
    values = samples[name].to_pylist()
    values[row] = value
    place = samples.schema.get_field_index(name)
    return samples.set_column(place, name, pa.array(values, FILE_SCHEMA.field(name).type))


def again(samples: pa.Table, file: Path) -> pa.Table:
    """The table as it is read from a file."""
    pq.write_table(samples.cast(FILE_SCHEMA), file, use_dictionary=STRINGS, store_schema=False)
    return read_samples(file)


def hold(submission: Submission, samples: pa.Table) -> bool:
    records = submission.run_records
    keys = dict.fromkeys(storage_keys(records).values())
    return all_rows_hold(samples, tuple((key, Asked.by(records[key])) for key in keys))


def problems(submission: Submission, samples: pa.Table) -> list[str]:
    records = submission.run_records
    return list(sample_problems(records, samples, rows_by_run(samples, records)))


def run_by_run(submission: Submission, samples: pa.Table, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    with monkeypatch.context() as patched:
        patched.setattr(check_samples, "all_rows_hold", lambda *_: False)
        return problems(submission, samples)


def test_honest_rows_hold_either_way(
    submission: Submission, samples: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hold(submission, samples)
    assert problems(submission, samples) == run_by_run(submission, samples, monkeypatch) == []


def test_rows_in_another_order_are_looked_at_run_by_run(
    submission: Submission, samples: pa.Table, tmp_path: Path
) -> None:
    order = np.random.default_rng(0).permutation(samples.num_rows)
    mixed = again(samples.take(pa.array(order)), tmp_path / "samples.parquet")
    assert not hold(submission, mixed)
    assert problems(submission, mixed) == []


def test_texts_in_pieces_hold_too(submission: Submission, samples: pa.Table) -> None:
    halves = [samples.slice(0, 2000), samples.slice(2000)]
    assert hold(submission, pa.concat_tables([half.unify_dictionaries().combine_chunks() for half in halves]))


@pytest.mark.parametrize("column", OTHER)
def test_whatever_is_changed_is_found_in_the_same_words(
    column: str, submission: Submission, samples: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = np.flatnonzero(samples[column.strip()].is_valid().to_numpy())
    row = int(there[-1]) if len(there) else 100
    wrong = again(changed(samples, column, row, OTHER[column]), tmp_path / "samples.parquet")
    assert not hold(submission, wrong)
    found = problems(submission, wrong)
    assert found
    assert found == run_by_run(submission, wrong, monkeypatch)


def test_double_precision_of_a_few_rows_is_looked_at_run_by_run(
    submission: Submission, samples: pa.Table, tmp_path: Path
) -> None:
    row = int(np.flatnonzero(samples["logprob"].to_numpy() < -0.1)[0])
    finer = again(
        changed(samples, "logprob", row, samples["logprob"][row].as_py() + 1e-13), tmp_path / "samples.parquet"
    )
    assert not hold(submission, finer)
    assert problems(submission, finer) == []
