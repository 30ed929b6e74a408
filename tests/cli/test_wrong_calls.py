"""A folder of another kind, a misspelt word, something left out: one line that says what it is and what to give."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from conftest import by_arm, make_run
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

from ilp_bench.cli.main import main
from ilp_bench.cli.next_steps import next_after_diagnosis, next_after_run, next_after_score
from ilp_bench.core.folder_kind import KINDS, what_it_is
from ilp_bench.core.hub import hub_reason
from ilp_bench.data.dataset import Dataset
from ilp_bench.scoring.low_probability import low_probability


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one empty file of each kind of folder, and metadata with two mistakes."""
    for name, kind in KINDS.items():
        folder = tmp_path / kind.split()[1]
        folder.mkdir()
        (folder / name).write_text("{}")
    (tmp_path / "meta.json").write_text(json.dumps({"org": "lab", "model": "m m", "division": "Open"}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("evaluate --model nano --data run --out x", "run is not a dataset: it is a run; give the folder that"),
        ("evaluate --model nano --data meta.json --out x", "meta.json is not a dataset: it is a file"),
        ("score model", "model is not a run: it is a model; give the folder that 'ilp-bench evaluate' wrote"),
        ("score nowhere", "nowhere is not a run: it does not exist"),
        ("share run", "run is not a submission: it is a run; give the folder of one entry"),
        ("decide run accepted --reason x", "run is not a submission"),
        ("verify dataset --model nano", "dataset is not a submission: it is a dataset"),
        ("train --base nano --recipe vanilla --data dataset --division 4x --out x", "unknown division '4x'. Known: 1x"),
        ("reference lsit", "reference has no action 'lsit'. Did you mean 'list'?"),
        ("diagnose run --data dataset", "--base-run is missing"),
        ("diagnose --model nano --rows meta.json --out x", "--base is missing"),
        ("diagnose run --model nano", "give a run, or --model and --rows, not both"),
        ("push datasets --data dataset --dry-run x", "dataset"),
    ],
)
def test_a_wrong_call_is_one_line(
    call: str, message: str, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ilp-bench", *call.split()])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(("error: ", "problem: "))
    assert message in line


def test_what_a_path_is(desk: Path) -> None:
    assert what_it_is(desk) == "it is a folder of other files"
    assert what_it_is(desk / "site") == "it is a site"


def test_the_hub_in_plain_words() -> None:
    assert "cannot be reached" in hub_reason(LocalEntryNotFoundError("[Errno -2] Name or service not known"))
    assert "switched off" in hub_reason(OfflineModeIsEnabled("x"))
    assert hub_reason(ValueError("first\nsecond")) == "first"


def test_a_model_on_other_data_than_it_was_trained_on_is_said(mini: Dataset) -> None:
    training = {"recipe": "vanilla", "data": {"size": "mini", "seed": 1, "version": "3", "content_sha256": "0" * 64}}
    run = make_run(mini, "vanilla", by_arm(0.1, 0.8), training=training)
    assert "trained on another dataset (mini, seed 1)" in (low_probability(run) or "")
    assert low_probability(make_run(mini, "vanilla", by_arm(0.1, 0.8))) is None


def test_each_command_says_what_comes_next(mini: Dataset, base_run: object, capsys: pytest.CaptureFixture[str]) -> None:
    tuned, base = make_run(mini, "vanilla", by_arm(0.1, 0.8)), make_run(mini, None, by_arm(0, 0))
    next_after_run(tuned, "CKPT", Path("DATA"), Path("runs/x"))
    assert "ilp-bench score runs/x" in capsys.readouterr().out
    next_after_run(base, "nano", Path("DATA"), Path("runs/base"))
    assert "ilp-bench train --base nano" in capsys.readouterr().out
    next_after_score([Path("a")], [Path("v")], [])
    assert "ilp-bench submit a --vanilla v --meta meta.json" in capsys.readouterr().out
    next_after_diagnosis(tuned, base, Path("DATA"))
    assert "--recipe RECIPE --data DATA" in capsys.readouterr().out
