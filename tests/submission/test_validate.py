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
from conftest import by_arm, make_run, read_replicates, retrained

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import file_sha256
from ilp_bench.data.dataset import Dataset
from ilp_bench.records.run_record import Runs, read_run
from ilp_bench.submission.fields import run_id
from ilp_bench.submission.format import read_submission
from ilp_bench.submission.sample_store import FILE_SCHEMA
from ilp_bench.submission.validate import find, validate
from ilp_bench.submission.version_2 import ArchivedMeta as Meta
from ilp_bench.submission.version_2 import submit

META = Meta(org="lab", model="stub-half", division="open")


def trio(runs: dict[str, Path]) -> Runs:
    return Runs(read_run(runs["half"]), read_run(runs["vanilla"]), read_run(runs["base"]))


@pytest.fixture(scope="module")
def honest(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("submissions")
    return submit([trio(runs)], META, out)


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


def test_submitting_the_same_again_changes_nothing(runs: dict[str, Path], honest: Path) -> None:
    before = {path: path.read_bytes() for path in honest.parent.parent.rglob("*") if path.is_file()}
    again = submit([trio(runs)], META, honest.parent.parent)
    assert again == honest
    assert {path: path.read_bytes() for path in honest.parent.parent.rglob("*") if path.is_file()} == before


def test_a_run_that_many_submissions_share_is_one_object_until_a_bit_of_it_differs(honest: Path, copy: Path) -> None:
    first, again = (read_replicates(place, read_submission(place))[0] for place in (honest, copy))
    assert first.vanilla is again.vanilla
    assert first.base is again.base
    assert first.submission is not again.submission

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        row = next(row for row in rows if row["role"] == "vanilla" and row["p"] > 0.6)
        row["greedy"] = not row["greedy"]
        return rows

    rewrite(copy, change)
    forged = read_replicates(copy, read_submission(copy))[0]
    assert forged.vanilla is not first.vanilla
    assert any("greedy" in problem for problem in validate(copy))


def test_an_edited_score_is_named_with_both_values(copy: Path) -> None:
    content = json.loads((copy / "submission.json").read_text())
    recovery = content["scores"]["causes"][1]["recovery"]
    honest_value, recovery["value"] = recovery["value"], recovery["value"] + 0.1
    mend(copy, content)
    claim = (
        f"scores.causes.knowledge_conflict.recovery.value is claimed as {honest_value + 0.1:.6g}, "
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


def replicates(data: Dataset, tokens: int = 100) -> list[Runs]:
    """Three training seeds on one dataset, with a base run they share."""
    vanilla, base = make_run(data, "vanilla", by_arm(0.1, 0.9)), make_run(data, None, by_arm(0.0, 0.0))
    retrained(vanilla, seed=0)
    found = []
    for seed, chance in enumerate((0.2, 0.25, 0.3)):
        run = make_run(data, "combined", by_arm(chance, 0.9))
        run.record.model.weights_sha256 = f"{seed + 100:064x}"
        retrained(run, seed=seed, tokens={"sft": tokens, "cpt": 0})
        found.append(Runs(run, vanilla, base))
    return found


def test_the_closed_division_has_a_budget_and_wants_replicates(mini: Dataset, tmp_path: Path) -> None:
    closed = META.model_copy(update={"division": "closed"})
    place = submit(replicates(mini), closed, tmp_path / "in")
    assert validate(place) == []
    assert len(json.loads((place / "submission.json").read_text())["records"]) == 3
    with pytest.raises(ProblemError, match="301 training tokens exceed"):
        submit(replicates(mini, 301), closed, tmp_path / "out")
    with pytest.raises(ProblemError, match="needs at least 3 replicates, this has 2"):
        submit(replicates(mini)[:2], closed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_runs_that_replicates_share_are_stored_once(mini: Dataset, tmp_path: Path) -> None:
    three = replicates(mini)
    place = submit(three, META, tmp_path)
    rows = pq.read_table(place / "samples.parquet")
    assert rows.num_rows == 5 * mini.items.num_rows  # three submissions, one vanilla, one base
    back = read_replicates(place, read_submission(place))
    for mine, theirs in zip(three, back, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            assert one is not None
            assert other is not None
            assert one.samples["logprob"].equals(other.samples["logprob"])
            assert one.record == other.record
    reference = [Runs(three[0].vanilla, three[0].vanilla, three[0].base)]
    row = submit(reference, META.model_copy(update={"model": "vanilla"}), tmp_path)
    assert validate(row) == []
    assert pq.read_table(row / "samples.parquet").num_rows == 2 * mini.items.num_rows
    overall = read_submission(row).scores.overall
    assert overall is not None
    assert overall.value == 0


def test_a_path_without_submissions_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no submission\.json"):
        find([tmp_path])
    with pytest.raises(UsageError, match="no such path"):
        find([tmp_path / "missing"])
