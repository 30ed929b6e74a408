"""The tutorial from complaint to repair: its commands run as they stand, and print what it shows."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "complaint.md"
HEADLINE = re.compile(r"\d+ of \d+ answers are learned \([^)]*\)")


def commands() -> list[list[str]]:
    """The indented lines that are calls, in order; a line that ends with a backslash goes on."""
    lines = PAGE.read_text().replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith(("    python ", "    ilp-bench "))]


def run(words: list[str], folder: Path) -> str:
    program = [sys.executable, *(["-m", "ilp_bench"] if words[0] == "ilp-bench" else [])]
    script = [str(ROOT / word) if word.startswith("examples/") else word for word in words[1:]]
    done = subprocess.run([*program, *script], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr[-2000:]}"
    return done.stdout


def test_the_tutorial_has_three_trainings_and_three_diagnoses() -> None:
    """So that the test below looks at something."""
    assert [words[1].removeprefix("examples/complaint/") for words in commands()] == [
        "element_rows.py",
        *("finetune.py", "diagnose") * 3,
    ]


@pytest.mark.nightly
def test_its_commands_print_what_it_shows(tmp_path: Path) -> None:
    printed = [run(words, tmp_path) for words in commands()]
    shown = HEADLINE.findall(PAGE.read_text())
    assert len(shown) == 3
    assert HEADLINE.findall("".join(printed)) == shown
    first, second, third = (json.loads((tmp_path / f"report-{n}" / "report.json").read_text()) for n in (1, 2, 3))
    named = [[check["name"] for check in report["checks"] if check["state"] == "named"] for report in (first, second)]
    assert named == [["asked_otherwise"], []]
    assert first["explained"]
    assert [(cause["cause"], cause["rows"]) for cause in second["causes"]] == [("data_inconsistency", 6)]
    assert third["change"]["newly_learned"] == third["change"]["newly_lost"] == 0
    quoted = re.search(r'\{"row":15.*?\}', PAGE.read_text().replace("\n    ", " "))
    assert quoted
    assert json.loads(quoted[0]) in map(json.loads, (tmp_path / "report-2" / "changes.jsonl").read_text().splitlines())
