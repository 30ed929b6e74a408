"""What is generated from causes and recipes is current, and follows from the registries."""

from pathlib import Path

import pytest

from ilp_bench.catalog import generated, recipe_table, task_files, with_table
from ilp_bench.core.errors import ProblemError
from ilp_bench.data.causes import CAUSES
from ilp_bench.recipes import RECIPES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", sorted(generated(ROOT)), ids=lambda path: str(path.relative_to(ROOT)))
def test_generated_files_are_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generated(ROOT)[path], "write it with: python -m ilp_bench.catalog"


def test_no_task_file_of_a_cause_that_is_not_registered() -> None:
    folders = {path.name for path in (ROOT / "tasks").iterdir() if path.is_dir()}
    assert folders == set(CAUSES.names())
    assert {name.split("/")[0] for name in task_files() if "/" in name} == folders


def test_every_recipe_names_a_registered_cause_or_none() -> None:
    assert {recipe.cause for recipe in RECIPES if recipe.cause} == set(CAUSES.names())
    assert all(f"`{name}`" in recipe_table() for name in RECIPES.names())


def test_a_file_without_marks_is_one_clear_problem(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# No table here\n")
    with pytest.raises(ProblemError, match="no marks"):
        with_table(tmp_path / "README.md", "causes", "| |")
