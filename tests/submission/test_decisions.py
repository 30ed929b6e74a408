"""Append-only: what was decided stays, what was published can be built again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from forging import archived_entry
from points_entries import write_entry

from ilp_bench.core.errors import ProblemError
from ilp_bench.scoring import recovery as scoring
from ilp_bench.scoring.recovery import Scores
from ilp_bench.submission import summary_table as tables
from ilp_bench.submission import validate as validating
from ilp_bench.submission.check_folder import entry_problems, history_problems
from ilp_bench.submission.comparison import comparison
from ilp_bench.submission.decisions import (
    DECISIONS_FILE,
    Decision,
    decide,
    parse_decisions,
    read_decisions,
    was_accepted,
)
from ilp_bench.submission.rerun_record import Public, Unseen, Verification, add_verification
from ilp_bench.submission.summary_table import ARCHIVE_FILE, TABLE_FILE, table_problems, table_rows, write_tables
from ilp_bench.submission.validate import Checked, check, find

SUBMISSIONS = Path(__file__).parents[2] / "submissions"


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vanilla row of the project and an entry of a lab on the same runs."""
    root = tmp_path_factory.mktemp("honest") / "submissions"
    write_entry(root, org="ilp-bench", model="stub-vanilla", recipe="vanilla", seeds=(0,), division="open")
    write_entry(root, org="lab", model="stub", seeds=(0,), division="open")
    return root


@pytest.fixture
def root(honest: Path, tmp_path: Path) -> Path:
    shutil.copytree(honest, tmp_path / "submissions")
    return tmp_path / "submissions"


def checked(root: Path) -> list[Checked]:
    return [check(folder) for folder in find([root])]


def decision(root: Path, word: str = "withdrawn", **changes: str) -> Decision:
    folder = next(root.glob("lab__*/*"))
    about = {"run_id": folder.name, "entry": f"lab__stub/{folder.name}", "decision": word}
    return Decision.model_validate(about | {"reason": "a bug", "date": "2026-11-24", "by": "me"} | changes)


def test_decisions_are_appended_and_the_last_one_counts(root: Path) -> None:
    name = decision(root).run_id
    assert not read_decisions(root).is_withdrawn(name)
    decide(root, decision(root, "accepted"))
    assert not read_decisions(root).is_withdrawn(name)
    before = (root / DECISIONS_FILE).read_bytes()
    decide(root, decision(root, "withdrawn"))
    assert (root / DECISIONS_FILE).read_bytes().startswith(before)
    found = read_decisions(root)
    assert found.is_withdrawn(name)
    assert [one.decision for one in found.history] == ["accepted", "withdrawn"]
    assert {one.decision for one in found.last.values()} == {"withdrawn"}
    assert entry_problems(root, checked(root)) == []


def test_line_ends_of_earlier_decisions_stay(root: Path) -> None:
    """As a checkout on Windows writes them: an append changes no byte of what stood there."""
    decide(root, decision(root, "accepted"))
    file = root / DECISIONS_FILE
    file.write_bytes(before := file.read_bytes().replace(b"\n", b"\r\n"))
    decide(root, decision(root, "withdrawn"))
    assert file.read_bytes().startswith(before)
    assert [one.decision for one in read_decisions(root).history] == ["accepted", "withdrawn"]


def test_acceptance_is_seen_as_soon_as_it_is_written_and_stays(root: Path) -> None:
    name = decision(root).run_id
    for word, accepted in (("flagged", False), ("accepted", True), ("withdrawn", True)):
        decide(root, decision(root, word))
        assert was_accepted(root, name) is accepted
    assert not was_accepted(root, "0" * 16)
    assert not was_accepted(root.parent, name)


def test_a_damaged_file_is_one_message_with_its_first_wrong_lines(root: Path) -> None:
    (root / DECISIONS_FILE).write_text("{\n" * 5)
    with pytest.raises(ProblemError, match=r"jsonl:1: .*jsonl:2: .*jsonl:3: .*; and 2 more lines$") as raised:
        read_decisions(root)
    assert "jsonl:4" not in str(raised.value)


def test_a_withdrawn_entry_stays_in_the_table(root: Path) -> None:
    decide(root, decision(root, "withdrawn"))
    found = {row["entry"].split("/")[0]: row["decision"] for row in table_rows(root, checked(root))[TABLE_FILE]}
    assert found == {"ilp-bench__stub-vanilla": "", "lab__stub": "withdrawn"}
    shutil.rmtree(next(root.glob("lab__*")))
    assert any("entries are never removed" in problem for problem in entry_problems(root, checked(root)))


def test_a_withdrawn_entry_may_be_submitted_anew(root: Path) -> None:
    folder = next(root.glob("lab__*/*"))
    content = json.loads((folder / "submission.json").read_text())
    content["meta"]["description"] = "with the right description"
    content["run_id"] = validating.run_id(content)
    shutil.copytree(folder, folder.with_name(content["run_id"]))
    (folder.with_name(content["run_id"]) / "submission.json").write_text(json.dumps(content))
    assert any("has the samples of" in problem for problem in entry_problems(root, checked(root)))
    about = {"run_id": folder.name, "entry": f"lab__stub/{folder.name}"}
    decide(root, decision(root, **about))
    assert entry_problems(root, checked(root)) == []


def test_two_methods_of_one_lab_may_come_to_the_same_weights(root: Path) -> None:
    folder = next(root.glob("lab__*/*"))
    for org, allowed in (("lab", True), ("other", False)):
        content = json.loads((folder / "submission.json").read_text())
        content["meta"] |= {"org": org, "model": "twin"}
        content["run_id"] = validating.run_id(content)
        place = root / f"{org}__twin" / content["run_id"]
        shutil.copytree(folder, place)
        (place / "submission.json").write_text(json.dumps(content))
        assert (entry_problems(root, checked(root)) == []) == allowed


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "a name in double quotes or the closing brace is missing at column 2"),
        ("[]", "valid dictionary"),
        ('{"run_id": "x"}', "run_id"),
        ("", "a value is missing"),
        ('{"a": 1, "a": 2}', "is duplicated"),
        ("GOOD but for reason", "reason"),
        ("GOOD but for entry", "does not end with run id"),
        ("GOOD but hidden", r"U\+202E"),
    ],
)
def test_wrong_lines_are_named_by_their_number(line: str, complaint: str, root: Path) -> None:
    good = decision(root)
    match line:
        case "GOOD but for reason":
            line = json.dumps(good.model_dump() | {"reason": ""})
        case "GOOD but for entry":
            line = json.dumps(good.model_dump() | {"entry": f"lab__stub/{'0' * 16}"})
        case "GOOD but hidden":
            line = json.dumps(good.model_dump() | {"reason": "a\u202eb"})
    (root / DECISIONS_FILE).write_text(f"{good.model_dump_json()}\n{line}\n{good.model_dump_json()}\n")
    found, problems = parse_decisions(root / DECISIONS_FILE)
    assert len(found) == 2
    assert len(problems) == 1
    assert f"{DECISIONS_FILE}:2:" in problems[0]
    with pytest.raises(ProblemError, match=complaint):
        read_decisions(root)
    with pytest.raises(ProblemError, match=DECISIONS_FILE):
        decide(root, good)


def test_history_may_grow_and_not_change(root: Path, honest: Path) -> None:
    decide(root, decision(root, "accepted"))
    assert history_problems(honest, root) == []
    old = root.with_name("old")
    shutil.copytree(root, old)
    text = (root / DECISIONS_FILE).read_text()
    (root / DECISIONS_FILE).write_text(text.replace("accepted", "flagged"))
    assert any("was rewritten" in problem for problem in history_problems(old, root))


def test_a_damaged_rerun_hides_no_other_problem(root: Path, honest: Path) -> None:
    record = next(root.glob("*/*")) / "verification.json"
    shutil.copytree(root, root.with_name("old"))
    (root.with_name("old") / record.relative_to(root)).write_text("{")
    record.write_text("{")
    (record.parent / "submission.json").unlink()
    problems = history_problems(root.with_name("old"), root)
    assert len(problems) == 2
    assert any("is not JSON" in problem for problem in problems)
    assert any("was removed" in problem for problem in problems)


def test_a_decision_about_nothing_is_refused(root: Path) -> None:
    missing = decision(root, run_id="0" * 16, entry=f"lab__stub/{'0' * 16}")
    with pytest.raises(ProblemError, match="has no entry"):
        decide(root, missing)
    assert not (root / DECISIONS_FILE).exists()


def test_the_tables_are_what_the_entries_give(root: Path) -> None:
    found = checked(root)
    (file,) = write_tables(root, found)
    assert file.name == TABLE_FILE
    assert table_problems(root, found) == []
    text = file.read_text()
    value = table_rows(root, found)[TABLE_FILE][1]["reproduction_share"]
    assert float(value) > 0
    for old, new, complaint in (
        (value, f"{float(value) + 0.001:.6f}", "reproduction_share of lab__stub"),
        ("lab__stub/", "lab__other/", "is missing"),
        ("open", "1x", "division of"),
    ):
        file.write_text(text.replace(old, new))
        assert any(complaint in problem for problem in table_problems(root, found)), complaint
    file.write_text("")
    assert len(table_problems(root, found)) == 2


def test_a_rerun_of_vanilla_alone_is_none_of_the_entry(root: Path) -> None:
    folder = next(root.glob("lab__*/*"))
    again = {"submission": {"again": 0, "of": 1}, "vanilla": {"again": 1, "of": 1}}
    public = Public.model_validate({"status": "agrees", "tolerance": 0.001, "runs": again})
    unseen = Unseen(status="not possible", how="not possible")
    about = {"by": "me", "date": "2026-11-24", "ilp_bench": "0.1.0", "versions": {}, "hardware": "made up"}
    add_verification(folder, Verification.model_validate(about | {"public": public, "unseen": unseen}))
    (row,) = [row for row in table_rows(root, checked(root))[TABLE_FILE] if row["entry"].startswith("lab")]
    assert row["rerun_public"] == "not done"


def test_points_and_recoveries_stand_in_tables_of_their_own(root: Path) -> None:
    folder = archived_entry(root)
    files = write_tables(root, checked(root))
    assert [file.name for file in files] == [TABLE_FILE, ARCHIVE_FILE]
    (row,) = table_rows(root, [check(folder)])[ARCHIVE_FILE]
    assert row["scorer_version"] == "2"
    assert row["overall"] == "0.000000"
    assert "overall" not in files[0].read_text()


def test_old_scorer_versions_are_rescored_and_never_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later scorer: accepted entries stay as they are, and what is shown is computed anew; others are refused."""
    folder = archived_entry(tmp_path / "submissions", "nano-mini-resampling")
    root = folder.parents[1]
    for module in (scoring, validating, tables):
        monkeypatch.setattr(module, "SCORER_VERSION", 99)
    monkeypatch.setattr(scoring, "recovery", lambda treated, vanilla, control: (treated - vanilla) / 2)
    assert "scores are of scorer 2, this is 99" in check(folder).problems[0]
    about = {"run_id": folder.name, "entry": f"{folder.parent.name}/{folder.name}", "decision": "accepted"}
    decide(root, Decision.model_validate(about | {"reason": "x", "date": "2026-11-24", "by": "me"}))
    again = check(folder)
    assert again.problems == []
    (row,) = table_rows(root, [again])[ARCHIVE_FILE]
    assert row["scorer_version"] == "99"
    assert isinstance(again.scores, Scores)
    assert again.scores.overall
    assert row["overall"] == f"{again.scores.overall.value:.6f}"


def test_new_entries_are_set_beside_the_reference_rows(tmp_path: Path) -> None:
    write_entry(tmp_path, org="ilp-bench", model="stub-vanilla", recipe="vanilla", seeds=(0,), division="open")
    new = write_entry(tmp_path, org="lab", model="stub", seeds=(0,), division="open")
    other = write_entry(tmp_path, org="lab", model="other", base="other", seeds=(0,), division="open")
    found = checked(tmp_path)
    text = comparison(found, [new])
    assert text.count("\n| ilp-bench\\_\\_stub-vanilla | 1 |") == 2
    assert "Not ranked: its intervals are of pairs only" in text
    assert "No reference row" in comparison(found, [other])


@pytest.mark.slow
def test_the_published_table_follows_from_the_committed_entries() -> None:
    """Every committed submission holds, and the committed table is what they give."""
    found = checked(SUBMISSIONS)
    assert [problem for one in found for problem in one.problems] == []
    assert entry_problems(SUBMISSIONS, found) == []
    assert table_problems(SUBMISSIONS, found) == []
    assert (SUBMISSIONS / ARCHIVE_FILE).is_file()
