"""``--help``: commands in groups, each with an example that can be parsed, and consistent names of options."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ilp_bench.cli.main import app
from ilp_bench.cli.options import DATA, DIAGNOSIS, LEADERBOARD, MODELS, START

ROOT: Any = typer.main.get_command(app)
GROUPS = {
    START: ["quickstart", "doctor"],
    DATA: ["build", "import", "export", "audit", "push"],
    MODELS: ["train", "evaluate"],
    DIAGNOSIS: ["score", "diagnose"],
    LEADERBOARD: ["submit", "validate", "table", "share", "render", "verify", "decide", "reference"],
}
COMMANDS = [name for names in GROUPS.values() for name in names]


def example_of(name: str) -> list[str]:
    """The words of the example in a command's help, without ``ilp-bench``."""
    program, *words = shlex.split(ROOT.commands[name].epilog.splitlines()[-1])
    assert program == "ilp-bench"
    return words


def test_commands_stand_under_their_group() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    groups: dict[str, list[str]] = {}
    for line in shown.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            title = line[:-1]
            groups[title] = []
        elif line.startswith("  ") and line[2:3].strip() and line.split()[0] in ROOT.commands:
            groups[title].append(line.split()[0])
    groups.pop("Options")
    assert groups == GROUPS
    assert set(COMMANDS) == set(ROOT.commands)
    assert "..." not in shown.partition("[ARGS]...")[2]  # no line is cut off


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_an_example_that_can_be_parsed(name: str) -> None:
    shown = CliRunner().invoke(app, [name, "--help"]).output.rstrip().splitlines()
    assert shown[-2].strip() == "Example:"
    words = example_of(name)
    assert shown[-1].strip() == ROOT.commands[name].epilog.splitlines()[-1].strip()
    assert words[0] == name
    ROOT.commands[name].make_context(name, words[1:])  # raises for an option or argument that is not there


def test_options_of_one_name_have_one_help_text() -> None:
    """What recurs is declared once; ``--out`` and ``--data`` say what each command writes or reads."""
    texts: dict[str, set[str]] = {}
    for command in ROOT.commands.values():
        for parameter in command.params:
            assert parameter.help, (command.name, parameter.name)
            for option in parameter.opts:
                texts.setdefault(option, set()).add(parameter.help)
    for option in ("--device", "--trust-remote-code", "--vanilla"):
        assert len(texts[option]) == 1, option
    assert not [option for option in texts if option.startswith("--") and "_" in option]


def test_old_names_of_options_still_work_and_are_not_shown() -> None:
    train = ROOT.commands["train"]
    words = ["--base", "nano", "--recipe", "vanilla", "--data", ".", "--out", "x"]
    old = train.make_context("train", [*words, "--rate", "0.5", "--general", "text.txt"]).params
    new = train.make_context("train", [*words, "--learning-rate", "0.5", "--replay-corpus", "text.txt"]).params
    assert old == new
    assert 0.5 in new.values()
    shown = CliRunner().invoke(app, ["train", "--help"]).output
    assert "--rate" not in shown
    assert "--general" not in shown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["train"], "Missing option '--base'. See"),
        (["score", "--foo"], "--foo"),
        (["build", "--out", "x", "--seed", "-1"], "--seed"),
    ],
)
def test_a_call_that_cannot_be_parsed_is_one_line(words: list[str], says: str) -> None:
    done = subprocess.run([sys.executable, "-m", "ilp_bench", *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert "--help'" in done.stderr
