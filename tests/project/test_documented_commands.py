"""Commands in the documentation exist, with the options that they are shown with; every command is documented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from ilp_bench.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
CALL = re.compile(r"(?<![\w/.-])(?:ilp-bench|-m ilp_bench) +([a-z][a-z-]+)([^`\n|#;]*)")


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def calls(page: Path) -> Iterator[tuple[str, set[str]]]:
    """(command, options) of every call on a page; a line that ends with a backslash goes on."""
    text = page.read_text().replace("\\\n", " ").replace("\\|", " ")
    for name, rest in CALL.findall(text):
        yield name, set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_documented_call_can_be_made(page: Path) -> None:
    known = commands()
    for name, options in calls(page):
        assert name in known, f"{page.name}: there is no command {name!r}"
        taken = {option for parameter in known[name].params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert options <= taken, f"{page.name}: {name} takes no {', '.join(sorted(options - taken))}"


def test_every_command_is_documented() -> None:
    assert {name for name, _ in calls(ROOT / "docs" / "commands.md")} == set(commands())


def test_calls_are_recognised() -> None:
    """So that the tests above look at something."""
    assert sum(1 for page in PAGES for _ in calls(page)) > 60
