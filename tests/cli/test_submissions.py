"""The commands from run records to an entry: what they print, and one clear line for every bad call."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import make_run, retrained
from forging import better, learned_less_in_wordings

from ilp_bench.cli.main import main
from ilp_bench.data.dataset import Dataset
from ilp_bench.records.run_record import Run, write_run


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


@pytest.fixture(scope="module")
def folders(mini: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of three training seeds, their vanilla runs, and the base."""
    root = tmp_path_factory.mktemp("runs")

    def save(name: str, run: Run, sha: str) -> None:
        run.record.model.weights_sha256 = sha
        if run.record.training:
            retrained(run, seed=int(name[-1]))
        write_run(root / name, run.record.model_dump(mode="json", exclude={"samples_sha256"}), run.samples)

    save("base", make_run(mini, None, lambda _: 1e-6), "b" * 64)
    for seed in range(3):
        vanilla = make_run(mini, "vanilla", learned_less_in_wordings, noise=seed)
        save(f"vanilla{seed}", vanilla, f"{seed + 1}" * 64)
        save(f"run{seed}", make_run(mini, "combined", better, noise=seed + 3), f"{seed + 4}" * 64)
    return {path.name: path for path in root.iterdir()}


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    file = tmp_path / "meta.json"
    file.write_text('{"org": "lab", "model": "three", "division": "closed"}')
    return file


def submitting(folders: dict[str, Path], seeds: int, *, vanillas: int | None = None) -> list[object]:
    words: list[object] = [folders[f"run{seed}"] for seed in range(seeds)]
    for seed in range(seeds if vanillas is None else vanillas):
        words += ["--vanilla", folders[f"vanilla{seed}"]]
    return [*words, "--base-run", folders["base"]]


def test_three_replicates_from_the_shell(shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path) -> None:
    out = tmp_path / "submissions"
    call = ["submit", *submitting(folders, 3), "--meta", meta, "--out", out]
    done = shell(*call)
    assert done.code == 0, done.err
    assert "What will be published" in done.out
    assert "training seed 2" in done.out
    (place,) = out.glob("lab__three/*")
    for line in ("git switch -c lab-three", f"git add {place}", "git commit -m 'Submit lab three'", "pull request"):
        assert line in done.out
    reordered = ["submit", folders["run2"], folders["run0"], folders["run1"]]
    for seed in (2, 0, 1):
        reordered += ["--vanilla", folders[f"vanilla{seed}"]]
    again = shell(*reordered, "--base-run", folders["base"], "--meta", meta, "--out", out)
    assert again.code == 0
    assert [*out.glob("lab__three/*")] == [place]  # the order of the runs does not count
    scored = json.loads(shell("score", *submitting(folders, 3), "--json").out)
    assert [run["training_seed"] for run in scored["replicates"]] == [0, 1, 2]
    assert shell("validate", out).out == "1 submissions, no problem\n"
    assert (place / "samples.parquet").stat().st_size < 350_000


def test_wrong_calls_of_submit(
    shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = ["--meta", meta, "--out", tmp_path / "submissions"]
    assert "give one for each run" in shell.refused(2, "submit", *submitting(folders, 3, vanillas=1), *out)
    assert "needs at least 3 replicates" in shell.refused(1, "submit", *submitting(folders, 1), *out)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert "give --meta FILE" in shell.refused(2, "submit", *submitting(folders, 3))
    meta.write_text('{"org": "lab", "model": "x\u202e", "division": "open"}')
    assert "hidden character U+202E" in shell.refused(1, "submit", *submitting(folders, 1), *out)
    meta.write_text('{"org": "a", "org": "lab", "model": "x", "division": "open"}')
    assert "is duplicated" in shell.refused(1, "submit", *submitting(folders, 1), *out)
    assert not (tmp_path / "submissions").exists()


def test_from_an_entry_to_a_decision(shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path) -> None:
    out, old = tmp_path / "submissions", tmp_path / "old" / "submissions"
    old.mkdir(parents=True)
    shell("submit", *submitting(folders, 3), "--meta", meta, "--out", out)
    (place,) = out.glob("lab__three/*")
    assert shell("table", out).code == 0
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
    assert "cannot be read" in shell.refused(1, "decide", tmp_path, "flagged", "--reason", "x")


def test_share_and_verify_from_the_shell(shell: Shell, folders: dict[str, Path], meta: Path, tmp_path: Path) -> None:
    out = tmp_path / "submissions"
    shell("submit", *submitting(folders, 3), "--meta", meta, "--out", out)
    (place,) = out.glob("lab__three/*")
    assert "model-index" in shell("share", place).out
    record = tmp_path / "record.json"
    assert shell("share", place, "--format", "every-eval-ever", "--out", record).code == 0
    assert json.loads(record.read_text())["model_info"]["id"] == "lab/three"
    assert "Did you mean 'model-card'" in shell.refused(2, "share", place, "--format", "model-cart")
    assert "no model" in shell.refused(2, "verify", place, "--model", tmp_path / "missing")
    assert "the submission names" in shell.refused(1, "verify", place, "--model", "nano")
    assert "seed 0 is one the submitter has seen" in shell.refused(2, "verify", place, "--model", "nano", "--seed", 0)
    (place / "samples.parquet").write_bytes(b"")
    assert "see 'ilp-bench validate" in shell.refused(1, "verify", place, "--model", "nano")
    assert "only valid ones are shared" in shell.refused(1, "share", place)
    assert "see 'ilp-bench validate" in shell.refused(1, "table", out)
