"""The published tables are what the committed submissions give."""

import shutil
from pathlib import Path

import pytest

from ilp_bench.replication.reference_runs import families
from ilp_bench.replication.report import MAKER, heat_map, inserted, page
from ilp_bench.submission.decisions import Decision, decide
from ilp_bench.submission.format import read_submission

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found():
    return families(ROOT / "submissions")


@pytest.mark.slow
def test_the_page_is_up_to_date(found) -> None:
    text = (ROOT / "docs" / "results-dataset-2.md").read_text(encoding="utf-8")
    assert inserted(text, page(found), MAKER) == text, "run scripts/results"


def test_the_pictures_are_up_to_date(found) -> None:
    assert found
    for (base, size), family in found.items():
        file = ROOT / "docs" / f"reference-{base}-{size}.svg"
        assert file.read_text(encoding="utf-8") == heat_map(family, f"{base}, {size}"), "run scripts/results"


def test_what_was_withdrawn_does_not_count(tmp_path: Path) -> None:
    """A later submission with more seeds holds the runs of the one it supersedes."""
    kept, gone = sorted((ROOT / "submissions").glob("ilp-bench__nano-mini-combined/*"))[-1], tmp_path / "ilp-bench__x"
    shutil.copytree(kept, gone / kept.name)
    held = len(read_submission(kept).records)
    assert [len(recipes["combined"]) for recipes in families(tmp_path).values()] == [held]
    assert families(tmp_path, org="another") == {}  # nor does what others call by the name of a recipe
    entry = f"ilp-bench__x/{kept.name}"
    about = {"decision": "withdrawn", "reason": "superseded", "date": "2026-11-25", "by": "ilp-bench"}
    decide(tmp_path, Decision(run_id=kept.name, entry=entry, **about))
    assert families(tmp_path) == {}
