"""The commands from run records to an entry: what they print, and one clear line for every bad call."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from forging import archived_entry
from points_entries import entry_run, runs_of, take_for_committed, write_reference

from ilp_bench.cli.main import main
from ilp_bench.records.run_record import Run, read_run, write_run
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.points_schema import PointScores
from ilp_bench.submission import validate as validating


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Shell:
    """``ilp-bench`` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *words: object) -> Done:
        self.monkeypatch.setattr(sys, "argv", ["ilp-bench", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Done(code, *self.capsys.readouterr())

    def refused(self, code: int, *words: object) -> str:
        done = self(*words)
        lines = [line for line in done.err.splitlines() if line.strip()]
        assert (done.code, len(lines)) == (code, 1), done
        return lines[0]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


def save(folder: Path, run: Run) -> Path:
    write_run(folder, run.record.model_dump(mode="json", exclude={"samples_sha256"}), run.samples)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs on datasets of three seeds with their vanilla and base runs, and one of three times the budget."""
    root = tmp_path_factory.mktemp("runs")
    for name, role in runs_of(gain=0.2)._asdict().items():
        for seed, run in enumerate(role):
            save(root / f"{name.removesuffix('s')}{seed}", run)
    save(root / "long0", entry_run("resampling", 0, division="3x", gain=0.2))
    return {path.name: path for path in root.iterdir()}


@pytest.fixture
def committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the one committed reference."""
    root = tmp_path / "references"
    write_reference(root / "stub-mini-1x")
    take_for_committed(monkeypatch, root)
    return root


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    file = tmp_path / "meta.json"
    file.write_text('{"org": "lab", "model": "three", "division": "1x"}')
    return file


def submitting(folders: dict[str, Path], *seeds: int, own: bool = True) -> list[object]:
    """Run folders as ``submit`` and ``score`` take them, with vanilla and base runs of one's own."""
    words: list[object] = [folders[f"run{seed}"] for seed in seeds]
    for seed in seeds if own else ():
        words += ["--vanilla", folders[f"vanilla{seed}"], "--base-run", folders[f"base{seed}"]]
    return words


def test_three_seeds_from_the_shell(shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path) -> None:
    out = tmp_path / "submissions"
    done = shell("submit", *submitting(folders, 0, 1, 2), "--meta", meta, "--out", out)
    assert done.code == 0, done.err
    for line in ("What will be published", "training seed 2", "vanilla 3", "H = 0.4", "may be ranked"):
        assert line in done.out, line
    (place,) = out.glob("lab__three/*")
    for line in ("git switch -c lab-three", f"git add {place}", "git commit -m 'Submit lab three'", "pull request"):
        assert line in done.out
    again = shell("submit", *submitting(folders, 2, 0, 1), "--meta", meta, "--out", out)
    assert again.code == 0
    assert [*out.glob("lab__three/*")] == [place]  # the order of the runs does not count
    scored = json.loads(shell("score", *submitting(folders, 0, 1, 2), "--json").out)
    assert scored == json.loads((place / "submission.json").read_text())["scores"]
    assert shell("validate", out).out.startswith("1 submission, no problem\n")
    assert (place / "samples.parquet").stat().st_size < 350_000


def test_against_the_committed_reference(
    shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path, committed: Path
) -> None:
    out = ["--meta", meta, "--out", tmp_path / "submissions"]
    done = shell("submit", *submitting(folders, 0, 1, 2, own=False), *out)
    assert done.code == 0, done.err
    assert "reference" in done.out
    assert "stub-mini-1x" in done.out
    assert "leave yours out" in shell.refused(1, "submit", *submitting(folders, 0, 1, 2), *out)
    none = [*submitting(folders, 0, 1, 2), "--reference", "none"]
    assert "reference stub-mini-1x is committed for this base model" in shell.refused(1, "submit", *none, *out)
    wrong = [*submitting(folders, 0, 1, 2, own=False), "--reference", "stub-mini-3x"]
    assert "Did you mean 'stub-mini-1x'" in shell.refused(2, "submit", *wrong, *out)
    own = write_reference(tmp_path / "mine")
    mine = [*submitting(folders, 0, 1, 2, own=False), "--reference", own.folder]
    assert "reference mine is not committed" in shell.refused(1, "submit", *mine, *out)


def test_wrong_calls_of_submit(
    shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_for_committed(monkeypatch, tmp_path / "none")
    out = ["--meta", meta, "--out", tmp_path / "submissions"]
    three = submitting(folders, 0, 1, 2)
    assert "needs runs on datasets of 3 seeds, this has 1" in shell.refused(1, "submit", *submitting(folders, 0), *out)
    assert "give a vanilla run" in shell.refused(1, "submit", *submitting(folders, 0, 1, 2, own=False), *out)
    assert "on other data (seed 1) than any run" in shell.refused(
        1, "submit", *submitting(folders, 0), "--vanilla", folders["vanilla1"], *out
    )
    assert "was trained in budget division 3x and vanilla in 1x" in shell.refused(
        1, "submit", folders["long0"], "--vanilla", folders["vanilla0"], "--base-run", folders["base0"], *out
    )
    swapped = [folders["vanilla0"], "--vanilla", folders["run0"], "--base-run", folders["base0"]]
    assert "they were swapped" in shell.refused(1, "submit", *swapped, *out)
    untuned = [folders["base0"], "--vanilla", folders["vanilla0"], *out]
    assert "has no training record: evaluate the model that was fine-tuned" in shell.refused(1, "submit", *untuned)
    assert "is not a run: it is" in shell.refused(2, "submit", tmp_path, *out)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert "give --meta FILE" in shell.refused(2, "submit", *three)
    for text, complaint in (
        ('{"org": "lab", "model": "x", "division": "closed"}', "the closed division is now 1x or 3x"),
        ('{"org": "lab", "model": "x", "division": "2x"}', "division: Input should be '1x', '3x' or 'open'"),
        ('{"org": "lab", "model": "x\u202e", "division": "open"}', "hidden character U+202E"),
        ('{"org": "a", "org": "lab", "model": "x", "division": "open"}', "is duplicated"),
    ):
        meta.write_text(text)
        assert complaint in shell.refused(1, "submit", *three, *out)
    assert not (tmp_path / "submissions").exists()


@pytest.mark.parametrize(
    ("name", "complaint"), [("modèle", "model.name is 'modèle': give the model a folder named by ASCII"), ("m", "")]
)
def test_a_model_of_an_odd_name_is_one_clear_line(
    name: str, complaint: str, shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path
) -> None:
    run, words = read_run(folders["run0"]), submitting(folders, 0, 1, 2)
    record = run.record.model_dump(mode="json")
    record["model"]["name"] = name
    words[0] = save(tmp_path / "run", Run(run.record.model_validate(record), run.samples))
    out = tmp_path / "submissions"
    if complaint:
        assert complaint in shell.refused(1, "submit", *words, "--meta", meta, "--out", out)
        assert not out.exists()
    else:
        assert shell("submit", *words, "--meta", meta, "--out", out).code == 0


def test_a_name_like_that_of_another_entry_is_refused(
    shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path
) -> None:
    """On a file system that does not tell cases apart, the entry would land in the other's folder."""
    out, words = tmp_path / "submissions", submitting(folders, 0, 1, 2)
    assert shell("submit", *words, "--meta", meta, "--out", out).code == 0
    for org, model, like in (("Lab", "other", "lab"), ("lab", "Three", "three")):
        meta.write_text(json.dumps({"org": org, "model": model, "division": "1x"}))
        text = shell.refused(1, "submit", *words, "--meta", meta, "--out", out)
        assert f"can be taken for '{like}': choose another name" in text
    assert [path.name for path in out.iterdir()] == ["lab__three"]
    (entry,) = out.glob("*/*")
    assert "is a submission: give a folder of submissions" in shell.refused(
        2, "submit", *words, "--meta", meta, "--out", entry
    )


def test_runs_on_dataset_2_are_not_submitted(
    shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path
) -> None:
    old = entry_run("resampling", 0)
    record = old.record.model_copy(update={"data": old.record.data.model_copy(update={"version": "2"})})
    folder = save(tmp_path / "old", Run(record, old.samples))
    text = shell.refused(1, "submit", folder, "--meta", meta, "--out", tmp_path / "submissions")
    assert "dataset 2 is closed" in text


def test_from_an_entry_to_a_decision(shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path) -> None:
    out, old = tmp_path / "submissions", tmp_path / "old" / "submissions"
    old.mkdir(parents=True)
    shell("submit", *submitting(folders, 0, 1, 2), "--meta", meta, "--out", out)
    (place,) = out.glob("lab__three/*")
    assert shell("table", out).out == f"{out}/table.csv: 1 submission\n"
    text = (out / "table.csv").read_text()
    assert "lab__three" in text
    assert shell("decide", place, "withdrawn", "--reason", "a bug").code == 0
    assert (out / "table.csv").read_text() != text
    summary = tmp_path / "summary.md"
    done = shell("validate", out, "--since", old, "--summary", summary)
    assert done.code == 0, done.err
    assert "No reference row" in summary.read_text()
    shutil.rmtree(old)
    shutil.copytree(out, old)
    (out / "decisions.jsonl").write_text("")
    done = shell("validate", out, "--since", old)
    assert done.code == 1
    assert "was rewritten: only append" in done.err
    assert "Did you mean 'withdrawn'" in shell.refused(2, "decide", place, "withdrawm", "--reason", "x")
    assert "reason" in shell.refused(2, "decide", place, "flagged", "--reason", "")
    assert "is not a submission" in shell.refused(2, "decide", tmp_path, "flagged", "--reason", "x")


def test_a_decision_says_that_it_is_written_where_the_tables_cannot_be(
    shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path
) -> None:
    out = tmp_path / "submissions"
    shell("submit", *submitting(folders, 0, 1, 2), "--meta", meta, "--out", out)
    (place,) = out.glob("lab__three/*")
    shell("table", out)
    (place / "samples.parquet").write_bytes(b"")
    text = shell.refused(1, "decide", place, "flagged", "--reason", "no samples")
    assert "the decision is written, and the tables stay as they are" in text
    assert "no samples" in (out / "decisions.jsonl").read_text()


def test_a_folder_of_one_entry_is_none_of_all_entries(
    shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "submissions"
    shell("submit", *submitting(folders, 0, 1, 2), "--meta", meta, "--out", out)
    (place,) = out.glob("lab__three/*")
    for folder in (place, place.parent):
        assert "is not a folder of submissions" in shell.refused(2, "table", folder)
        assert not list(folder.glob("*.csv"))
        assert "compares whole folders" in shell.refused(2, "validate", folder, "--since", out, "--by", "mallory")
    assert "is no folder" in shell.refused(2, "validate", out, "--since", tmp_path / "missing")
    monkeypatch.chdir(place)
    assert shell("validate", ".").code == 0
    monkeypatch.chdir(place.parent)
    assert shell("validate", place.name).code == 0
    assert "model-index" in shell("share", f"../{place.parent.name}/{place.name}").out


def test_what_is_shared_is_computed_by_the_scorer_of_today(
    shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An accepted entry keeps what an earlier scorer said of it; nothing of that is shared."""
    out = tmp_path / "submissions"
    shell("submit", *submitting(folders, 0, 1, 2), "--meta", meta, "--out", out)
    (place,) = out.glob("lab__three/*")
    assert shell("decide", place, "accepted", "--reason", "by scorer 3").code == 0
    before = validating.score_points

    def later(*runs: Any) -> PointScores:
        scores = before(*runs)
        share = Interval(value=0.123, low=0.1, high=0.2)
        return scores.model_copy(update={"reproduction": scores.reproduction.model_copy(update={"share": share})})

    monkeypatch.setattr(validating, "POINTS_SCORER_VERSION", 99)
    monkeypatch.setattr(validating, "score_points", later)
    assert "value: 0.123" in shell("share", place, "--format", "eval-results").out


def test_a_machine_without_a_name_for_its_user_asks_for_one(
    shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "submissions"
    shell("submit", *submitting(folders, 0, 1, 2), "--meta", meta, "--out", out)
    (place,) = out.glob("lab__three/*")

    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", unknown)
    for words in (("decide", place, "flagged", "--reason", "x"), ("verify", place, "--model", "nano")):
        assert "say who you are with --by NAME" in shell.refused(2, *words)


def test_share_and_verify_from_the_shell(shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path) -> None:
    out = tmp_path / "submissions"
    shell("submit", *submitting(folders, 0, 1, 2), "--meta", meta, "--out", out)
    (place,) = out.glob("lab__three/*")
    assert "model-index" in shell("share", place).out
    record = tmp_path / "record.json"
    assert shell("share", place, "--format", "every-eval-ever", "--out", record).code == 0
    assert json.loads(record.read_text())["model_info"]["id"] == "lab/three"
    assert "Did you mean 'model-card'" in shell.refused(2, "share", place, "--format", "model-cart")
    assert "no model" in shell.refused(2, "verify", place, "--model", tmp_path / "missing")
    for pairs in (0, 9):  # trained again for nothing: no cause of so few pairs has points
        text = shell.refused(2, "verify", place, "--model", "nano", "--seed", 7, "--pairs", pairs)
        assert f"{pairs} pairs a cause are too few for points: at least 10" in text
    assert "the submission names" in shell.refused(1, "verify", place, "--model", "nano")
    assert "seed 0 is one the submitter has seen" in shell.refused(2, "verify", place, "--model", "nano", "--seed", 0)
    (place / "samples.parquet").write_bytes(b"")
    assert "see 'ilp-bench validate" in shell.refused(1, "verify", place, "--model", "nano")
    assert "only valid ones are shared" in shell.refused(1, "share", place)
    assert "see 'ilp-bench validate" in shell.refused(1, "table", out)


def test_the_archive_is_read_only(shell: Shell, tmp_path: Path) -> None:
    out, old = tmp_path / "submissions", tmp_path / "old"
    place = archived_entry(out)
    assert shell("validate", out).code == 0
    assert shell("table", out).out == f"{out}/table-2.csv: 1 submission\n"
    assert shell("decide", place, "flagged", "--reason", "a doubt").code == 0
    assert "only entries of schema 3 are shared" in shell.refused(2, "share", place)
    assert "only entries of schema 3 are run again" in shell.refused(2, "verify", place, "--model", "nano")
    old.mkdir()
    done = shell("validate", out, "--since", old)
    assert done.code == 1
    assert "dataset 2 is closed" in done.err
