"""What `scripts/test --fast` leaves out is never all that tests a package."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(file.parent.name for file in (ROOT / "ilp_bench").glob("*/__init__.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_fast_tests(package: str, request: pytest.FixtureRequest) -> None:
    if [Path(path).name for path in request.config.args] != ["tests"] or request.config.option.keyword:
        pytest.skip("only a run of all tests has collected those of every package")
    left_out = ("slow", "nightly")
    fast = [item for item in request.session.items if not any(map(item.get_closest_marker, left_out))]
    assert [item for item in fast if item.path.is_relative_to(ROOT / "tests" / package)]


def test_no_two_test_files_have_one_name() -> None:
    """Without packages, pytest imports test files by their names alone and collects nothing where two are the same."""
    names = [file.name for file in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
