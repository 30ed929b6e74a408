"""Every example in a ``--help``, run as it stands, on small data; only what would take minutes is made smaller."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from points_entries import runs_of

from ilp_bench.cli.main import app, main
from ilp_bench.data.dataset import Dataset, load, make, write
from ilp_bench.data.formats import export
from ilp_bench.records.run_record import read_run, write_run
from ilp_bench.submission import rerun, validate
from ilp_bench.submission import submit as submitting
from ilp_bench.submission.format import Meta

ROOT: Any = typer.main.get_command(app)
TEST_QUICKSTART = {"quickstart"}  # run by tests/cli/test_quickstart.py
ENTRY = "submissions/your-lab__your-model/ID"


def example_of(name: str) -> str:
    return str(ROOT.commands[name].epilog.splitlines()[-1].strip())


def run(name: str, monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    """Run a command's example, with an entry's id in the place of ID, and with more options."""
    words = shlex.split(example_of(name))
    if any(word.startswith(ENTRY) for word in words):
        (entry,) = Path("submissions").glob("your-lab__your-model/*")
        words = [word.replace(ENTRY, str(entry)) for word in words]
    monkeypatch.setattr(sys, "argv", [*words, *more])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code, name


@pytest.fixture(scope="module")
def desk(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the examples name: a dataset, rows, three runs with chosen probabilities, metadata."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(data, folder / "DATA")
    for name, (run,) in zip(("mine", "vanilla", "base"), runs_of(seeds=(0,), gain=0.2), strict=True):
        content = run.record.model_dump(mode="json", exclude={"samples_sha256"})
        write_run(folder / "runs" / name, content, run.samples)
    meta = {"org": "your-lab", "model": "your-model", "division": "open"}
    (folder / "meta.json").write_text(json.dumps(meta))
    rows = load(data).train.to_pylist()
    lines = [json.dumps({"prompt": row["prompt"], "completion": row["completion"]}) for row in rows]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    return folder


def test_the_example_of_quickstart_is_the_default() -> None:
    assert example_of("quickstart") == "ilp-bench quickstart --out ilp-bench-quickstart"


@pytest.mark.slow
def test_examples_about_data(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run("build", monkeypatch)
    assert load("DATA").sha256 == load(desk / "DATA").sha256
    run("export", monkeypatch)
    rows = [line for file in Path("for-trl").glob("stage-*.jsonl") for line in file.read_text().splitlines()]
    assert len(rows) == load("DATA").train.num_rows
    run("audit", monkeypatch)
    assert "## Leaks" in Path("audit.md").read_text()
    run("push", monkeypatch)
    assert Path("REPOSITORY/README.md").is_file()
    shutil.rmtree("DATA")
    shutil.copyfile(desk / "rows.jsonl", "rows.jsonl")
    run("import", monkeypatch)
    assert load("DATA").is_user_data


@pytest.mark.slow
def test_examples_from_runs_to_a_decision(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(desk)
    run("score", monkeypatch)
    run("submit", monkeypatch)
    run("validate", monkeypatch)
    capsys.readouterr()
    run("share", monkeypatch)
    assert "model-index" in capsys.readouterr().out
    run("decide", monkeypatch)
    assert "It holds." in Path("submissions/decisions.jsonl").read_text()
    run("table", monkeypatch)
    assert "your-lab__your-model" in Path("submissions/table.csv").read_text()
    run("render", monkeypatch)
    assert Path("site/index.html").is_file()
    run("doctor", monkeypatch)
    run("reference", monkeypatch)


@pytest.mark.nightly
def test_examples_that_run_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On two pairs a cause, with a learning rate at which they are learned soon."""
    monkeypatch.chdir(tmp_path)
    tiny = make("mini", 0, pairs=2)
    write(tiny, Path("DATA"))
    run("train", monkeypatch, "--learning-rate", "1e-3", "--device", "cpu")
    run("evaluate", monkeypatch, "--device", "cpu")
    trained = read_run(Path("runs/vanilla"))
    export(tiny, "prompt-completion", Path("train.jsonl"))
    run("diagnose", monkeypatch, "--device", "cpu", "--sample", "20")
    assert Path("report/index.html").is_file()
    Path("checkpoints/vanilla").rename("checkpoints/mine")
    # An entry on two pairs is not one that the leaderboard takes; what is of interest is what the command does.
    monkeypatch.setattr(submitting, "validate", lambda _: [])
    meta = Meta(org="your-lab", model="your-model", division="open")
    submitting.submit([trained], [trained], [], None, meta, Path("submissions"))

    def make_small(size: str, seed: int, **knobs: Any) -> Dataset:
        return tiny if seed == 0 else make(size, seed, **knobs)

    monkeypatch.setattr(rerun, "make", make_small)
    monkeypatch.setattr(validate, "check", validate.Checked)
    run("verify", monkeypatch, "--pairs", "10", "--device", "cpu")
    (record,) = Path("submissions").rglob("verification.json")
    assert json.loads(record.read_text())


def test_no_example_is_left_out() -> None:
    source = Path(__file__).read_text()
    run_here = {name for name in ROOT.commands if f'run("{name}", monkeypatch' in source}
    assert run_here | TEST_QUICKSTART == set(ROOT.commands)
