"""The published tables are what the committed submissions give."""

from pathlib import Path

import pytest

from ilp_bench.claims import families
from ilp_bench.reference import heat_map, inserted, page

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def found():
    return families(ROOT / "submissions")


def test_the_page_is_up_to_date(found) -> None:
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert inserted(text, page(found)) == text, "run scripts/results"


def test_the_pictures_are_up_to_date(found) -> None:
    assert found
    for (base, size), family in found.items():
        file = ROOT / "docs" / f"reference-{base}-{size}.svg"
        assert file.read_text(encoding="utf-8") == heat_map(family, f"{base}, {size}"), "run scripts/results"
