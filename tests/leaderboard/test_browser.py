"""The site in a real browser. Chromium is found as CHROMIUM or on the PATH (scripts/browser installs it on Debian)."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from ilp_bench.leaderboard import pages
from ilp_bench.leaderboard.data_files import read_data
from ilp_bench.leaderboard.entry import read_entry
from ilp_bench.leaderboard.ranking import Group, groups
from ilp_bench.leaderboard.site import render
from ilp_bench.leaderboard.stored_rates import from_json
from ilp_bench.submission.decisions import read_decisions

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: run scripts/browser, or set CHROMIUM to its path"),
    pytest.mark.xdist_group("browser"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def site(synthetic_submissions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose front page shows few rows of each table, so that the others come from data files."""
    out = tmp_path_factory.mktemp("browser") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "FRONT_ROWS", 15)
        render(synthetic_submissions, out)
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Visit:
    """Pages of a site from the disk; remembers requests that leave its folder, and whatever the console says."""

    def __init__(self, context: BrowserContext, site: Path) -> None:
        self.site, self.page = site, context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("requestfailed", lambda request: self._failed(request.url, request.failure or ""))

    def _asked(self, url: str) -> None:
        if not url.startswith(self.site.as_uri() + "/"):
            self.complaints.append(f"left the folder: {url}")

    def _failed(self, url: str, why: str) -> None:
        if why != "net::ERR_ABORTED":  # the next page was opened before this one had all its files
            self.complaints.append(f"failed: {url}: {why}")

    def open(self, name: str) -> Page:
        self.page.goto(f"{self.site.as_uri()}/{name}")
        return self.page

    def until(self, condition: str) -> None:
        """Wait until something holds; asked from outside, because the pages' policy forbids to evaluate strings."""
        for _ in range(200):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"it never held that {condition}")

    def rows(self, table: int = 0) -> list[str]:
        return self.page.locator("table.board").nth(table).locator("tbody tr:visible .who a").all_inner_texts()


@pytest.fixture
def visit(browser: Browser, site: Path) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    visit = Visit(context, site)
    yield visit
    context.close()
    assert visit.complaints == []


@pytest.fixture(scope="module")
def ranked(synthetic_submissions: Path, site: Path) -> list[Group]:
    decided = read_decisions(synthetic_submissions).history
    folders = sorted(path.parent for path in synthetic_submissions.glob("*/*/submission.json"))
    entries = [
        read_entry(folder, [decision for decision in decided if decision.run_id == folder.name]) for folder in folders
    ]
    data = {entry.slug: read_data((site / "runs" / f"{entry.slug}.js").read_text()) for entry in entries}
    return groups(entries, {slug: from_json(rates) for slug, rates in data.items()})


def kinds(site: Path) -> list[str]:
    """One page of every kind."""
    pages_of_all = [
        "index",
        "recipes",
        "items",
        "compare",
        "data",
        "method",
        "submit",
        "changes",
        "causes/rare_patterns",
    ]
    names = [f"{name}.html" for name in pages_of_all]
    for pattern in ("runs/*auto*.html", "runs/*delete*.html", "standings/*.html", "items/*/left_side_forgetting.html"):
        names.append(str(sorted(site.glob(pattern))[0].relative_to(site)))
    return names


def test_no_page_breaks_an_accessibility_rule_or_the_width_of_a_phone(browser: Browser, site: Path) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    visit, axe, wrong = Visit(context, site), Axe(), []
    options = {
        "preload": False,
        "resultTypes": ["violations"],
        "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
    for name in kinds(site):
        page = visit.open(name)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        # Colours are the same on every page, so the dark ones are looked at where most of them are.
        both = name.startswith(("index", "causes/")) or "auto" in name
        for scheme, width in (("light", 1280), ("dark", 360)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 800})
            across = page.evaluate("document.documentElement.scrollWidth")
            if across > width:
                wrong.append(f"{name} is {across} wide at {width}")
            if scheme == "dark" and not both:
                continue
            for rule in axe.run(page, options=options).response["violations"]:
                places = [node["target"][0] for node in rule["nodes"][:3]]
                wrong.append(f"{name}, {scheme}, {width}: {rule['id']}: {places}")
    context.close()
    assert wrong + visit.complaints == []


def test_sorting_moves_rows_says_so_and_puts_the_unranked_last(visit: Visit) -> None:
    page = visit.open("index.html")
    before = visit.rows()
    head = page.locator("table.board").first.locator("th[data-key=left_side_forgetting]")
    head.get_by_role("button").click()
    visit.until("location.hash === '#sort=left_side_forgetting'")
    visit.until("document.querySelector('table.board tbody .who a').textContent.includes('resampling')")
    assert head.get_attribute("aria-sort") == "ascending"
    assert len(visit.rows()) == 11 > len(before)
    head.get_by_role("button").click()
    visit.until("!document.querySelector('table.board tbody .who a').textContent.includes('resampling')")
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").click()
    visit.until("location.hash === ''")
    assert visit.rows() == before
    page.locator("table.board").first.locator("th[data-key=rank]").get_by_role("button").click()
    visit.until("document.querySelectorAll('table.board')[0].tBodies[0].rows.length === 11")
    assert visit.rows()[-1] == "llama-delete-only"  # withdrawn


def test_search_and_filters_can_be_shared_as_an_address(visit: Visit) -> None:
    page = visit.open("index.html")
    page.get_by_label("Search").fill("cpt qwen")
    visit.until("document.getElementById('found').textContent === '0 entries'")
    page.get_by_label("Search").fill("conflict_")
    visit.until("document.getElementById('found').textContent === '2 entries'")
    page.get_by_label("Division").select_option("closed")
    address = page.evaluate("location.hash")
    assert address == "#q=conflict_&division=closed"
    expected = sorted(["llama-conflict-cpt", "llama-conflict-buckets"])
    assert sorted(visit.rows()) == expected
    visit.open("data.html")
    visit.open(f"index.html{address}")
    visit.until("document.getElementById('found').textContent === '2 entries'")
    assert sorted(visit.rows()) == expected
    assert page.get_by_label("Search").input_value() == "conflict_"


# Every element of every row: its name, its attributes in order and the text that stands directly in it.
PARTS = """() => Object.fromEntries([...document.querySelectorAll("table.board tbody tr")].map((row) => [
  row.dataset.slug,
  [row, ...row.querySelectorAll("*")].map((node) => [
    node.localName,
    ...[...node.attributes].filter(({ name, value }) => name !== "title" && value !== "")
      .map(({ name, value }) => `${name}=${value.replace(/^[.]+[/]/, "")}`).sort(),
    [...node.childNodes].filter((one) => one.nodeType === 3).map((one) => one.data).join("")
      .replace(/\\s+/g, " ").trim(),
  ].join(" ")),
]))"""


def test_rows_made_by_the_script_are_those_of_the_template(visit: Visit, site: Path) -> None:
    def rows(page: Page) -> dict[str, list[str]]:
        parts: dict[str, list[str]] = page.evaluate(PARTS)
        return parts

    page = visit.open("index.html#sort=name")
    visit.until("document.querySelectorAll('table.board')[0].tBodies[0].rows.length === 11")
    built = rows(page)
    written: dict[str, list[str]] = {}
    for file in sorted((site / "standings").glob("*.html")):
        written |= rows(visit.open(f"standings/{file.name}"))
    assert len(built) == 15
    assert built == written


def test_comparing_agrees_with_the_standings_and_refuses_the_unlike(visit: Visit, ranked: list[Group]) -> None:
    group = ranked[0]
    names = [standing.entry.slug for standing in (group.standings[0], group.standings[3])]
    page = visit.open(f"compare.html#runs={','.join(names)}")
    page.wait_for_selector("#result table")
    cells = page.locator("#result tbody tr").first.locator("td").all_inner_texts()
    shown = [float(number) for number in re.findall(r"[\d.]+", cells[2].replace("\N{MINUS SIGN}", "-"))]
    behind = group.standings[3].behind
    assert behind
    assert shown == pytest.approx([behind["value"], behind["low"], behind["high"]], abs=0.015)
    assert "A is better" in cells[2]
    other = next(other for other in ranked if other.slug != group.slug).standings[0].entry.slug
    visit.open("index.html")
    visit.open(f"compare.html#runs={names[0]},{other}")
    visit.until("document.getElementById('said').textContent.includes('would mean nothing')")
    assert page.locator("#result table").count() == 0


def test_the_scripts_show_a_sixth_cause(
    browser: Browser, six_causes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "FRONT_ROWS", 1)
    monkeypatch.setattr(pages, "FEWEST_ROWS", 1)
    render(six_causes, tmp_path / "site")
    context = browser.new_context()
    visit = Visit(context, tmp_path / "site")
    page = visit.open("index.html#sort=-name")
    visit.until("document.querySelectorAll('table.board tbody tr').length === 2")
    labels = "(row) => [...row.cells].map((cell) => cell.dataset.label)"
    written, built = (page.locator("table.board tbody tr").nth(index).evaluate(labels) for index in range(2))
    assert written == built
    assert built.index("Sixth") == 8
    cells = page.locator("table.board tbody tr").nth(0).locator("td.cause").all_inner_texts()
    assert len(cells) == 6
    assert cells[5] == "missing"
    page = visit.open("compare.html")
    page.wait_for_selector("#result table")
    assert page.locator("#result tbody tr", has_text="A sixth cause").first.inner_text().split("\t")[1] == "missing"
    context.close()
    assert visit.complaints == []


def test_the_keyboard_is_enough(visit: Visit) -> None:
    page = visit.open("index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Overall recovery":
            break
    page.keyboard.press("Enter")
    visit.until("location.hash === '#sort=overall'")
    page = visit.open("compare.html")
    page.wait_for_selector("#result table")  # the first two, before anything is chosen
    page.get_by_label("Entry", exact=True).focus()
    page.keyboard.type("llama-resampling")
    page.keyboard.press("Enter")
    visit.until("document.querySelectorAll('#chosen li').length === 3")
    page.locator("#chosen button").first.focus()
    page.keyboard.press("Space")
    visit.until("document.querySelectorAll('#chosen li').length === 2")


def test_everything_reads_without_javascript(browser: Browser, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    visit = Visit(context, site)
    page = visit.open("index.html")
    assert visit.rows()[0] == "llama-combined"
    assert page.locator(".controls:visible").count() == 0
    page.locator("details.group summary").nth(2).click()
    assert (
        page.get_by_role("link", name="qwen3-combined").count() or page.get_by_role("link", name="llama-auto").count()
    )
    page = visit.open("compare.html")
    assert page.get_by_text("Every entry against the first of its table").first.is_visible()
    assert page.locator("table.plain tbody tr").count() >= 9
    context.close()
    assert visit.complaints == []


def test_print_and_dark(visit: Visit) -> None:
    page = visit.open("index.html")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) != light
    page.emulate_media(media="print", color_scheme="light")
    assert not page.locator(".top nav").is_visible()
    assert page.locator("table.board").first.is_visible()
