"""Every command in the README, run as it stands on nano: BASE, YOURS and ORG names are filled in, nothing else."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from ilp_bench.cli.main import main
from ilp_bench.data.dataset import load
from ilp_bench.data.formats import export

README = Path(__file__).parents[2] / "README.md"
OTHER_TOOLS = {"git", "scripts/quickstart", "lm_eval"}  # tests/cli/test_quickstart.py, tests/evaluation run them


def commands() -> list[list[str]]:
    """The words of each line of the README's code blocks that is a command, in order."""
    lines = re.findall(r"^    ((?:ilp-bench|git|scripts/|lm_eval) ?.*)$", README.read_text(), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_every_command_is_one_that_a_test_runs() -> None:
    assert {words[0] for words in commands()} - {"ilp-bench"} <= OTHER_TOOLS
    names = [words[1] for words in commands() if words[0] == "ilp-bench"]
    assert {"build", "train", "evaluate", "score", "submit", "diagnose"} == set(names)


@pytest.mark.nightly
def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    text = re.search(r"`(\{\"org\".*?\})`", README.read_text())
    assert text
    Path("meta.json").write_text(json.dumps(json.loads(text[1])))
    calls = [words for words in commands() if words[0] == "ilp-bench"]
    calls.sort(key=lambda words: "--rows" in words)  # the report of a checkpoint comes last: here it must be made first
    for words in calls:
        filled = ["nano" if word == "BASE" else word for word in words]
        if "--rows" in filled:
            export(load("DATA"), "prompt-completion", Path("train.jsonl"))
            filled += ["--sample", "40"]
        monkeypatch.setattr(sys, "argv", filled)
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code, f"{' '.join(filled)}: {capsys.readouterr().err}"
        shown = capsys.readouterr().out
        assert "Next" in shown or "index.html" in shown, f"{' '.join(filled)} does not say what comes next"
    assert Path("report/index.html").is_file()
