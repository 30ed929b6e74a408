"""A cause that another package registers has its place on the site, although no entry was measured on it."""

from __future__ import annotations

import json
from pathlib import Path

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.data_files import StandingRow, read_data
from ilp_bench.leaderboard.site import render


def test_a_sixth_cause_gets_a_page_a_column_and_the_word_missing(six_causes: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert render(six_causes, site) == 2
    page = (site / "causes" / "sixth_cause.html").read_text()
    assert "Cause VI of VI" in page
    assert "Is it learned?" in page
    assert "A real pair" not in page
    front = (site / "index.html").read_text()
    assert "Six causes, six controls" in front
    assert "injects six causes" in front
    assert front.count('<th scope="col" role="columnheader" data-key="sixth_cause">Sixth</th>') == 1
    assert front.count('data-label="Sixth"><span class="chip missing">missing</span>') == 2
    for page in (site / "runs").glob("*.html"):
        assert "not measured" in page.read_text()
        assert "an overall needs" not in page.read_text(), "the paper's five causes suffice"


def test_the_data_files_name_a_sixth_cause_and_its_stream(six_causes: Path, tmp_path: Path) -> None:
    render(six_causes, tmp_path / "site")
    data = read_data(next((tmp_path / "site" / "standings").glob("*.js")).read_text())
    assert [cause["name"] for cause in data["causes"]] == list(CAUSES.names())
    assert [cause["stream"] for cause in data["causes"]][:5] == [0, 1, 2, 3, 4]
    assert data["causes"][5]["stream"] > 100
    assert data["fields"] == list(StandingRow._fields)
    for values in data["rows"]:
        row = StandingRow(*values)
        assert len(row.causes) == 6
        assert row.causes[5] is None
        assert row.overall != 0


def test_a_site_from_before_the_cause_was_registered_is_not_taken_over(six_causes: Path, tmp_path: Path) -> None:
    site, sixth = tmp_path / "site", CAUSES.get("sixth_cause")
    render(six_causes, site)
    before = json.loads((site / "build.json").read_text())
    CAUSES.unregister(sixth.name)
    try:
        (tmp_path / "none" / "submissions").mkdir(parents=True)
        render(tmp_path / "none" / "submissions", site)
        after = json.loads((site / "build.json").read_text())
    finally:
        CAUSES.register(sixth)
    assert after["renderer"] != before["renderer"]
    assert after["checker"] != before["checker"]
    assert not (site / "causes" / "sixth_cause.html").exists()
