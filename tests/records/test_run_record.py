"""A run folder is read back as it was written, or refused with one line that says why."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import by_arm, make_run

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset, file_sha256
from ilp_bench.records.run_record import read_run, write_run
from ilp_bench.records.samples import SAMPLES


@pytest.fixture
def folder(runs: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of a run, to be changed."""
    return Path(shutil.copytree(runs["half"], tmp_path / "run"))


def test_a_run_is_read_back_as_it_was_written(mini: Dataset, tmp_path: Path) -> None:
    made = make_run(mini, "combined", by_arm(0.25, 0.9))
    content = made.record.model_dump(mode="json", exclude={"samples_sha256"})
    written = write_run(tmp_path / "run", content, made.samples)
    read = read_run(tmp_path / "run")
    assert read.record == written.record
    assert read.samples.drop_columns("dose").equals(made.samples.drop_columns("dose"))
    assert np.array_equal(read.samples["dose"].to_numpy(), made.samples["dose"].to_numpy(), equal_nan=True)
    assert not read.untuned
    with pytest.raises(UsageError, match="already exists"):
        write_run(tmp_path / "run", content, made.samples)


def test_changed_samples_are_refused(folder: Path) -> None:
    rows = pq.read_table(folder / "samples.parquet").to_pylist()
    rows[0]["p"] = 0.5
    pq.write_table(pa.Table.from_pylist(rows, schema=SAMPLES), folder / "samples.parquet")
    with pytest.raises(ProblemError, match="was changed after the run"):
        read_run(folder)


@pytest.mark.parametrize("p", [float("nan"), -0.1, 1.1])
def test_what_is_no_probability_is_refused(folder: Path, p: float) -> None:
    rows = pq.read_table(folder / "samples.parquet").to_pylist()
    rows[3]["p"] = p
    pq.write_table(pa.Table.from_pylist(rows, schema=SAMPLES), folder / "samples.parquet")
    record = json.loads((folder / "run.json").read_text())
    record["samples_sha256"] = file_sha256(folder / "samples.parquet")
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(ProblemError, match=f"p is {p} for {rows[3]['probe_id']}"):
        read_run(folder)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [("schema_version", 1, "schema_version"), ("device", None, "device"), ("batch", 3, "batch")],
)
def test_a_record_with_a_wrong_field_is_refused(folder: Path, name: str, value: object, complaint: str) -> None:
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {name: value}))
    with pytest.raises(ProblemError, match=rf"run\.json: {complaint}"):
        read_run(folder)


def test_a_folder_without_a_run_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not a run: it is .*ilp-bench evaluate"):
        read_run(tmp_path)
