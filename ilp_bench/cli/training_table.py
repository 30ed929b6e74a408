"""What a training spent, and its calibration curve, on the console."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from ilp_bench.cli.console import console
from ilp_bench.records.training_record import CalibrationCheck, TrainingRecord

BARS = "▁▂▃▄▅▆▇█"


def training_table(training: TrainingRecord) -> None:
    """Print phases with their supervised tokens, the calibration curves, and the budget."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("phase", "epochs", "supervised", "tokens", "loss"):
        table.add_column(heading, justify="left" if heading == "phase" else "right", no_wrap=True)
    for phase in training.phases or ():
        supervised = "-" if phase.supervised is None else f"{phase.supervised:,}"
        table.add_row(phase.name, str(phase.epochs), supervised, f"{phase.tokens:,}", f"{phase.loss:.3f}")
    console.print(table)
    for stage, checks in (training.calibration or {}).items():
        if any(check.p is not None for check in checks):
            where = "all stages" if stage == "all" else f"stage {stage}"
            console.print(f"calibration p, {where}: {curve(checks)}", soft_wrap=True, highlight=False)
    if budget := training.budget:
        stages = ", ".join(f"stage {stage} {count:,}" for stage, count in budget.tokens.items())
        source = "found by calibration" if budget.source == "calibration" else "taken from vanilla"
        name = "B" if budget.division == "1x" else f"{budget.division.removesuffix('x')} B"
        console.print(
            f"{name} = {budget.total:,} supervised tokens ({stages}), {source}", soft_wrap=True, highlight=False
        )


def curve(checks: Sequence[CalibrationCheck]) -> str:
    """Bars of the p that were measured, from 0 to 1, and the first and last of them with their supervised tokens."""
    measured = [check for check in checks if check.p is not None]
    values = [check.p or 0.0 for check in measured]
    bars = "".join(BARS[min(int(value * len(BARS)), len(BARS) - 1)] for value in values)
    first, last = measured[0], measured[-1]
    return f"{bars} {values[0]:.2f} at {first.supervised:,} tokens, {values[-1]:.2f} at {last.supervised:,}"
