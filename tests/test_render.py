from html.parser import HTMLParser
from pathlib import Path

import pytest

from ilp_bench.errors import ProblemError, UsageError
from ilp_bench.record import Runs, read_run
from ilp_bench.render import position, render
from ilp_bench.submission import Meta, submit


class Page(HTMLParser):
    """Collects links, scripts and visible text."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def submissions(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("submissions")
    base, vanilla, half = (read_run(runs[name]) for name in ("base", "vanilla", "half"))
    submit([Runs(vanilla, vanilla, base)], Meta(org="lab", model="plain", division="open"), out)
    wicked = Meta(org="lab", model="half", division="open", description="<script>alert(1)</script> & more")
    submit([Runs(half, vanilla, base)], wicked, out)
    return out


def test_the_site_is_whole_and_links_stay_inside(submissions: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert render(submissions, site) == 2
    pages = sorted(site.rglob("*.html"))
    assert len(pages) == 1 + 2 + 5
    for page in pages:
        found = Page(page)
        assert "script" not in found.tags
        for link in found.links:
            if not link.startswith("#"):
                assert "://" not in link
                assert (page.parent / link).resolve().is_relative_to(site.resolve())
                assert (page.parent / link).exists(), link


def test_the_index_ranks_by_recovery_and_shows_intervals(submissions: Path, tmp_path: Path) -> None:
    render(submissions, tmp_path / "site")
    text = Page(tmp_path / "site" / "index.html").text
    assert text.index("lab, recipe combined") < text.index("lab, recipe vanilla")
    assert "0.00 [0.00, 0.00]" in text


def test_markup_in_text_fields_is_shown_not_run(submissions: Path, tmp_path: Path) -> None:
    render(submissions, tmp_path / "site")
    page = next((tmp_path / "site" / "runs").glob("*half*"))
    assert "<script>alert(1)</script> & more" in Page(page).text


def test_rendering_again_replaces_the_site_with_the_same_bytes(submissions: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    render(submissions, site)
    first = {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    (site / "stale.html").write_text("old")
    render(submissions, site)
    assert {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()} == first


def test_other_files_are_not_overwritten_and_bad_submissions_not_shown(submissions: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="no site"):
        render(submissions, tmp_path / "home")
    broken = tmp_path / "submissions"
    (broken / "a__b" / "c").mkdir(parents=True)
    (broken / "a__b" / "c" / "submission.json").write_text("{}")
    with pytest.raises(ProblemError):
        render(broken, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_positions_stay_on_the_axis() -> None:
    assert position(-9) == 0 <= position(0) < position(1) <= 100 == position(9)
