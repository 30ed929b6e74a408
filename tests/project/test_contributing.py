"""The worked examples of CONTRIBUTING.md run as they stand, one after the other."""

from __future__ import annotations

import contextlib
import io
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ilp_bench.data.audit import audit
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import make
from ilp_bench.recipes import RECIPES

ROOT = Path(__file__).parents[2]


def blocks() -> list[tuple[str, str]]:
    """(heading, code) of every Python block."""
    found = []
    for section in re.split(r"^## ", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE)[1:]:
        for code in re.findall(r"^ *```python\n(.*?)^ *```", section, re.DOTALL | re.MULTILINE):
            found.append((section.splitlines()[0], textwrap.dedent(code)))
    return found


@pytest.fixture(scope="module")
def said() -> Iterator[dict[str, str]]:
    """What the blocks print, by heading."""
    names: dict[str, Any] = {"__name__": "contributing"}
    printed: dict[str, str] = {}
    try:
        with contextlib.chdir(ROOT):
            for heading, code in blocks():
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    exec(compile(code, f"CONTRIBUTING.md, {heading}", "exec"), names)
                printed[heading] = printed.get(heading, "") + out.getvalue()
        yield printed | {"data": names["data"]}
    finally:
        for registry, name in ((CAUSES, "long_names"), (RECIPES, "reversed_stages")):
            if name in registry:
                registry.unregister(name)


def test_every_section_has_an_example(said: dict[str, str]) -> None:
    assert set(said) - {"data"} == {"Add a cause", "Add a recipe", "Add a backend", "Release"}


def test_the_cause_makes_matched_pairs(said: dict[str, Any]) -> None:
    items = [row for row in said["data"].items.to_pylist() if row["cause"] == "long_names" and row["probe"] == "recall"]
    by_pair: dict[str, dict[str, Any]] = {}
    for row in items:
        by_pair.setdefault(row["pair_id"], {})[row["arm"]] = row
    assert len(by_pair) == 4
    for pair in by_pair.values():
        assert pair["treated"]["answer"] == pair["control"]["answer"]
        assert len(pair["treated"]["question"].split()) == 1 + len(pair["control"]["question"].split())
    assert len(said["Add a cause"].splitlines()) >= 2


def test_the_audit_finds_the_cause_and_no_confound(said: dict[str, Any]) -> None:
    assert [
        problem for problem in audit(make("mini", 0, causes=("long_names",))).problems if "prompt length" not in problem
    ] == []


def test_the_recipe_trains_the_earliest_stage_last(said: dict[str, str]) -> None:
    assert said["Add a recipe"].strip() == "['stage 4', 'stage 3', 'stage 2', 'stage 1']"


def test_the_backend_scores_every_token_alike(said: dict[str, str]) -> None:
    assert said["Add a backend"].strip() == "[ -6.90775528 -13.81551056] [1 2]"
