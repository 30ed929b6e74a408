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

from ilp_bench.dataset import file_sha256
from ilp_bench.errors import ProblemError, UsageError
from ilp_bench.record import read_run
from ilp_bench.submission import ALL_SAMPLES, Meta, run_id, submit
from ilp_bench.validate import find, validate

META = Meta(org="lab", model="stub-half", division="open")


@pytest.fixture(scope="module")
def honest(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("submissions")
    return submit(read_run(runs["half"]), read_run(runs["vanilla"]), read_run(runs["base"]), META, out)


@pytest.fixture
def copy(honest: Path, tmp_path: Path) -> Path:
    place = tmp_path / "submissions" / honest.parent.name / honest.name
    shutil.copytree(honest, place)
    return place


def rewrite(folder: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """Change the samples and mend hash, id and folder, as a careful forger would."""
    rows = change(pq.read_table(folder / "samples.parquet").to_pylist())
    pq.write_table(pa.Table.from_pylist(rows, schema=ALL_SAMPLES), folder / "samples.parquet")
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


def test_submitting_the_same_again_changes_nothing(runs: dict[str, Path], honest: Path) -> None:
    before = {path: path.read_bytes() for path in honest.parent.parent.rglob("*") if path.is_file()}
    again = submit(
        read_run(runs["half"]), read_run(runs["vanilla"]), read_run(runs["base"]), META, honest.parent.parent
    )
    assert again == honest
    assert {path: path.read_bytes() for path in honest.parent.parent.rglob("*") if path.is_file()} == before


def test_an_edited_score_is_named_with_both_values(copy: Path) -> None:
    content = json.loads((copy / "submission.json").read_text())
    content["scores"]["causes"][1]["recovery"]["value"] += 0.1
    mend(copy, content)
    problems = validate(copy)
    assert any(
        "scores.causes.knowledge_conflict.recovery.value is claimed" in problem for problem in problems[-1:]
    ) or any("the folder must be" in problem for problem in problems)
    moved = copy.with_name(content["run_id"])
    copy.rename(moved)
    assert any("knowledge_conflict.recovery.value is claimed" in problem for problem in validate(moved))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda rows: rows[:-3], "3 probes are missing"),
        (lambda rows: [*rows, rows[0]], "1 probes stand twice"),
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


def test_the_closed_division_has_a_budget(runs: dict[str, Path], tmp_path: Path) -> None:
    half, vanilla = read_run(runs["half"]), read_run(runs["vanilla"])
    closed = META.model_copy(update={"division": "closed"})
    assert submit(half, vanilla, None, closed, tmp_path / "in").is_dir()
    assert half.record.training
    half.record.training["tokens"]["cpt"] = 201
    with pytest.raises(ProblemError, match="301 training tokens exceed"):
        submit(half, vanilla, None, closed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_path_without_submissions_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no submission\.json"):
        find([tmp_path])
    with pytest.raises(UsageError, match="no such path"):
        find([tmp_path / "missing"])
