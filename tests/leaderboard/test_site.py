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

import pytest
from board_entries import HOSTILE

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.leaderboard import build_cache, workers
from ilp_bench.leaderboard.data_files import read_data
from ilp_bench.leaderboard.formatting import (
    POINTS_AXIS,
    escape_formula,
    format_number,
    linked_parts,
    points,
    shade_class,
    short_count,
)
from ilp_bench.leaderboard.site import render
from ilp_bench.replication.attribution import read_results


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
def few(board_submissions: Path, tmp_path: Path) -> Path:
    """Three submissions on their own, to be changed."""
    for name in ("combined", "auto", "vanilla"):
        source = board_submissions / f"made-up__sample-1b-{name}-1x"
        shutil.copytree(source, tmp_path / "submissions" / source.name)
    return tmp_path / "submissions"


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_outside(board_site: Path) -> None:
    pages = {page: Page(page) for page in board_site.rglob("*.html")}
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
            assert target_file.is_relative_to(board_site.resolve())
            assert target_file.is_file(), (page, link)
            if fragment and "=" not in fragment:
                assert fragment in pages[board_site / target_file.relative_to(board_site.resolve())].ids, (
                    page,
                    link,
                )
    style = (board_site / "static" / "style.css").read_text()
    assert "://" not in style
    assert "@import" not in style


def test_every_entry_stands_on_the_front_page_with_its_interval(board_site: Path) -> None:
    text = " ".join(Page(board_site / "index.html").text.split())
    rows = (board_site / "index.html").read_text().split('<tr role="row" data-search=')[1:]
    shown = [entry for entry in entries(board_site) if entry["state"] != "withdrawn"]
    assert len(rows) == len(shown) == 21
    for entry in shown:
        (row,) = [row for row in rows if f"/{entry['page'].removeprefix('runs/')}" in row.split("</th>")[0]]
        low, high = (format_number(entry[f"reproduction_h_{end}"]) for end in ("low", "high"))
        assert f'<span class="big">{format_number(entry["reproduction_h_value"])}</span>' in row
        assert f"[{low}, {high}]" in row
        assert (f'<span class="place">{entry["rank"]}</span>' in row) == bool(entry["rank"])
    assert "1 withdrawn entry there" in text


def test_the_top_of_the_page_names_the_best_entry_that_was_run_again(board_site: Path) -> None:
    page = (board_site / "index.html").read_text()
    best = next(entry for entry in entries(board_site) if entry["rerun_public"] == "agrees")
    fact = page[page.index("The best entry that others stand for") :][:400]
    assert best["rank"] == 2
    assert "One above it was run by nobody but its submitters." in " ".join(fact.split())
    assert best["page"] in fact
    assert f">{format_number(best['reproduction_h_value'])} <small>" in page


def test_unlike_entries_are_never_ranked_together(board_site: Path) -> None:
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in entries(board_site):
        groups.setdefault(entry["group"], []).append(entry)
    assert len(groups) == 4
    for members in groups.values():
        assert len({(entry["base_sha256"], entry["division"], entry["data_size"]) for entry in members}) == 1
        ranks = [entry["rank"] for entry in members if entry["rank"]]
        assert ranks[0] == 1
        assert ranks == sorted(ranks)


def test_a_withdrawn_entry_keeps_its_page_and_stands_in_no_table(board_site: Path) -> None:
    entry = next(entry for entry in entries(board_site) if entry["model"] == "sample-1b-group-only-1x")
    assert (entry["state"], entry["rank"]) == ("withdrawn", None)
    page = run_page(board_site, entry["model"]).text
    assert "Withdrawn on 2026-11-21 by maintainer: trained on the probes" in page
    assert "it is withdrawn" in page
    for name in ("index", "recipes", "causes/data_inconsistency", "compare"):
        assert entry["page"] not in (board_site / f"{name}.html").read_text(), name
    changes = Page(board_site / "changes.html").text
    assert "withdrawn" in changes
    assert "all figures recomputed" in changes


def test_an_entry_that_is_not_ranked_says_why(board_site: Path) -> None:
    text = " ".join(run_page(board_site, "sample-1b-delete-only-open").text.split())
    assert "Why it is not ranked" in text
    assert "the control of knowledge gap fell" in text
    assert "its control fell too far" in text
    single = " ".join(run_page(board_site, "sample-1b-auto-open").text.split())
    assert "its intervals are of pairs only" in single
    assert "Intervals are of pairs only: they do not hold for other runs." in single


def test_an_entry_shows_the_numbers_of_its_scores(board_site: Path, board_submissions: Path) -> None:
    submission = json.loads(next(board_submissions.glob("made-up__sample-1b-auto-1x/*/submission.json")).read_text())
    page = next((board_site / "runs").glob("*__sample-1b-auto-1x__*.html")).read_text()
    text = " ".join(page.split())
    for kind in ("reproduction", "internalisation"):
        section = text[text.index(f"<h2>{kind.capitalize()}, cause by cause") :]
        section = section[: section.index("</section>")]
        for cause in submission["scores"][kind]["causes"]:
            row = section[section.index(f"causes/{cause['cause']}.html") :].split("</tr>")[0]
            wanted = [cause[role]["p"][arm] for role in ("vanilla", "submission") for arm in ("control", "treated")]
            wanted += [cause["points"]["value"], cause["points"]["low"], cause["control_change"]["value"]]
            for value in wanted:
                assert points(value) in row, (kind, cause["cause"], value)
            assert ">yes<" in row


def test_a_ranked_entry_says_of_its_controls_what_the_rule_says(board_site: Path) -> None:
    """A control may have fallen by more than five points, as long as chance does not rule that out."""
    text = " ".join(run_page(board_site, "sample-1b-auto-1x").text.split())
    assert "no control of a cause that counts fell by more than 5.0 points with an interval that excludes 0" in text


def test_a_rerun_is_told_in_words(board_site: Path) -> None:
    text = " ".join(run_page(board_site, "sample-1b-auto-1x").text.split())
    assert (
        "maintainer ran it again on 2026-11-20 (made up). On the public data it agrees: the largest difference" in text
    )
    vanilla_only = " ".join(run_page(board_site, "sample-1b-combined-1x").text.split())
    assert "agrees (0 of 3 submission runs, 3 of 3 vanilla runs)" in vanilla_only
    assert "Nobody has run the weights again yet" in run_page(board_site, "hostile").text


def test_markup_in_texts_is_shown_not_run(board_site: Path) -> None:
    page = run_page(board_site, "hostile")
    assert HOSTILE in page.text
    for file in board_site.rglob("*"):
        if file.suffix in (".html", ".js", ".xml"):
            assert "<script>alert" not in file.read_text(encoding="utf-8"), file


def test_a_cause_that_does_not_count_says_so(board_site: Path) -> None:
    at_3x = [entry for entry in entries(board_site) if entry["group"].endswith("-3x")]
    assert all(entry["reproduction_rare_patterns_counted"] is False for entry in at_3x)
    assert all(entry["reproduction_causes_counted"] < 5 for entry in at_3x)
    assert "less than 10" in run_page(board_site, "sample-1b-combined-3x").text
    front = " ".join(Page(board_site / "index.html").text.split())
    assert f"{at_3x[0]['reproduction_causes_counted']} of 5" in front


def test_downloads_agree(board_site: Path) -> None:
    rows = entries(board_site)
    sheet = list(csv.DictReader(io.StringIO((board_site / "downloads" / "entries.csv").read_text())))
    assert len(rows) == len(sheet) == 22
    for plain, line in zip(rows, sheet, strict=True):
        assert {key: "" if value is None else str(value) for key, value in plain.items()} == line


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_spreadsheet_runs_no_formula(start: str) -> None:
    assert escape_formula(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"
    assert escape_formula("plain") == "plain"
    assert escape_formula(-1.5) == -1.5


def test_the_feed_has_decisions_with_dates_and_whole_addresses(board_site: Path) -> None:
    items = list(ElementTree.parse(board_site / "feed.xml").getroot().iter("item"))
    titles = [item.findtext("title") or "" for item in items]
    assert titles[0].startswith("flagged: made-up / sample-1b-rare-upsampling")
    assert items[0].findtext("pubDate") == "Sat, 21 Nov 2026 00:00:00 +0000"
    assert all((item.findtext("link") or "").startswith("https://example.org/ilp/runs/") for item in items)
    assert len({item.findtext("guid") for item in items}) == len(items)


def test_a_changed_site_has_the_bytes_of_a_new_one(few: Path, tmp_path: Path) -> None:
    aside = next(few.glob("*auto-1x"))
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
    assert [folder.parent.name for folder in checked] == ["made-up__sample-1b-auto-1x"]
    render(few, tmp_path / "new")
    assert bytes_of(tmp_path / "site") == bytes_of(tmp_path / "new")


def test_a_site_of_which_nothing_changed_is_linked_over(few: Path, tmp_path: Path) -> None:
    render(few, tmp_path / "site")
    before = bytes_of(tmp_path / "site")
    page = next((tmp_path / "site" / "runs").glob("*.html"))
    made = page.stat().st_ino
    render(few, tmp_path / "site")
    assert bytes_of(tmp_path / "site") == before
    assert page.stat().st_ino == made


@pytest.mark.nightly
def test_processes_do_not_change_a_byte(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render(few, tmp_path / "one", workers=1)
    monkeypatch.setattr(workers, "FEWEST_FOR_WORKERS", 1)
    render(few, tmp_path / "two", workers=2)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_a_tampered_submission_is_refused_although_it_was_fine_before(few: Path, tmp_path: Path) -> None:
    render(few, tmp_path / "site")
    before = bytes_of(tmp_path / "site")
    file = next(few.glob("*auto-1x/*/submission.json"))
    content = json.loads(file.read_text())
    content["scores"]["reproduction"]["share"]["value"] += 0.1
    file.write_text(json.dumps(content))
    with pytest.raises(ProblemError, match="run_id is not the hash"):
        render(few, tmp_path / "site")
    assert bytes_of(tmp_path / "site") == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_other_files_are_not_overwritten(few: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not a site"):
        render(few, tmp_path / "home")
    with pytest.raises(UsageError, match="not a site"):
        render(few, tmp_path / "home" / "thesis.txt")
    with pytest.raises(UsageError, match="not a web address"):
        render(few, tmp_path / "site", url="javascript:alert(1)")


@pytest.mark.nightly
def test_a_kill_half_way_leaves_the_old_site(few: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    render(few, site)
    before = bytes_of(site)
    shutil.rmtree(next(few.glob("*auto-1x")))
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
    front = " ".join(Page(tmp_path / "site" / "index.html").text.split())
    assert "No entry on dataset 3 yet. The reference rows" in front
    assert "on dataset 2" not in front
    for name in ("delay", "claims", "diagnosis", "recipes", "compare", "archive", "changes", "causes/rare_patterns"):
        assert "et" in Page(tmp_path / "site" / f"{name}.html").text
    assert entries(tmp_path / "site") == []


def test_the_diagnosis_says_how_many_decoys_are_reported(board_site: Path) -> None:
    first = next(run for run in read_results().runs if run.decoys)
    numbers = (first.seed, first.decoys, *(f"{first.decoys_named[name]:.0f}" for name in ("signals", "rows")))
    cells = "".join(f'<td class="num">{number}</td>' for number in numbers)
    assert f"{first.base} ({first.size})</th>{cells}" in (board_site / "diagnosis.html").read_text(encoding="utf-8")


def test_data_files_are_read_back(board_site: Path) -> None:
    files = sorted((board_site / "compare").glob("*.js"))
    assert len(files) == 2
    for file in files:
        content = file.read_text()
        assert content.isascii()
        assert read_data(content)["entries"]


def test_numbers() -> None:
    assert format_number(-0.004) == "0.00"
    assert format_number(-0.126) == "\N{MINUS SIGN}0.13"
    assert format_number(0.2349956) == "0.23", "rounded once, as in docs/results.md"
    assert (format_number(0.235), format_number(0.125)) == ("0.24", "0.13"), "a half is rounded up"
    assert format_number(None) == format_number(float("nan")) == "not measured"
    assert (points(0.1234), points(-0.0004), points(None, "–")) == ("12.3", "0.0", "–")
    assert [short_count(number) for number in (None, 31, 27_100, 1_067_136, 1.24e9)] == [
        "not recorded", "31", "27.1 k", "1.07 M", "1.24 B"
    ]  # fmt: skip
    assert (
        POINTS_AXIS.percent(-9) == 0 < POINTS_AXIS.percent(0) < POINTS_AXIS.percent(0.2) < 100 == POINTS_AXIS.percent(9)
    )
    shades = [shade_class(value) for value in (None, -2, -0.06, -0.03, 0, 0.27, 1.2)]
    assert shades == ["none", "n3", "n1", "p0", "p0", "p5", "p9"]


def test_a_known_run_id_in_a_text_is_a_link() -> None:
    known, other = "0123456789abcdef", "fedcba9876543210"
    parts = linked_parts(f"see {known}, not {other} nor {known}{other}.", {known: "runs/a.html"})
    assert [part for part, page in parts if page] == [known]
    assert "".join(part for part, _ in parts) == f"see {known}, not {other} nor {known}{other}."
