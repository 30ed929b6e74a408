"""What ``train`` prints of its budget, and what it refuses before it trains."""

from pathlib import Path

import pytest

from ilp_bench.cli.console import console
from ilp_bench.cli.main import main
from ilp_bench.cli.training_table import curve, training_table
from ilp_bench.records import reference_record
from ilp_bench.records.training_record import CalibrationCheck, PhaseRecord, TrainingBudget, TrainingRecord

CHECKS = [CalibrationCheck(supervised=100 * n, p=p, loss=1.0) for n, p in ((1, 0.0), (2, None), (3, 0.5), (4, 1.0))]


def test_a_curve_has_a_bar_for_every_p_that_was_measured() -> None:
    assert curve(CHECKS) == "▁▅█ 0.00 at 100 tokens, 1.00 at 400"


@pytest.mark.parametrize(("source", "division"), [("calibration", "1x"), ("reference", "3x")])
def test_budget_tokens_and_curve_are_printed(source: str, division: str) -> None:
    phases = [
        PhaseRecord(
            name=name, kind=kind, examples=1, epochs=2, steps=3, tokens=6543, supervised=spent, loss=1.5, seconds=1.0
        )
        for name, kind, spent in (("knowledge", "cpt", None), ("stage 1", "sft", 1234))
    ]
    budget = TrainingBudget(division=division, tokens={"1": 1234}, total=1234, source=source)
    with console.capture() as capture:
        training_table(TrainingRecord(phases=phases, budget=budget, calibration={"1": CHECKS, "2": CHECKS[1:2]}))
    text = capture.get()
    row = next(line for line in text.splitlines() if line.startswith("stage 1"))
    assert row.split() == ["stage", "1", "2", "1,234", "6,543", "1.500"]
    assert "calibration p, stage 1: ▁▅█ 0.00 at 100 tokens" in text
    assert "stage 2" not in text  # nothing was measured there
    name, how = ("B", "found by calibration") if division == "1x" else ("3 B", "taken from vanilla")
    assert f"\n{name} = 1,234 supervised tokens (stage 1 1,234), {how}" in text


def test_what_cannot_be_trained_is_said_before_anything_is_loaded(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference_record, "references_path", lambda: tmp_path / "no references")
    call = ["ilp-bench", "train", "--base", "nano", "--data", str(data), "--out", str(tmp_path / "out"), "--recipe"]
    for words, message in (
        (["vanilla", "--division", "4x"], "unknown division '4x'. Known: 1x, 2x, 3x."),
        (["vanilla", "--division", "3x"], "vanilla in the division 3x needs a budget: train vanilla"),
        (["combined"], "combined needs a budget: train vanilla in the division 1x"),
        (
            ["combined", "--budget-from", str(tmp_path)],
            "is neither a checkpoint with a training record nor a run of one",
        ),
        (["more_epochs"], "the recipe 'more_epochs' is retired"),
    ):
        monkeypatch.setattr("sys.argv", [*call, *words])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
