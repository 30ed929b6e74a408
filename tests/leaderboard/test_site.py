import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from synthetic import HOSTILE

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.leaderboard import build_cache
from ilp_bench.leaderboard.data_files import read_data
from ilp_bench.leaderboard.formatting import axis_percent, escape_formula, format_number, shade_class
from ilp_bench.leaderboard.site import render


class Page(HTMLParser):
    """Collects links, loaded files, ids, attributes that a strict policy forbids, and visible text."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.inline: list[str] = []
        self.text = ""
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if tag == "a" and name == "href":
                self.links.append(value or "")
            elif name in ("href", "src", "srcset", "data", "action"):
                self.loaded.append(value or "")
            elif name == "id":
                self.ids.append(value or "")
            elif name == "style" or name.startswith("on"):
                self.inline.append(f"{tag} {name}")

    def handle_data(self, data: str) -> None:
        self.text += data


def bytes_of(site: Path) -> dict[str, bytes]:
    return {str(path.relative_to(site)): path.read_bytes() for path in sorted(site.rglob("*")) if path.is_file()}


def entries(site: Path) -> list[dict[str, Any]]:
    return json.loads((site / "downloads" / "entries.json").read_text())


def run_page(site: Path, name: str) -> Page:
    return Page(next((site / "runs").glob(f"*__{name}__*.html")))


@pytest.fixture
def few(synthetic_submissions: Path, tmp_path: Path) -> Path:
    """Three submissions on their own, to be changed."""
    for name in ("combined", "auto", "vanilla"):
        source = synthetic_submissions / f"synthetic__llama-{name}"
        shutil.copytree(source, tmp_path / "submissions" / source.name)
    return tmp_path / "submissions"


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_outside(synthetic_site: Path) -> None:
    pages = {page: Page(page) for page in synthetic_site.rglob("*.html")}
    for page, content in pages.items():
        assert content.inline == [], page
        assert len(content.ids) == len(set(content.ids)), page
        for link in content.loaded:
            assert "://" not in link
            assert (page.parent / link).is_file(), (page, link)
        for link in content.links:
            if link.startswith("https://"):
                continue
            target, _, fragment = link.partition("#")
            target_file = (page.parent / target).resolve() if target else page.resolve()
            assert target_file.is_relative_to(synthetic_site.resolve())
            assert target_file.is_file(), (page, link)
            if fragment and "=" not in fragment:
                assert fragment in pages[synthetic_site / target_file.relative_to(synthetic_site.resolve())].ids, (
                    page,
                    link,
                )
    style = (synthetic_site / "static" / "style.css").read_text()
    assert "://" not in style
    assert "@import" not in style


def test_every_entry_stands_on_the_front_page_with_its_interval(synthetic_site: Path) -> None:
    text = Page(synthetic_site / "index.html").text
    for entry in entries(synthetic_site):
        assert entry["model"] in text
        if entry["rank"]:
            assert f"{format_number(entry['overall_value'])}[{format_number(entry['overall_low'])}" in text


def test_unlike_entries_are_never_ranked_together(synthetic_site: Path) -> None:
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in entries(synthetic_site):
        groups.setdefault(entry["group"], []).append(entry)
    assert len(groups) == 3
    for members in groups.values():
        assert len({(entry["base_sha256"], entry["division"], entry["data_seeds"]) for entry in members}) == 1
        ranks = [entry["rank"] for entry in members if entry["rank"]]
        assert ranks[0] == 1
        assert ranks == sorted(ranks)


def test_a_withdrawn_entry_stays_marked_and_unranked(synthetic_site: Path) -> None:
    entry = next(entry for entry in entries(synthetic_site) if entry["model"] == "llama-delete-only")
    assert (entry["state"], entry["rank"]) == ("withdrawn", None)
    assert (
        "Withdrawn on 2026-11-29 by maintainer: trained on the probes" in run_page(synthetic_site, entry["model"]).text
    )
    changes = Page(synthetic_site / "changes.html").text
    assert "withdrawn" in changes
    assert "all figures recomputed" in changes


def test_claimed_recomputed_and_rerun_stand_side_by_side(synthetic_site: Path) -> None:
    text = " ".join(run_page(synthetic_site, "llama-auto").text.split())
    assert "ClaimedRecomputedRe-run, public dataRe-run, unseen seed" in text
    assert "Re-run by maintainer on 2026-11-20 (synthetic): public data agrees, largest difference in p 2e-05" in text
    assert "nats" not in text  # what a re-run compares are probabilities, not log-probabilities
    assert "Nobody has run the weights again yet" in run_page(synthetic_site, "llama-combined").text


def test_markup_in_texts_is_shown_not_run(synthetic_site: Path) -> None:
    page = run_page(synthetic_site, "hostile")
    assert HOSTILE in page.text
    for file in synthetic_site.rglob("*"):
        if file.suffix in (".html", ".js", ".xml"):
            assert "<script>alert" not in file.read_text(encoding="utf-8"), file


def test_not_expressed_and_missing_are_not_zero(few: Path, tmp_path: Path) -> None:
    from synthetic import make_submissions

    make_submissions(few, 1, start=24)  # the first on a base model without a conflict
    render(few, tmp_path / "site")
    entry = next(entry for entry in entries(tmp_path / "site") if entry["model"] == "olmo2-combined")
    assert entry["knowledge_conflict_status"] == "not expressed"
    assert entry["knowledge_conflict_value"] is None
    assert entry["overall_value"] is None
    assert entry["rank"] is None
    text = run_page(tmp_path / "site", "olmo2-combined").text
    assert "conflict with pre-training knowledge is not expressed; an overall needs all five causes" in text
    assert "not measured" not in text
    assert "not expressed" in Page(tmp_path / "site" / "index.html").text


def test_downloads_agree(synthetic_site: Path) -> None:
    rows = entries(synthetic_site)
    table = pq.read_table(synthetic_site / "downloads" / "entries.parquet").to_pylist()
    sheet = list(csv.DictReader(io.StringIO((synthetic_site / "downloads" / "entries.csv").read_text())))
    assert len(rows) == len(table) == len(sheet) == 15
    for plain, row, line in zip(rows, table, sheet, strict=True):
        assert plain == row
        assert {key: "" if value is None else str(value) for key, value in plain.items()} == line


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_spreadsheet_runs_no_formula(start: str) -> None:
    assert escape_formula(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"
    assert escape_formula("plain") == "plain"
    assert escape_formula(-1.5) == -1.5


def test_the_feed_has_decisions_with_dates_and_whole_addresses(synthetic_site: Path) -> None:
    items = list(ElementTree.parse(synthetic_site / "feed.xml").getroot().iter("item"))
    titles = [item.findtext("title") or "" for item in items]
    assert titles[0] == "withdrawn: synthetic / llama-delete-only"
    assert items[0].findtext("pubDate") == "Sun, 29 Nov 2026 00:00:00 +0000"
    assert all((item.findtext("link") or "").startswith("https://example.org/ilp/runs/") for item in items)
    assert len({item.findtext("guid") for item in items}) == len(items)


def test_a_changed_site_has_the_bytes_of_a_new_one(few: Path, tmp_path: Path) -> None:
    aside = next(few.glob("*auto"))
    aside.rename(tmp_path / aside.name)
    render(few, tmp_path / "site")
    (tmp_path / aside.name).rename(aside)
    checked: list[Path] = []
    whole = build_cache.check
    build_cache.check = lambda folder: checked.append(folder) or whole(folder)
    try:
        render(few, tmp_path / "site")
    finally:
        build_cache.check = whole
    assert [folder.parent.name for folder in checked] == ["synthetic__llama-auto"]
    render(few, tmp_path / "new")
    assert bytes_of(tmp_path / "site") == bytes_of(tmp_path / "new")


@pytest.mark.slow
def test_processes_do_not_change_a_byte(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render(few, tmp_path / "one", workers=1)
    monkeypatch.setattr(build_cache, "FEWEST_FOR_WORKERS", 1)
    render(few, tmp_path / "two", workers=2)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_a_tampered_submission_is_refused_although_it_was_fine_before(few: Path, tmp_path: Path) -> None:
    render(few, tmp_path / "site")
    before = bytes_of(tmp_path / "site")
    file = next(few.glob("*auto/*/submission.json"))
    content = json.loads(file.read_text())
    content["scores"]["overall"]["value"] += 0.1
    file.write_text(json.dumps(content))
    with pytest.raises(ProblemError, match="run_id is not the hash"):
        render(few, tmp_path / "site")
    assert bytes_of(tmp_path / "site") == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_other_files_are_not_overwritten(few: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="no site"):
        render(few, tmp_path / "home")
    with pytest.raises(UsageError, match="no site"):
        render(few, tmp_path / "home" / "thesis.txt")
    with pytest.raises(UsageError, match="no web address"):
        render(few, tmp_path / "site", url="javascript:alert(1)")


@pytest.mark.slow
def test_a_kill_half_way_leaves_the_old_site(few: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    render(few, site)
    before = bytes_of(site)
    shutil.rmtree(next(few.glob("*auto")))
    words = [sys.executable, "-m", "ilp_bench", "render", "--submissions", str(few), "--out", str(site)]
    process = subprocess.Popen(words, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    draft = tmp_path / f".site.{process.pid}.tmp" / "causes"
    for _ in range(600):
        if draft.exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert draft.exists(), "it was not killed half-way"
    assert bytes_of(site) == before
    assert render(few, site) == 2
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_no_submission_is_a_site_too(tmp_path: Path) -> None:
    (tmp_path / "submissions").mkdir()
    assert render(tmp_path / "submissions", tmp_path / "site") == 0
    assert "No submissions yet" in Page(tmp_path / "site" / "index.html").text
    assert entries(tmp_path / "site") == []


def test_data_files_are_read_back(synthetic_site: Path) -> None:
    for file in (synthetic_site / "standings").glob("*.js"):
        content = file.read_text()
        assert content.isascii()
        assert read_data(content)["rows"]


def test_numbers() -> None:
    assert format_number(-0.004) == "0.00"
    assert format_number(-0.126) == "\N{MINUS SIGN}0.13"
    assert format_number(None) == format_number(float("nan")) == "not measured"
    assert axis_percent(-9) == 0 <= axis_percent(0) < axis_percent(1) <= 100 == axis_percent(9)
    shades = [shade_class(value) for value in (None, -2, -0.1, 0, 0.54, 1.2)]
    assert shades == ["none", "n3", "n1", "p0", "p5", "p9"]
