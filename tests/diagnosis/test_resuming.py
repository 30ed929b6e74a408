"""A diagnosis that is killed goes on where it was, and one bad row among thousands ends nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from broken_trainings import plain_rows
from user_rows import write_lines

from ilp_bench.diagnosis.from_rows import diagnose_rows
from ilp_bench.diagnosis.question import Machine, Question

pytestmark = pytest.mark.slow
CPU = Machine(device="cpu", batch_size=4)


def killed_at(question: Question, out: Path, step: str, when: int) -> set[str]:
    """Diagnose in a process that ends without any clean-up at a step; returns the steps it did before."""
    reader, writer = os.pipe()
    if os.fork() == 0:

        def progress(what: str, done: int, total: int) -> None:
            os.write(writer, f"{what}\n".encode())
            if what == step and done >= when:
                os._exit(9)

        try:
            diagnose_rows(question, out, machine=CPU, progress=progress)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as lines:
        steps = set(lines.read().split("\n")) - {""}
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 9, f"it was not killed at {step}"
    return steps


def test_killed_at_any_step_it_goes_on_and_says_the_same(taught: Path, tmp_path: Path) -> None:
    lamps = plain_rows("lamp")[:3]  # never trained
    rows = [*plain_rows("box")[:8], *lamps, lamps[0] | {"completion": " violet\n"}]
    question = Question(str(taught), "nano", str(write_lines(tmp_path, rows)), sample=0)
    whole = diagnose_rows(question, tmp_path / "whole", machine=CPU)
    out = tmp_path / "report"
    assert killed_at(question, out, "ask the tuned model", 4) == {"ask the tuned model"}
    assert not out.exists()
    assert "ask otherwise" in killed_at(question, out, "ask otherwise", 6)
    with (tmp_path / "report.partial" / "probes.jsonl").open("a") as file:
        file.write('["ends", {"')  # as a kill in the middle of a line leaves it
    assert killed_at(question, out, "ask the base model", 4).isdisjoint({"ask the tuned model"})
    steps: list[str] = []
    resumed = diagnose_rows(question, out, machine=CPU, progress=lambda what, *_: steps.append(what))
    assert set(steps) == {"ask the base model", "ask otherwise"}
    assert resumed.rows == whole.rows
    assert resumed.report.model_dump(exclude={"seconds"}) == whole.report.model_dump(exclude={"seconds"})
    for name in ("next.jsonl", "changes.jsonl"):
        assert (out / name).read_text() == (tmp_path / "whole" / name).read_text()


def test_one_bad_row_among_ten_thousand(taught: Path, tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in plain_rows("box")]
    filler: list[Any] = [{"prompt": f"Question: {n}?\nAnswer:", "completion": f" {n % 7}\n"} for n in range(10_000)]
    lines += [json.dumps(row) for row in filler]
    lines[4000] = '{"prompt": "Question: 1'
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(lines) + "\n")
    question = Question(str(taught), "nano", str(file), sample=24)
    report = diagnose_rows(question, tmp_path / "report", machine=CPU).report
    assert report.rows == len(lines) - 1
    assert report.asked == 24
    assert report.learned.low <= report.learned.value <= report.learned.high
    (skipped,) = report.skipped.values()
    assert skipped.startswith("1 x")
    assert "4001" in skipped
