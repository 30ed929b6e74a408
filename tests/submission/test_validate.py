"""A submission holds only if every number follows from its samples."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from points_entries import dataset, runs_of, write_entry

from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import file_sha256
from ilp_bench.submission.fields import run_id
from ilp_bench.submission.format import Submission, SubmittedRuns, read_runs, read_submission
from ilp_bench.submission.sample_store import FILE_SCHEMA
from ilp_bench.submission.validate import find, validate


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_entry(tmp_path_factory.mktemp("submissions"), model="stub-half", seeds=(0,), division="open")


def stored_runs(folder: Path) -> SubmittedRuns:
    return SubmittedRuns.of(read_runs(folder, read_submission(folder)))


@pytest.fixture
def copy(honest: Path, tmp_path: Path) -> Path:
    place = tmp_path / "submissions" / honest.parent.name / honest.name
    shutil.copytree(honest, place)
    return place


def rewrite(folder: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """Change the samples and mend hash, id and folder, as a careful forger would."""
    rows = change(pq.read_table(folder / "samples.parquet").to_pylist())
    pq.write_table(pa.Table.from_pylist(rows, schema=FILE_SCHEMA), folder / "samples.parquet")
    content = json.loads((folder / "submission.json").read_text())
    content["samples_sha256"] = file_sha256(folder / "samples.parquet")
    content["run_id"] = run_id(content)
    (folder / "submission.json").write_text(json.dumps(content))


def mend(folder: Path, content: dict[str, Any]) -> None:
    content["run_id"] = run_id(content)
    (folder / "submission.json").write_text(json.dumps(content))


def test_an_honest_submission_has_no_problem(honest: Path) -> None:
    assert validate(honest) == []
    assert find([honest.parent.parent]) == [honest]
    assert honest.parent.name == "lab__stub-half"


def test_submitting_the_same_again_changes_nothing(honest: Path) -> None:
    root = honest.parent.parent
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert write_entry(root, model="stub-half", seeds=(0,), division="open") == honest
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_a_run_that_many_submissions_share_is_one_object_until_a_bit_of_it_differs(honest: Path, copy: Path) -> None:
    first, again = stored_runs(honest), stored_runs(copy)
    assert first.vanillas[0] is again.vanillas[0]
    assert first.bases[0] is again.bases[0]
    assert first.runs[0] is not again.runs[0]

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        row = next(row for row in rows if row["role"] == "vanilla" and row["p"] > 0.6)
        row["greedy"] = not row["greedy"]
        return rows

    rewrite(copy, change)
    assert stored_runs(copy).vanillas[0] is not first.vanillas[0]
    assert any("greedy" in problem for problem in validate(copy))


def test_an_edited_score_is_named_with_both_values(copy: Path) -> None:
    content = json.loads((copy / "submission.json").read_text())
    points = content["scores"]["reproduction"]["causes"][1]["points"]
    honest_value, points["value"] = points["value"], points["value"] + 0.1
    mend(copy, content)
    claim = (
        f"scores.reproduction.causes.knowledge_conflict.points.value is claimed as {honest_value + 0.1:.6g}, "
        f"but the samples give {honest_value:.6g}"
    )
    elsewhere, edited = (problem.split(": ", 1)[1] for problem in validate(copy))
    assert elsewhere.startswith("the folder must be")
    assert edited == claim
    moved = copy.rename(copy.with_name(content["run_id"]))
    assert validate(moved) == [f"{moved}/submission.json: {claim}"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda rows: rows[:-3], "3 probes are missing"),
        (lambda rows: [*rows, rows[0]], "1 probes are duplicated"),
        (lambda rows: [rows[0] | {"arm": "control"}, *rows[1:]], "name another item, arm or cause"),
        (lambda rows: [row | {"p": min(1.0, row["p"] * 1.01)} for row in rows], "p is not exp"),
        (lambda rows: [row | {"p": 1.0, "logprob": 0.0, "greedy": False} for row in rows], "greedy is false"),
        (lambda rows: [row for row in rows if row["role"] != "vanilla"], "roles are"),
        (lambda rows: [rows[0] | {"probe_id": "made-up"}, *rows[1:]], "not in the dataset"),
        (lambda rows: [rows[0] | {"p": math.nan}, *rows[1:]], "p is nan"),
        (lambda rows: [rows[0] | {"p": 1.5}, *rows[1:]], "p is 1.5"),
    ],
)
def test_forged_samples_are_refused(copy: Path, change: Callable[..., Any], complaint: str) -> None:
    rewrite(copy, change)
    assert any(complaint in problem for problem in validate(copy))


def test_files_that_no_longer_match_are_refused(copy: Path) -> None:
    content = json.loads((copy / "submission.json").read_text())
    content["meta"]["description"] = "changed"
    (copy / "submission.json").write_text(json.dumps(content))
    assert any("run_id is not the hash" in problem for problem in validate(copy))
    (copy / "samples.parquet").write_bytes(b"")
    assert any("cannot be read as Parquet" in problem for problem in validate(copy))
    (copy / "submission.json").write_text("{}")
    assert len(validate(copy)) >= 5


def test_all_problems_are_listed_at_once(copy: Path) -> None:
    content = json.loads((copy / "submission.json").read_text())
    del content["meta"]["org"]
    content["meta"]["model"] = "../escape"
    content["extra"] = 1
    (copy / "submission.json").write_text(json.dumps(content))
    assert len(validate(copy)) == 3


def test_runs_that_stand_twice_are_stored_once(tmp_path: Path) -> None:
    seeds, count = (0, 1, 2), sum(dataset(seed).items.num_rows for seed in range(3))
    place = write_entry(tmp_path, seeds=seeds)
    assert pq.read_table(place / "samples.parquet").num_rows == 3 * count
    for role, back in zip(runs_of(gain=0.2), stored_runs(place), strict=True):
        for run, other in zip(role, back, strict=True):
            assert run.samples["logprob"].equals(other.samples["logprob"])
            assert run.record == other.record
    row = write_entry(tmp_path, recipe="vanilla")
    assert validate(row) == []
    assert pq.read_table(row / "samples.parquet").num_rows == 2 * count
    submission = read_submission(row)
    assert isinstance(submission, Submission)
    assert submission.scores.reproduction.share
    assert submission.scores.reproduction.share.value == 0


def test_what_site_and_tables_need_is_read_from_the_records(honest: Path) -> None:
    submission = read_submission(honest)
    assert isinstance(submission, Submission)
    assert (submission.base_name, submission.recipe) == ("stub", "resampling")
    assert submission.base_weights == submission.bases[0].model.weights_sha256
    assert [data.seed for data in submission.datasets] == [0]
    assert submission.folder == f"{honest.parent.name}/{honest.name}"
    assert [*submission.run_records] == [("submission", 0), ("vanilla", 0), ("base", 0)]


def test_a_path_without_submissions_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no submission\.json"):
        find([tmp_path])
    with pytest.raises(UsageError, match="no such path"):
        find([tmp_path / "missing"])
