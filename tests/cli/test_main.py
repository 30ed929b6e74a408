"""Every bad call: the right exit code, one clear line, no traceback, nothing written."""

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from ilp_bench.cli.main import main
from ilp_bench.core.files import file_sha256
from ilp_bench.data import sharding as shards
from ilp_bench.records.samples import SAMPLES


def call(*words: object) -> subprocess.CompletedProcess[str]:
    """One call of the program, in this process: an exception that leaves ``main`` fails the test."""
    shown, errors, code = io.StringIO(), io.StringIO(), 0
    with (
        patch.object(sys, "argv", ["ilp-bench", *map(str, words)]),
        redirect_stdout(shown),
        redirect_stderr(errors),
    ):
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return subprocess.CompletedProcess(words, code, shown.getvalue(), errors.getvalue())


def refused(code: int, *words: object) -> str:
    """Run a call that must fail with this code and one line; returns the line."""
    done = call(*words)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_help_imports_neither_torch_nor_lm_eval() -> None:
    script = (
        "import sys\nsys.argv = ['ilp-bench', '--help']\nfrom ilp_bench.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('torch', 'lm_eval', 'transformers', 'pyarrow', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip().endswith("[]")
    for command in (
        "quickstart",
        "build",
        "audit",
        "push",
        "train",
        "evaluate",
        "score",
        "submit",
        "validate",
        "render",
    ):
        assert command in done.stdout


def test_build_writes_a_dataset_once(tmp_path: Path) -> None:
    done = call("build", "--size", "mini", "--out", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "README.md",
        "croissant.json",
        "items.parquet",
        "knowledge.parquet",
        "manifest.json",
        "shots.parquet",
        "train.parquet",
    ]
    assert "Did you mean 'mini'" in refused(2, "build", "--size", "mimi", "--out", tmp_path / "other")
    assert "another dataset" in refused(2, "build", "--size", "mini", "--seed", 1, "--out", tmp_path / "data")
    assert not (tmp_path / "other").exists()


def test_build_turns_knobs_and_refuses_impossible_ones(tmp_path: Path) -> None:
    knobs = ("--pairs", 12, "--share", 0.3, "--stages", 3, "--frequencies", "zipf:1.0", "--hops", 1)
    done = call("build", "--size", "mini", *knobs, "--out", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text())
    assert manifest["knobs"]["shares"] == [0.3]
    assert manifest["stages"] == 3
    assert "above 0 and below 1" in refused(2, "build", "--share", 1.5, "--out", tmp_path / "other")
    assert "are left: ask for fewer pairs" in refused(2, "build", "--pairs", 4000, "--out", tmp_path / "other")
    assert "name other causes" in refused(2, "build", "--domain", "medicine", "--out", tmp_path / "other")
    assert "neither" in refused(2, "build", "--frequencies", "often", "--out", tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("own", ["", "ACTIVE"])
def test_threads_that_wait_leave_their_core_to_others(own: str) -> None:
    """Said before torch is loaded, which reads it then; what the user says stands."""
    code = (
        "import atexit, os, sys; atexit.register(lambda: print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules))"
    )
    start = f"{code}; sys.argv = ['ilp-bench', '--version']; from ilp_bench.cli.main import main; main()"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": own} if own else {}
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines()[-1] == f"{own or 'PASSIVE'} False"


def test_a_large_set_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "LARGE", 100)
    monkeypatch.setattr(shards, "JOB", 40)
    what = ("--cause", "rare_patterns", "--pairs", 101, "--domain", "finance")
    done = call("build", "--size", "mini", *what, "--out", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert (
        len(list((tmp_path / "data").glob("items-*.parquet"))) == 6
    )  # 3 of pairs, decoys, calibration, held-out facts
    assert call("build", "--size", "mini", *what, "--out", tmp_path / "data").stdout == done.stdout


def test_audit_prints_a_report(data: Path, tmp_path: Path) -> None:
    done = call("audit", "--data", data, "--out", tmp_path / "audit.md")
    assert done.returncode == 0, done.stderr
    assert "0 problems" in done.stdout
    assert "## Leaks" in (tmp_path / "audit.md").read_text()


def test_push_writes_what_it_would_upload(data: Path, tmp_path: Path) -> None:
    done = call("push", "lab/data", "--data", data, "--dry-run", tmp_path / "repository")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "repository" / "mini" / "items.parquet").is_file()
    assert "repository id" in refused(2, "push", "a b", "--data", data, "--dry-run", tmp_path / "other")


def test_train_refuses_what_it_cannot_do(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "checkpoint"
    train = ("train", "--base", "nano", "--data", data, "--out", out)
    assert "Did you mean 'vanilla'" in refused(2, *train, "--recipe", "vanila")
    assert "is not a dataset: it is an empty folder" in refused(
        2, "train", "--base", "nano", "--recipe", "vanilla", "--data", tmp_path, "--out", out
    )
    assert "no model 'nanno'" in refused(
        2, "train", "--base", "nanno", "--recipe", "vanilla", "--data", data, "--out", out
    )
    assert not out.exists()


def test_evaluate_refuses_models_it_cannot_trust(data: Path, tmp_path: Path) -> None:
    model, out = tmp_path / "model", tmp_path / "run"
    evaluate = ("evaluate", "--model", model, "--data", data, "--out", out)
    assert "no model" in refused(2, *evaluate)
    model.mkdir()
    assert "is not a model: it is an empty folder" in refused(1, *evaluate)
    (model / "config.json").write_text('{"model_type": "llama"}')  # by default, of seven billion parameters
    (model / "pytorch_model.bin").write_bytes(b"pickle")
    assert "can run code" in refused(1, *evaluate)
    (model / "model.safetensors").write_bytes(b"not weights")
    assert "not a safetensors file" in refused(1, *evaluate)
    save_file({"weight": np.zeros(2)}, model / "model.safetensors")
    assert "no tokenizer" in refused(1, *evaluate)
    (model / "tokenizer.json").write_text("{}")
    assert "do not fit its config.json: 2 values, 6,738,415,616 wanted" in refused(1, *evaluate)
    assert "unknown backend" in refused(2, *evaluate, "--backend", "tensorrt")
    assert "could not be downloaded" in refused(2, "evaluate", "--model", "org/missing", "--data", data, "--out", out)
    assert not out.exists()


def test_a_broken_data_folder_is_one_line(data: Path, tmp_path: Path) -> None:
    broken = tmp_path / "data"
    shutil.copytree(data, broken)
    (broken / "items.parquet").unlink()
    assert "missing or changed" in refused(
        1, "evaluate", "--model", "nano", "--data", broken, "--out", tmp_path / "run"
    )


def test_score_needs_its_reference_run(runs: dict[str, Path], tmp_path: Path) -> None:
    assert "is not a vanilla run: it does not exist" in refused(
        2, "score", runs["half"], "--vanilla", tmp_path / "missing"
    )
    assert "is not a run" in refused(2, "score", tmp_path, "--vanilla", runs["vanilla"])
    done = call("score", runs["half"], "--vanilla", runs["vanilla"], "--base-run", runs["base"], "--json")
    assert done.returncode == 0, done.stderr
    causes = json.loads(done.stdout)["reproduction"]["causes"]
    assert {cause["cause"] for cause in causes} >= {"knowledge_gap", "rare_patterns"}


def test_nan_in_samples_is_named_with_its_probe(runs: dict[str, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs["half"], run)
    rows = pq.read_table(run / "samples.parquet").to_pylist()
    rows[7]["p"] = float("nan")
    pq.write_table(pa.Table.from_pylist(rows, schema=SAMPLES), run / "samples.parquet")
    record = json.loads((run / "run.json").read_text())
    record["samples_sha256"] = file_sha256(run / "samples.parquet")
    (run / "run.json").write_text(json.dumps(record))
    line = refused(1, "score", run, "--vanilla", runs["vanilla"])
    assert "p is nan" in line
    assert rows[7]["probe_id"] in line


def test_submit_validate_and_render_from_the_shell(runs: dict[str, Path], tmp_path: Path) -> None:
    meta, out = tmp_path / "meta.json", tmp_path / "submissions"
    submit = (
        "submit",
        runs["half"],
        "--vanilla",
        runs["vanilla"],
        "--base-run",
        runs["base"],
        "--meta",
        meta,
        "--out",
        out,
    )
    assert "no metadata file" in refused(2, *submit)
    meta.write_text('{"org": "../up", "model": "m", "division": "open"}')
    assert "org" in refused(1, *submit)
    assert not out.exists()
    meta.write_text('{"org": "lab", "model": "m", "division": "open"}')
    done = call(*submit)
    assert done.returncode == 0, done.stderr
    assert "pull request" in done.stdout
    assert call("validate", out).returncode == 0
    assert call("render", "--submissions", out, "--out", tmp_path / "site").returncode == 0
    assert (tmp_path / "site" / "index.html").is_file()
    file = next(out.rglob("submission.json"))
    file.write_text(file.read_text().replace('"reproduction"', '"reproductio"'))
    done = call("validate", out)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "no such path" in refused(2, "validate", tmp_path / "missing")


@pytest.mark.parametrize("command", ["build", "audit", "push", "train", "evaluate", "score", "render"])
def test_a_missing_option_is_a_usage_error(command: str) -> None:
    done = call(command)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
