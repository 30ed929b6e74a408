"""The one command: its exit codes, what it prints, and an earlier report to compare with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from broken_trainings import plain_rows
from typer.testing import CliRunner
from user_rows import write_lines

from ilp_bench.cli.main import app
from ilp_bench.core.errors import UsageError


@pytest.mark.slow
def test_it_fails_under_a_share_and_compares_with_an_earlier_report(taught: Path, tmp_path: Path) -> None:
    unknown = [row | {"completion": f" number {n}\n"} for n, row in enumerate(plain_rows("lamp")[:8])]
    file = write_lines(tmp_path, [*plain_rows("box")[:8], *unknown])

    def diagnose(out: str, *more: str) -> subprocess.CompletedProcess[str]:
        words = ["--model", str(taught), "--base", "nano", "--rows", str(file), "--sample", "0", "--device", "cpu"]
        call = [sys.executable, "-m", "ilp_bench", "diagnose", *words, "--out", out, *more]
        return subprocess.run(call, cwd=tmp_path, capture_output=True, text=True)

    first = diagnose("first", "--fail-under", "0.5")
    assert first.returncode == 0, first.stderr
    assert "8 of 16 answers are learned" in first.stdout
    assert f"ilp-bench diagnose --model NEW --base nano --rows {file}" in first.stdout
    second = diagnose("second", "--fail-under", "0.6", "--json", "--baseline", "first")
    assert second.returncode == 1
    assert "8 of 16 answers are learned (0.50; all were asked); that is under --fail-under 0.6" in second.stderr
    report = json.loads(second.stdout)
    assert report["learned"]["value"] == 0.5
    change = report["change"]
    assert (change["common"], change["newly_learned"], change["newly_lost"]) == (16, 0, 0)
    third = diagnose("third", "--baseline", "nowhere")
    assert third.returncode == 2
    assert "nowhere is not a report" in third.stderr
    assert not (tmp_path / "third.partial").exists()  # said before the models are asked


@pytest.mark.parametrize(
    ("wrong", "says"),
    [(("--base", "nope"), "no model 'nope'"), (("--base", "nano", "--held-out", "none.jsonl"), "none.jsonl is not a")],
)
def test_what_is_not_there_is_said_before_a_model_is_asked(tmp_path: Path, wrong: tuple[str, ...], says: str) -> None:
    """And nothing is left that a call with the right name would be refused for."""
    file = write_lines(tmp_path, plain_rows("box")[:10])
    call = ["diagnose", "--model", "nano", "--rows", str(file), "--out", str(tmp_path / "report"), *wrong]
    done = CliRunner().invoke(app, call)
    assert isinstance(done.exception, UsageError)
    assert says in str(done.exception)
    assert not (tmp_path / "report.partial").exists()


def test_all_that_is_missing_of_a_call_is_named() -> None:
    done = CliRunner().invoke(app, ["diagnose", "--model", "nano", "--base", "nano"])
    assert str(done.exception).startswith("--rows, --out are missing: give --model, --base, --rows and --out")
