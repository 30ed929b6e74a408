"""Errors: one base class, and messages that also suit a caller from Python."""

import ast
import re
from pathlib import Path

import ilp_bench
from ilp_bench.core.errors import IlpBenchError, ProblemError, UsageError

PACKAGE = Path(ilp_bench.__file__).parent
OPTION = re.compile(r"(^|[\s('`])--[a-z]")


def test_both_errors_have_one_base() -> None:
    assert issubclass(UsageError, IlpBenchError)
    assert issubclass(ProblemError, IlpBenchError)


def test_only_the_command_line_names_its_options() -> None:
    """No text in a raise statement outside of the command line names an option such as ``--out``."""
    named = []
    for file in PACKAGE.rglob("*.py"):
        if PACKAGE / "cli" in file.parents:
            continue
        for statement in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(statement, ast.Raise):
                continue
            texts = [node.value for node in ast.walk(statement) if isinstance(node, ast.Constant)]
            found = [text for text in texts if isinstance(text, str) and OPTION.search(text)]
            named += [f"{file.relative_to(PACKAGE)}: {text}" for text in found if "python -m" not in text]
    assert not named
