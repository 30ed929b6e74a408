"""A cause that another package registers has its place on the site, although no entry was measured on it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.data_files import read_data
from ilp_bench.leaderboard.site import render


@pytest.fixture
def few(board_submissions: Path, tmp_path: Path) -> Path:
    for name in ("combined", "vanilla"):
        source = board_submissions / f"made-up__sample-1b-{name}-1x"
        shutil.copytree(source, tmp_path / "submissions" / source.name)
    return tmp_path / "submissions"


def test_a_sixth_cause_gets_a_page_and_a_column(few: Path, sixth_cause: str, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert render(few, site) == 2
    page = (site / "causes" / f"{sixth_cause}.html").read_text()
    assert "Cause VI of VI" in page
    assert "Is it learned?" in page
    assert "A real pair" not in page
    assert "Six causes, six controls" in (site / "index.html").read_text()
    standings = next((site / "standings").glob("*.html")).read_text()
    assert standings.count('data-label="Sixth" data-sort=""><span class="void">no value</span>') == 2
    assert '<td class="none"><span class="void">no value</span></td>' in (site / "recipes.html").read_text()
    data = read_data(next((site / "compare").glob("*.js")).read_text())
    assert list(data["titles"]) == list(CAUSES.names())


def test_a_site_from_before_the_cause_was_registered_is_not_taken_over(
    few: Path, sixth_cause: str, tmp_path: Path
) -> None:
    site, sixth = tmp_path / "site", CAUSES.get(sixth_cause)
    render(few, site)
    before = json.loads((site / "build.json").read_text())
    CAUSES.unregister(sixth_cause)
    try:
        (tmp_path / "none" / "submissions").mkdir(parents=True)
        render(tmp_path / "none" / "submissions", site)
        after = json.loads((site / "build.json").read_text())
    finally:
        CAUSES.register(sixth)
    assert after["renderer"] != before["renderer"]
    assert after["checker"] != before["checker"]
    assert not (site / "causes" / f"{sixth_cause}.html").exists()
